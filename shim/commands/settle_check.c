/* settle-check: what the launcher (scripts/settle) asks before it runs a command. Runs nothing.
 *
 *   settle-check [--] COMMAND         whether it can run under the library, and why not
 *   settle-check --options WORD...    the launcher's command line (command_line.h)
 *   settle-check --help-options       the launcher's options, for its --help
 *   settle-check --settings           the same for programs (option_table.h)
 *   settle-check --version
 *
 * Of a command files are looked at: a script's interpreter is followed, and of the program at the
 * end the ELF header, the dynamic section and the permissions are read (elf(5), ld.so(8),
 * execve(2)). One line for each finding. Exit codes: 0 it can, 1 it cannot, 125 it cannot be told,
 * 127 there is no such command. */
#include "base/path.h"
#include "base/text.h"
#include "commands/command_line.h"
#include "commands/option_table.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <settle.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { CAN = 0, CANNOT = 1, UNKNOWN = 125, NOT_FOUND = 127 };

#if defined(__x86_64__)
static const unsigned own_machine = EM_X86_64;
static const char own_name[] = "x86-64";
#elif defined(__aarch64__)
static const unsigned own_machine = EM_AARCH64;
static const char own_name[] = "aarch64";
#endif

static int verdict = CAN;

static void find(int code, const char *path, const char *what)
{
    printf("%s: %s\n", path, what);
    if (verdict < code)
        verdict = code;
}

/* --- a file --- */

struct image {
    const unsigned char *bytes;
    size_t size;
};

static bool read_image(const char *path, struct image *image)
{
    *image = (struct image){0};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    if (good && st.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        good = bytes != MAP_FAILED;
        *image = (struct image){bytes, (size_t)st.st_size};
    }
    if (fd >= 0)
        close(fd);
    return good && st.st_size > 0;
}

/* As the shell and execvp find it. False if there is none. */
static bool locate(const char *name, char *out, size_t size)
{
    const char *list = getenv("PATH");
    if (strchr(name, '/') != NULL)
        return str_copy(out, size, name) && access(out, F_OK) == 0;
    for (const char *at = list == NULL ? "/usr/bin:/bin" : list; *at != '\0';) {
        size_t length = strcspn(at, ":");
        struct stat st;
        snprintf(out, size, "%.*s/%s", length == 0 ? 1 : (int)length, length == 0 ? "." : at, name);
        if (access(out, X_OK) == 0 && stat(out, &st) == 0 && S_ISREG(st.st_mode))
            return true;
        at += length + (at[length] == ':');
    }
    return false;
}

/* --- scripts --- */

/* The interpreter of a script, and after `env` the program that it looks for; false if it is none.
 */
static bool interpreter_of(const struct image *image, char *out, size_t size)
{
    char line[256]; /* the kernel reads no more (BINPRM_BUF_SIZE) */
    if (image->size < 3 || memcmp(image->bytes, "#!", 2) != 0)
        return false;
    size_t length = image->size - 2 < sizeof line - 1 ? image->size - 2 : sizeof line - 1;
    memcpy(line, image->bytes + 2, length);
    line[length] = '\0';
    line[strcspn(line, "\n")] = '\0';
    char *rest = NULL;
    const char *program = strtok_r(line, " \t", &rest);
    const char *argument = strtok_r(NULL, " \t", &rest);
    if (program == NULL)
        return false;
    if (str_ends_with(program, "/env")) {
        while (argument != NULL && (argument[0] == '-' || strchr(argument, '=') != NULL))
            argument = strtok_r(NULL, " \t", &rest);
        if (argument != NULL)
            return locate(argument, out, size);
    }
    return str_copy(out, size, program);
}

/* --- programs --- */

/* A part of the file as a table of entries; NULL where it lies outside of it. */
static const void *table_at(const struct image *image, uint64_t offset, uint64_t count,
                            uint64_t size)
{
    if (count > image->size / size || offset > image->size || offset % 8 != 0 ||
        count * size > image->size - offset)
        return NULL;
    return image->bytes + offset;
}

static bool has_section(const struct image *image, const Elf64_Ehdr *elf, const char *name)
{
    const Elf64_Shdr *sections = table_at(image, elf->e_shoff, elf->e_shnum, sizeof(Elf64_Shdr));
    if (sections == NULL || elf->e_shstrndx >= elf->e_shnum)
        return false;
    const Elf64_Shdr *names = &sections[elf->e_shstrndx];
    for (unsigned i = 0; i < elf->e_shnum; i++) {
        uint64_t at = names->sh_offset + sections[i].sh_name;
        if (at < image->size && image->size - at > strlen(name) &&
            strcmp((const char *)image->bytes + at, name) == 0)
            return true;
    }
    return false;
}

