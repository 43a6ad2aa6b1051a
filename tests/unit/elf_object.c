/* Loaded objects and their references, against what the loader and dlsym say. */
#include "base/elf_object.h"

#include "unit.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

TestSuite(elf_object);

static int in_this_program;

Test(elf_object, of_an_address_is_what_the_loader_has_there)
{
    struct elf_object program, library;
    cr_assert(elf_object_at((uintptr_t)&in_this_program, &program));
    cr_expect_str_empty(program.name);
    cr_assert(elf_object_at((uintptr_t)dlsym(RTLD_DEFAULT, "dl_iterate_phdr"), &library));
    cr_expect_not_null(strstr(library.name, "libc"));
    cr_expect_neq(program.base, library.base);
}

/* An address of code that was made at run time, or of a library that is gone. */
Test(elf_object, of_an_address_of_no_object_has_no_name_and_no_tables)
{
    struct elf_object none;
    cr_expect_not(elf_object_at(1, &none));
    cr_expect_str_empty(none.name);
    cr_expect_null(none.dynamic, "it is not the last one that was looked at");
    cr_expect_null(elf_object_symbol(&none, "_DYNAMIC"));
}

Test(elf_object, lists_what_is_loaded_and_no_more_than_there_is_room_for)
{
    struct elf_object objects[128];
    size_t count = elf_objects(objects, 128);
    cr_assert_gt(count, 2);
    cr_expect_str_empty(objects[0].name);
    cr_expect_eq(elf_objects(objects, 2), 2);
    cr_expect_eq(elf_objects(objects, 0), 0);
}

Test(elf_object, a_symbol_is_its_own_and_nobody_elses)
{
    struct elf_object libc;
    void *function = dlsym(RTLD_DEFAULT, "dl_iterate_phdr");
    cr_assert(elf_object_at((uintptr_t)function, &libc));
    cr_expect_eq(elf_object_symbol(&libc, "dl_iterate_phdr"), function);
    cr_expect_null(elf_object_symbol(&libc, "sqlite3_open"));
    struct elf_object program;
    cr_assert(elf_object_at((uintptr_t)&in_this_program, &program));
    cr_expect_null(elf_object_symbol(&program, "dl_iterate_phdr"), "it only refers to it");
}

struct seen {
    unsigned count;
    uintptr_t address;
};

static bool note(const struct elf_reference *reference, void *argument)
{
    struct seen *seen = argument;
    if (reference->address != 0)
        seen->address = reference->address;
    seen->count++;
    return true;
}

static bool stop(const struct elf_reference *reference, void *argument)
{
    (void)reference;
    ((struct seen *)argument)->count++;
    return false;
}

Test(elf_object, a_reference_tells_what_it_is_bound_to)
{
    struct elf_object program;
    struct seen seen = {0};
    dlsym(RTLD_DEFAULT, "x"); /* bound by now, wherever calls are bound one by one */
    cr_assert(elf_object_at((uintptr_t)&in_this_program, &program));
    elf_object_references(&program, "dlsym", note, &seen);
    cr_expect_gt(seen.count, 0);
    cr_expect_eq(seen.address, (uintptr_t)dlsym(RTLD_DEFAULT, "dlsym"));
}

Test(elf_object, the_references_end_where_the_caller_has_seen_enough)
{
    struct elf_object program;
    struct seen seen = {0};
    cr_assert(elf_object_at((uintptr_t)&in_this_program, &program));
    elf_object_references(&program, "", stop, &seen);
    cr_expect_eq(seen.count, 1);
}

Test(elf_object, needs_what_it_names)
{
    struct elf_object program, libc, criterion;
    cr_assert(elf_object_at((uintptr_t)&in_this_program, &program));
    cr_assert(elf_object_at((uintptr_t)dlsym(RTLD_DEFAULT, "dl_iterate_phdr"), &libc));
    cr_assert(elf_object_at((uintptr_t)dlsym(RTLD_DEFAULT, "criterion_run_all_tests"), &criterion));
    cr_expect(elf_object_needs(&program, &criterion));
    cr_expect(elf_object_needs(&criterion, &libc));
    cr_expect_not(elf_object_needs(&libc, &criterion));
}
