/* A program's file, looked at without running it: elf(5). Nothing in the file is trusted: what lies
 * outside of it, or is cut, counts as not there. */
#ifndef SETTLE_IMAGE_H
#define SETTLE_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>

struct image {
    const unsigned char *bytes;
    size_t size;
};

/* Maps a file. False, with errno, where it cannot be read; errno 0: it is no regular file, or
 * empty.
 */
bool image_open(const char *path, struct image *image);

void image_close(struct image *image);

/* The header; NULL: it is no ELF file. What follows asks of 64-bit ones only. */
const Elf64_Ehdr *image_header(const struct image *image);

/* The dynamic loader that the program asks for; NULL: it is static. */
const char *image_loader(const struct image *image);

bool image_has_section(const struct image *image, const char *name);

/* The first needed library (DT_NEEDED) whose name begins so; NULL if there is none. */
const char *image_needed(const struct image *image, const char *beginning);

enum symbol { SYMBOL_ABSENT, SYMBOL_WANTED, SYMBOL_DEFINED };

/* Whether the dynamic linker is to find a symbol for the file, or in it. */
enum symbol image_symbol(const struct image *image, const char *name);

/* Whether the bytes occur anywhere. */
bool image_holds(const struct image *image, const void *bytes, size_t size);

#endif
