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

/* Names in a table that is made when the library is built (preload/link/names.awk): to make the
 * hashes of some dozens at each start of a process takes as long as to look them up. */
struct elf_name {
    uint32_t hash; /* elf_hash */
    uint16_t at;   /* in the texts */
    uint16_t size; /* with its NUL */
};
struct elf_names {
    const char *texts;
    const struct elf_name *list;
    size_t count; /* 64 at most */
};

/* Sets functions[i] to what the i-th name is in the first library behind this one that defines it;
 * leaves it alone where none does, or where it takes dlsym to tell. Returns how many were set. */
size_t elf_find_next(const struct elf_names *names, void **functions);

/* The same for one name; NULL for those that it leaves alone. */
void *elf_find_next_one(const char *name);

/* One name, as elf_find_next has found others: it remembers where it has looked, so that nobody is
 * asked, and no lock of the loader is taken that another thread may have held when this process was
 * forked. NULL as there. It asks the loader only where there were more libraries than it has room
 * for. */
void *elf_find_later(const char *name);

/* One name, in any library but this one, the first that defines it; NULL if none does. */
void *elf_find_anywhere(const char *name);

/* What the GNU hash table of an object knows a name by. */
uint32_t elf_hash(const char *name);

/* One name, in a library that was linked for address 0 and lies in memory from `image` on. Asks
 * nobody. */
void *elf_find_in_image(const void *image, const char *name);

/* One name, function or variable, as the object that was loaded at `base` with that dynamic section
 * defines it itself; NULL if it does not. Asks nobody. */
void *elf_find_in_object(uintptr_t base, const void *dynamic, const char *name);

#endif
