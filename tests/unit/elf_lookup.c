/* Finding functions behind a library by the tables of the ELF files, against what dlsym finds. The
 * program comes first of all, so everything is behind it. */
#include "base/elf_lookup.h"

#include "preload/symbols.h"
#include "unit.h"

#include <dlfcn.h>
#include <string.h>

static void *found(const char *name)
{
    return elf_find_next_one(name);
}

/* Of names one after the other, each with its NUL. */
static size_t find(const char *texts, void **functions, size_t count)
{
    struct elf_name list[32];
    const struct elf_names names = {texts, list, count};
    uint16_t at = 0;
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct elf_name){elf_hash(texts + at), at, (uint16_t)(strlen(texts + at) + 1)};
        at = (uint16_t)(at + list[i].size);
    }
    return elf_find_next(&names, functions);
}

/* With a wrong one a name would be looked up by dlsym, and nothing would be said. */
Test(elf_lookup, the_hashes_that_were_made_at_build_time_are_those_of_the_names)
{
    static const char texts[] =
#define NAME(name) #name "\0"
        SETTLE_LIBC_SYMBOLS(NAME) SETTLE_CALLED_SYMBOLS(NAME);
    static const struct elf_name list[] = {
#include "preload/names.h"
    };
    const char *text = texts;
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++, text += strlen(text) + 1) {
        cr_expect_eq(list[i].hash, elf_hash(text), "%s", text);
        cr_expect_eq(texts + list[i].at, text);
        cr_expect_eq(list[i].size, strlen(text) + 1, "%s", text);
    }
    cr_expect_eq(*text, '\0');
    cr_expect_eq(elf_hash("printf"), 0x156b2bb8u); /* of the format's description */
}

Test(elf_lookup, functions_of_libc_are_those_that_dlsym_finds)
{
    static const char names[] =
        "open\0open64\0openat\0creat\0__open_2\0fopen\0freopen\0fdopen\0dup\0dup3\0"
        "fcntl\0close\0fclose\0fcloseall\0recvmsg\0prctl\0syscall\0dlopen\0dlclose\0dlsym";
    void *functions[20] = {NULL};
    const char *name = names;
    cr_expect_eq(find(names, functions, 20), 20u);
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
    cr_expect_eq(find("settle_defines_no_such\0close\0settle_neither", functions, 3), 1u);
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
