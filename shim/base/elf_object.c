#include "base/elf_object.h"

#include "base/elf_lookup.h"
#include "base/elf_tables.h"
#include "base/path.h"

#include <string.h>

static void describe(const struct dl_phdr_info *info, struct elf_object *object)
{
    *object = (struct elf_object){.base = info->dlpi_addr,
                                  .low = UINTPTR_MAX,
                                  .dynamic = elf_dynamic_of(info),
                                  .name = info->dlpi_name == NULL ? "" : info->dlpi_name};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t low = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD)
            continue;
        if (low < object->low)
            object->low = low;
        if (low + segment->p_memsz > object->high)
            object->high = low + segment->p_memsz;
    }
}

static bool holds(const struct elf_object *object, uintptr_t address)
{
    return address >= object->low && address < object->high;
}

struct place {
    uintptr_t address;
    struct elf_object *object;
};

static int is_at(struct dl_phdr_info *info, size_t size, void *argument)
{
    const struct place *place = argument;
    struct elf_object object;
    (void)size;
    describe(info, &object);
    if (!holds(&object, place->address))
        return 0;
    *place->object = object;
    return 1;
}

bool elf_object_at(uintptr_t address, struct elf_object *object)
{
    struct place place = {address, object};
    *object = (struct elf_object){.name = ""};
    return dl_iterate_phdr(is_at, &place) != 0;
}

struct list {
    struct elf_object *objects;
    size_t count, room;
};

static int append(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct list *list = argument;
    (void)size;
    describe(info, &list->objects[list->count++]);
    return list->count == list->room;
}

size_t elf_objects(struct elf_object *objects, size_t room)
{
    struct list list = {objects, 0, room};
    if (room > 0)
        dl_iterate_phdr(append, &list);
    return list.count;
}

void *elf_object_symbol(const struct elf_object *object, const char *name)
{
    return object->dynamic == NULL ? NULL : elf_find_in_object(object->base, object->dynamic, name);
}

static struct elf_tables tables_of(const struct elf_object *object)
{
    struct elf_tables t = {.base = object->base};
    if (object->dynamic != NULL)
        elf_tables_read(&t, object->dynamic);
    return t;
}

/* --- references --- */

/* A slot that waits for its first call leads into the object's own table of such calls, and not to
 * what the object may itself have by that name. */
static uintptr_t bound_to(const struct elf_object *object, const ElfW(Rela) * relocation,
                          const ElfW(Sym) * symbol)
{
    uintptr_t address;
    memcpy(&address, (const void *)(object->base + relocation->r_offset), sizeof address);
    address -= (uintptr_t)relocation->r_addend;
    bool is_own = symbol->st_shndx != SHN_UNDEF && address == object->base + symbol->st_value;
    return is_own || !holds(object, address) ? address : 0;
}

struct visit {
    const struct elf_object *object;
    struct elf_tables tables;
    const char *prefix;
    bool (*look)(const struct elf_reference *reference, void *argument);
    void *argument;
};

static bool visit_one(const struct visit *v, const ElfW(Rela) * relocation, bool is_call)
{
    const ElfW(Sym) *symbol = &v->tables.symbols[ELF64_R_SYM(relocation->r_info)];
    const char *name = v->tables.strings + symbol->st_name;
    if (strncmp(name, v->prefix, strlen(v->prefix)) != 0)
        return true;
    const struct elf_reference reference = {name, bound_to(v->object, relocation, symbol), is_call};
    return v->look(&reference, v->argument);
}

#ifdef __x86_64__
enum { CALL = R_X86_64_JUMP_SLOT, POINTER = R_X86_64_GLOB_DAT, ADDRESS = R_X86_64_64 };
#else
enum { CALL = R_AARCH64_JUMP_SLOT, POINTER = R_AARCH64_GLOB_DAT, ADDRESS = R_AARCH64_ABS64 };
#endif

static bool visit_all(const struct visit *v, const ElfW(Rela) * relocations, size_t size)
{
    for (size_t i = 0; relocations != NULL && i < size / sizeof *relocations; i++) {
        size_t type = ELF64_R_TYPE(relocations[i].r_info);
        bool is_named = ELF64_R_SYM(relocations[i].r_info) != STN_UNDEF &&
                        (type == CALL || type == POINTER || type == ADDRESS);
        if (is_named && !visit_one(v, &relocations[i], type == CALL))
            return false;
    }
    return true;
}

void elf_object_references(const struct elf_object *object, const char *prefix,
                           bool (*look)(const struct elf_reference *reference, void *argument),
                           void *argument)
{
    const struct visit v = {object, tables_of(object), prefix, look, argument};
    if (v.tables.symbols == NULL || v.tables.strings == NULL)
        return;
    if (visit_all(&v, v.tables.plt_relocations, v.tables.plt_relocations_size))
        visit_all(&v, v.tables.relocations, v.tables.relocations_size);
}

static bool note_waiting(const struct elf_reference *reference, void *argument)
{
    bool *waits = argument;
    *waits = reference->is_call && reference->address == 0;
    return !*waits;
}

bool elf_object_is_lazy(const struct elf_object *object)
{
    bool waits = false;
    elf_object_references(object, "", note_waiting, &waits);
    return waits;
}

/* --- what needs what --- */

/* As the loader tells libraries apart: by the name that they have in themselves, or else by that of
 * their file. */
static const char *own_name(const struct elf_object *object)
{
    struct elf_tables t = tables_of(object);
    if (t.own_name != 0 && t.strings != NULL)
        return t.strings + t.own_name;
    return path_name(object->name);
}

bool elf_object_needs(const struct elf_object *object, const struct elf_object *other)
{
    struct elf_tables t = tables_of(object);
    if (t.strings == NULL)
        return false;
    const char *wanted = own_name(other);
    for (const ElfW(Dyn) *d = object->dynamic; d->d_tag != DT_NULL; d++) {
        const char *needed = t.strings + d->d_un.d_val;
        if (d->d_tag == DT_NEEDED &&
            (strcmp(needed, wanted) == 0 || strcmp(needed, other->name) == 0))
            return true;
    }
    return false;
}
