/* What settle-check reads of a file: a script's first line, and an ELF program's tables. */
#include "fuzz.h"

int settle_check_main(int argc, char **argv);
#define main        settle_check_main
#define printf(...) ((void)snprintf(said, sizeof said, __VA_ARGS__))
static char said[8192];
#include "commands/settle_check.c"
#undef printf
#undef main

/* Makes the header this machine's, so that what is behind it is looked at. */
static void make_elf(unsigned char *bytes, size_t size)
{
    Elf64_Ehdr *elf = (void *)bytes;
    if (size < sizeof *elf)
        return;
    memcpy(elf->e_ident, ELFMAG, SELFMAG);
    elf->e_ident[EI_CLASS] = ELFCLASS64;
    elf->e_machine = (Elf64_Half)own_machine;
    elf->e_phnum %= 8;
    elf->e_shnum %= 8;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char next[PATH_MAX];
    if (size < 2)
        return 0;
    bool as_elf = *data % 2 == 0;
    size--;
    unsigned char *bytes = malloc(size);
    memcpy(bytes, data + 1, size);
    if (as_elf)
        make_elf(bytes, size);
    struct image image = {bytes, size};
    said[0] = '\0';
    verdict = CAN;
    if (interpreter_of(&image, next, sizeof next)) {
        CHECK(size > 2 && memcmp(bytes, "#!", 2) == 0);
        CHECK(memchr(next, '\0', sizeof next) != NULL);
    } else {
        check_program("/x", &image);
        CHECK(said[0] != '\0');
        CHECK(as_elf || size < sizeof(Elf64_Ehdr) || verdict == UNKNOWN || verdict == CANNOT ||
              memcmp(bytes, ELFMAG, SELFMAG) == 0);
    }
    free(bytes);
    return 0;
}