/* The dynamic loader that the program asks for; NULL: it is static. */
static const char *loader_of(const struct image *image, const Elf64_Ehdr *elf)
{
    const Elf64_Phdr *segments = table_at(image, elf->e_phoff, elf->e_phnum, sizeof(Elf64_Phdr));
    for (unsigned i = 0; segments != NULL && i < elf->e_phnum; i++) {
        const Elf64_Phdr *s = &segments[i];
        if (s->p_type == PT_INTERP && s->p_offset < image->size &&
            memchr(image->bytes + s->p_offset, '\0', image->size - s->p_offset) != NULL)
            return (const char *)image->bytes + s->p_offset;
    }
    return NULL;
}

static void check_program(const char *path, const struct image *image)
{
    const Elf64_Ehdr *elf = (const void *)image->bytes;
    if (image->size < sizeof *elf || memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0) {
        find(UNKNOWN, path, "neither an ELF program nor a script");
        return;
    }
    if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_machine != own_machine) {
        char what[96];
        snprintf(what, sizeof what, "cannot: made for another architecture than this library's, %s",
                 own_name);
        find(CANNOT, path, what);
        return;
    }
    bool go = has_section(image, elf, ".note.go.buildid") || has_section(image, elf, ".gopclntab");
    const char *loader = loader_of(image, elf);
    if (go)
        find(CANNOT, path, "cannot: a Go program, which makes its system calls without libc");
    else if (loader == NULL)
        find(CANNOT, path, "cannot: statically linked, so nothing can be loaded before it");
    if (loader == NULL || go)
        return;
    char what[PATH_MAX + 64];
    snprintf(what, sizeof what, "dynamically linked, %s, %s", loader,
             strstr(loader, "musl") != NULL ? "musl" : "glibc");
    find(CAN, path, what);
    if (access(loader, X_OK) != 0)
        find(CANNOT, loader, "cannot: the program's loader is missing");
}

/* A program that gains rights runs in secure-execution mode (ld.so(8)), without LD_PRELOAD. */
static void check_rights(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return;
    if ((st.st_mode & S_ISUID) != 0 && st.st_uid != geteuid())
        find(CANNOT, path, "cannot: set-user-ID, so the loader ignores LD_PRELOAD");
    if ((st.st_mode & S_ISGID) != 0 && (st.st_mode & S_IXGRP) != 0 && st.st_gid != getegid())
        find(CANNOT, path, "cannot: set-group-ID, so the loader ignores LD_PRELOAD");
    if (geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        find(CANNOT, path, "cannot: has file capabilities, so the loader ignores LD_PRELOAD");
    if (access(path, X_OK) != 0)
        find(UNKNOWN, path, "is not executable");
}

/* PHP loads its extensions with RTLD_DEEPBIND, past every preloaded library. */
static void check_deepbind(const char *path)
{
    const char *deepbind = getenv("SETTLE_DEEPBIND");
    if (strncmp(path_name(path), "php", 3) == 0 &&
        (deepbind == NULL || !str_equal(deepbind, "strip")))
        find(CANNOT, path,
             "cannot: PHP loads its extensions with RTLD_DEEPBIND; with --deepbind strip it can");
}

static void check(const char *name)
{
    enum { SCRIPTS = 5 }; /* as many as the kernel follows */
    char path[PATH_MAX];
    char next[PATH_MAX];
    if (!locate(name, path, sizeof path)) {
        find(NOT_FOUND, name, "no such command");
        return;
    }
    for (int depth = 0; depth <= SCRIPTS; depth++) {
        struct image image;
        char real[PATH_MAX];
        bool found = realpath(path, real) != NULL;
        if (found)
            errno = 0; /* realpath sets it for each part that is no link */
        if (!found || !read_image(real, &image)) {
            find(errno == ENOENT ? NOT_FOUND : UNKNOWN, path,
                 errno == 0 ? "not a regular file or empty" : strerror(errno));
            return;
        }
        bool script = interpreter_of(&image, next, sizeof next);
        if (!script) {
            check_rights(real);
            check_program(real, &image);
            check_deepbind(real);
        }
        munmap((void *)(uintptr_t)image.bytes, image.size);
        if (!script)
            return;
        printf("%s: a script of %s\n", path, next);
        str_copy(path, sizeof path, next);
    }
    find(UNKNOWN, name, "a script of a script of a script: too deep");
}

static int check_command(const char *name)
{
    check(name);
    printf("%s: %s\n", name,
           verdict == CAN      ? "can run under settle"
           : verdict == CANNOT ? "runs as if settle were absent"
                               : "cannot be told");
    return verdict;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (str_equal(word, "--options"))
        return command_line_read(argv + 2);
    if (argc == 2 && str_equal(word, "--help-options"))
        return option_print_help(stdout), 0;
    if (argc == 2 && str_equal(word, "--settings"))
        return option_print_list(stdout), 0;
    if (argc == 2 && str_equal(word, "--version"))
        return puts("settle-check " SETTLE_VERSION), 0;
    if (argc == 3 && str_equal(word, "--"))
        return check_command(argv[2]);
    if (argc == 2)
        return check_command(word);
    fputs("usage: settle-check [--] COMMAND, see 'settle --help'\n", stderr);
    return UNKNOWN;
}
