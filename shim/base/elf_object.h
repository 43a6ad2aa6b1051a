/* Loaded objects, and what their references are bound to.
 *
 * The dynamic linker decides what a reference means when it binds it, by what is loaded then; asked
 * later (dlsym) it may name something else. What it has written into an object tells. An object
 * here is one that stays loaded while it is looked at: the caller's, or one that the caller's is
 * bound to. Asks dl_iterate_phdr only, which takes the loader's lock.
 */
#ifndef SETTLE_ELF_OBJECT_H
#define SETTLE_ELF_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_object {
    uintptr_t base;
    uintptr_t low, high; /* what it occupies: low <= address < high */
    const void *dynamic; /* ElfW(Dyn); NULL in a program that has none */
    const char *name;    /* as the loader has it; "" of the main program */
};

/* The object that an address lies in; false if in none, and then it has no tables and no name. */
bool elf_object_at(uintptr_t address, struct elf_object *object);

/* What is loaded, in the loader's order; at most `room`. Returns how many. */
size_t elf_objects(struct elf_object *objects, size_t room);

/* The address of a function or variable that the object defines itself; NULL if it does not. */
void *elf_object_symbol(const struct elf_object *object, const char *name);

/* One place in an object that the dynamic linker fills in with the address of a name. */
struct elf_reference {
    const char *name;
    uintptr_t address; /* what it is bound to; 0: it waits for its first call */
    bool is_call; /* a slot of calls, which may wait; else a pointer, bound when it was loaded */
};

/* Calls `look` for each reference whose name begins with `prefix`, until it returns false. */
void elf_object_references(const struct elf_object *object, const char *prefix,
                           bool (*look)(const struct elf_reference *reference, void *argument),
                           void *argument);

/* Whether calls of the object are bound one by one, each when it is first made: one at least waits
 * for that. */
bool elf_object_is_lazy(const struct elf_object *object);

/* Whether `object` names `other` among the libraries that it needs (DT_NEEDED). */
bool elf_object_needs(const struct elf_object *object, const struct elf_object *other);

#endif
