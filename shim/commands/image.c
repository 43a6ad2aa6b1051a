#include "commands/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool image_open(const char *path, struct image *image)
{
    struct stat st;
    errno = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
    if (good) {
        void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        good = bytes != MAP_FAILED;
        *image = (struct image){bytes, (size_t)st.st_size};
    }
    if (fd >= 0)
        close(fd);
    return good;
}

void image_close(struct image *image)
{
    munmap((void *)(uintptr_t)image->bytes, image->size);
}

const Elf64_Ehdr *image_header(const struct image *image)
{
    const Elf64_Ehdr *header = (const void *)image->bytes;
    return image->size < sizeof *header || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ? NULL
                                                                                         : header;
}

/* --- parts --- */

/* A part of the file as a table of entries; NULL where it lies outside of it. */
static const void *table_at(const struct image *image, uint64_t offset, uint64_t count,
                            uint64_t size)
{
    if (count > image->size / size || offset > image->size || offset % 8 != 0 ||
        count * size > image->size - offset)
        return NULL;
    return image->bytes + offset;
}

/* A text in the file; "" where it is not within it, or has no end. */
static const char *text_at(const struct image *image, uint64_t offset, uint64_t index)
{
    uint64_t at = offset + index;
    if (at < offset || at >= image->size ||
        memchr(image->bytes + at, '\0', image->size - at) == NULL)
        return "";
    return (const char *)image->bytes + at;
}

static const Elf64_Shdr *section_at(const struct image *image, unsigned index)
{
    const Elf64_Ehdr *header = image_header(image);
    const Elf64_Shdr *sections =
        table_at(image, header->e_shoff, header->e_shnum, sizeof(Elf64_Shdr));
    return sections == NULL || index >= header->e_shnum ? NULL : &sections[index];
}

/* The entries of the one section of a type, and where their names begin; NULL if there is none. */
static const void *entries_of(const struct image *image, unsigned type, uint64_t size,
                              uint64_t *count, uint64_t *names)
{
    const Elf64_Shdr *section;
    unsigned index = 0;
    while ((section = section_at(image, index)) != NULL && section->sh_type != type)
        index++;
    const Elf64_Shdr *texts = section == NULL ? NULL : section_at(image, section->sh_link);
    if (texts == NULL)
        return NULL;
    *names = texts->sh_offset;
    *count = section->sh_size / size;
    return table_at(image, section->sh_offset, *count, size);
}

/* --- questions --- */

const char *image_loader(const struct image *image)
{
    const Elf64_Ehdr *header = image_header(image);
    const Elf64_Phdr *segments =
        table_at(image, header->e_phoff, header->e_phnum, sizeof(Elf64_Phdr));
    for (unsigned i = 0; segments != NULL && i < header->e_phnum; i++)
        if (segments[i].p_type == PT_INTERP && text_at(image, segments[i].p_offset, 0)[0] != '\0')
            return text_at(image, segments[i].p_offset, 0);
    return NULL;
}

bool image_has_section(const struct image *image, const char *name)
{
    const Elf64_Shdr *section;
    const Elf64_Shdr *names = section_at(image, image_header(image)->e_shstrndx);
    for (unsigned i = 0; names != NULL && (section = section_at(image, i)) != NULL; i++)
        if (strcmp(text_at(image, names->sh_offset, section->sh_name), name) == 0)
            return true;
    return false;
}

const char *image_needed(const struct image *image, const char *beginning)
{
    uint64_t count;
    uint64_t names;
    const Elf64_Dyn *entries = entries_of(image, SHT_DYNAMIC, sizeof *entries, &count, &names);
    for (uint64_t i = 0; entries != NULL && i < count; i++) {
        const char *name = text_at(image, names, entries[i].d_un.d_val);
        if (entries[i].d_tag == DT_NEEDED && strncmp(name, beginning, strlen(beginning)) == 0)
            return name;
    }
    return NULL;
}

enum symbol image_symbol(const struct image *image, const char *name)
{
    uint64_t count;
    uint64_t names;
    const Elf64_Sym *symbols = entries_of(image, SHT_DYNSYM, sizeof *symbols, &count, &names);
    for (uint64_t i = 0; symbols != NULL && i < count; i++)
        if (strcmp(text_at(image, names, symbols[i].st_name), name) == 0)
            return symbols[i].st_shndx == SHN_UNDEF ? SYMBOL_WANTED : SYMBOL_DEFINED;
    return SYMBOL_ABSENT;
}

bool image_holds(const struct image *image, const void *bytes, size_t size)
{
    return memmem(image->bytes, image->size, bytes, size) != NULL;
}
