/* Finding functions behind a library by the tables of the ELF files, against what dlsym finds. The
 * program comes first of all, so everything is behind it. */
#include "base/elf_lookup.h"

#include "unit.h"

#include <dlfcn.h>
#include <string.h>

static void *found(const char *name)
{
    void *function = NULL;
    elf_find_next(name, &function, 1);
    return function;
}

Test(elf_lookup, functions_of_libc_are_those_that_dlsym_finds)
{
    static const char names[] =
        "open\0open64\0openat\0creat\0__open_2\0fopen\0freopen\0fdopen\0dup\0dup3\0"
        "fcntl\0close\0fclose\0fcloseall\0recvmsg\0prctl\0syscall\0dlopen\0dlclose\0dlsym";
    void *functions[20] = {NULL};
    const char *name = names;
    cr_expect_eq(elf_find_next(names, functions, 20), 20u);
    for (size_t i = 0; i < 20; i++, name += strlen(name) + 1)
        cr_expect_eq(functions[i], dlsym(RTLD_NEXT, name), "%s", name);
}

/* realpath and nftw64 have an old one, too. */
Test(elf_lookup, of_several_versions_it_is_the_default_one)
{
    cr_expect_eq(found("realpath"), dlsym(RTLD_NEXT, "realpath"));
    cr_expect_eq(found("nftw64"), dlsym(RTLD_NEXT, "nftw64"));
    cr_expect_eq(found("fcntl64"), dlsym(RTLD_NEXT, "fcntl64"));
    cr_expect_neq(found("realpath"), dlvsym(RTLD_NEXT, "realpath", "GLIBC_2.2.5"));
}

Test(elf_lookup, what_no_library_defines_is_left_alone)
{
    int mine;
    void *functions[3] = {&mine, &mine, &mine};
    cr_expect_eq(elf_find_next("settle_defines_no_such\0close\0settle_neither", functions, 3), 1u);
    cr_expect_eq(functions[0], &mine);
    cr_expect_eq(functions[1], dlsym(RTLD_NEXT, "close"));
    cr_expect_eq(functions[2], &mine);
    cr_expect_null(elf_find_anywhere("settle_defines_no_such"));
}

/* These are chosen by what the processor can do, when they are asked for; no sanitizer stands in
 * for them. */
Test(elf_lookup, what_takes_dlsym_to_tell_is_left_alone)
{
    cr_expect_null(found("rawmemchr"));
    cr_expect_null(found("wmemset"));
}

Test(elf_lookup, variables_are_no_functions)
{
    cr_expect_null(found("stdout"));
    cr_expect_null(found("optind"));
}

Test(elf_lookup, a_function_of_any_library_is_found)
{
    cr_expect_eq(elf_find_anywhere("dlsym"), dlsym(RTLD_NEXT, "dlsym"));
    cr_expect_eq(found("cr_asprintf"), dlsym(RTLD_NEXT, "cr_asprintf"));
}
