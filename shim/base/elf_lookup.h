/* What comes behind this library in the loader's order, found as dlsym(RTLD_NEXT) finds it.
 *
 * Without dlsym: that costs 800 instructions a name, at each start of a process, and before glibc
 * 2.34 it needs libdl, which costs each start of a process with a newer glibc as much as this
 * library. The tables that are read here are those of the ELF format (elf(5)) and of its GNU hash.
 */
#ifndef SETTLE_ELF_LOOKUP_H
#define SETTLE_ELF_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

/* Names one after the other, each with its NUL; the last is empty. Sets functions[i] to what the
 * i-th is in the first library behind this one that defines it; leaves it alone where none does, or
 * where it takes dlsym to tell. Returns how many were set. */
size_t elf_find_next(const char *names, void **functions, size_t count);

/* One name, as elf_find_next has found others: it remembers where it has looked, so that nobody is
 * asked, and no lock of the loader is taken that another thread may have held when this process was
 * forked. NULL as there. It asks the loader only where there
 * were more libraries than it has room for. */
void *elf_find_later(const char *name);

/* One name, in any library but this one, the first that defines it; NULL if none does. */
void *elf_find_anywhere(const char *name);

/* One name, in a library that was linked for address 0 and lies in memory from `image` on. Asks
 * nobody. */
void *elf_find_in_image(const void *image, const char *name);

/* One name, function or variable, as the object that was loaded at `base` with that dynamic section
 * defines it itself; NULL if it does not. Asks nobody. */
void *elf_find_in_object(uintptr_t base, const void *dynamic, const char *name);

#endif
