/* What the library calls by name. It is linked with a stub made of this list (stub.S) instead
 * of the libc of the machine that builds it, so that no symbol version gets in and nothing that
 * another libc lacks. What is not in glibc 2.17 and in musl does not belong here: resolve it by
 * dlsym, or make the system call. The compiler calls __stack_chk_fail, and on aarch64 reads
 * __stack_chk_guard, where it is told to protect the stack; strings and memory have functions of
 * the library's own (base/string.c).
 */
#ifndef SETTLE_IMPORTS_H
#define SETTLE_IMPORTS_H

#define SETTLE_LIBC_IMPORTS(IMPORT)                                                                \
    IMPORT(__errno_location)                                                                       \
    IMPORT(__stack_chk_fail)                                                                       \
    IMPORT(__stack_chk_guard)                                                                      \
    IMPORT(dl_iterate_phdr)                                                                        \
    IMPORT(environ)                                                                                \
    IMPORT(getauxval)

#endif
