/* The tables of a loaded object: what its dynamic section points to (elf(5)). */
#ifndef SETTLE_ELF_TABLES_H
#define SETTLE_ELF_TABLES_H

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>

/* Those that it lacks are NULL. x86-64 and aarch64 have relocations with addends only. */
struct elf_tables {
    uintptr_t base;
    const ElfW(Sym) * symbols;
    const char *strings;
    size_t strings_size; /* bytes */
    const ElfW(Half) * versions;
    const uint32_t *gnu;  /* DT_GNU_HASH */
    const uint32_t *sysv; /* DT_HASH */
    const ElfW(Rela) * relocations;
    const ElfW(Rela) * plt_relocations;
    size_t relocations_size, plt_relocations_size; /* bytes */
    ElfW(Xword) own_name;                          /* DT_SONAME, in strings; 0: none */
};

/* glibc has moved the addresses in this table by the library's base already, musl and the kernel's
 * own library have not. */
static inline const void *elf_tables_at(const struct elf_tables *t, uintptr_t address)
{
    return (const void *)(address < t->base ? address + t->base : address);
}

/* `t` has its base, and nothing else. */
static inline void elf_tables_read(struct elf_tables *t, const ElfW(Dyn) * dynamic)
{
    for (const ElfW(Dyn) *d = dynamic; d->d_tag != DT_NULL; d++) {
        switch (d->d_tag) {
        case DT_SYMTAB:
            t->symbols = elf_tables_at(t, d->d_un.d_ptr);
            break;
        case DT_STRTAB:
            t->strings = elf_tables_at(t, d->d_un.d_ptr);
            break;
        case DT_STRSZ:
            t->strings_size = d->d_un.d_val;
            break;
        case DT_VERSYM:
            t->versions = elf_tables_at(t, d->d_un.d_ptr);
            break;
        case DT_GNU_HASH:
            t->gnu = elf_tables_at(t, d->d_un.d_ptr);
            break;
        case DT_HASH:
            t->sysv = elf_tables_at(t, d->d_un.d_ptr);
            break;
        case DT_RELA:
            t->relocations = elf_tables_at(t, d->d_un.d_ptr);
            break;
        case DT_RELASZ:
            t->relocations_size = d->d_un.d_val;
            break;
        case DT_JMPREL:
            t->plt_relocations = elf_tables_at(t, d->d_un.d_ptr);
            break;
        case DT_PLTRELSZ:
            t->plt_relocations_size = d->d_un.d_val;
            break;
        case DT_SONAME:
            t->own_name = d->d_un.d_val;
            break;
        default:
            break;
        }
    }
}

/* NULL in a program without a dynamic section. */
static inline const ElfW(Dyn) * elf_dynamic_of(const struct dl_phdr_info *info)
{
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            return (const void *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    return NULL;
}

#endif
