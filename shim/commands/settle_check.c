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
#include "commands/image.h"
#include "commands/option_table.h"
#include "commands/search_path.h"

#include <errno.h>
#include <limits.h>
#include <settle.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* --- scripts --- */

/* As the shell and execvp find it. False if there is none. */
static bool locate(const char *name, char *out, size_t size)
{
    if (strchr(name, '/') != NULL)
        return str_copy(out, size, name) && access(out, F_OK) == 0;
    return search_path(name, out, size);
}

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

/* What helps where the library cannot be loaded: the end of any command, and the closes of some. */
#define AT_ITS_END    "--after PATH waits for the store at PATH when it has ended"
#define AT_EACH_CLOSE "with --supervise each of its closes waits; cheaper, " AT_ITS_END

/* Linked with C (cgo) it is a Go program still, but SQLite, say, is then C that closes by libc. */
static void check_go(const char *path, const struct image *image)
{
    static const char *const closes[] = {"close", "sqlite3_close", "sqlite3_close_v2"};
    for (size_t i = 0; i < sizeof closes / sizeof closes[0]; i++)
        if (image_loader(image) != NULL && image_symbol(image, closes[i]) == SYMBOL_WANTED) {
            find(CAN, path,
                 "can, as far as its C parts go (cgo), such as SQLite, which close through libc: "
                 "a Go program, whose Go code makes its system calls without libc");
            return;
        }
    find(CANNOT, path,
         "cannot: a Go program, which makes its system calls without libc; " AT_EACH_CLOSE);
}

/* The runtime insists on coming first, unless __asan_default_options says otherwise. The library
 * has one (preload/sanitizer.c), but the program's own goes before it. */
static void check_sanitizer(const char *path, const struct image *image)
{
    bool shared = image_needed(image, "libasan.so") != NULL ||
                  image_needed(image, "libclang_rt.asan") != NULL;
    const char *options = getenv("ASAN_OPTIONS");
    if (!shared || (options != NULL && strstr(options, "verify_asan_link_order=0") != NULL))
        return;
    if (image_symbol(image, "__asan_default_options") == SYMBOL_DEFINED)
        find(CANNOT, path,
             "cannot start: AddressSanitizer insists on coming first; with "
             "ASAN_OPTIONS=verify_asan_link_order=0 it can");
    else
        find(CAN, path, "with AddressSanitizer, which settle asks not to insist on coming first");
}

static void check_program(const char *path, const struct image *image)
{
    const Elf64_Ehdr *elf = image_header(image);
    if (elf == NULL) {
        find(UNKNOWN, path, "neither an ELF program nor a script");
        return;
    }
    if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_machine != own_machine) {
        char what[192];
        snprintf(what, sizeof what,
                 "cannot: made for another architecture than this library's, %s; " AT_ITS_END,
                 own_name);
        find(CANNOT, path, what);
        return;
    }
    bool go =
        image_has_section(image, ".note.go.buildid") || image_has_section(image, ".gopclntab");
    const char *loader = image_loader(image);
    if (go)
        check_go(path, image);
    else if (loader == NULL)
        find(CANNOT, path,
             "cannot: statically linked, so nothing can be loaded before it; " AT_EACH_CLOSE);
    if (loader == NULL)
        return;
    char what[PATH_MAX + 64];
    snprintf(what, sizeof what, "dynamically linked, %s, %s", loader,
             strstr(loader, "musl") != NULL ? "musl" : "glibc");
    find(CAN, path, what);
    if (access(loader, X_OK) != 0)
        find(CANNOT, loader, "cannot: the program's loader is missing");
    check_sanitizer(path, image);
}

/* A program that gains rights runs in secure-execution mode (ld.so(8)), without LD_PRELOAD. */
static void check_rights(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return;
    if ((st.st_mode & S_ISUID) != 0 && st.st_uid != geteuid())
        find(CANNOT, path, "cannot: set-user-ID, so the loader ignores LD_PRELOAD; " AT_ITS_END);
    if ((st.st_mode & S_ISGID) != 0 && (st.st_mode & S_IXGRP) != 0 && st.st_gid != getegid())
        find(CANNOT, path, "cannot: set-group-ID, so the loader ignores LD_PRELOAD; " AT_ITS_END);
    if (geteuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        find(CANNOT, path,
             "cannot: has file capabilities, so the loader ignores LD_PRELOAD; " AT_ITS_END);
    if (access(path, X_OK) != 0)
        find(UNKNOWN, path, "is not executable");
}

static bool is_set(const char *variable, const char *wanted)
{
    const char *value = getenv(variable);
    return value != NULL && str_equal(value, wanted);
}

/* Until 8.4 PHP loads its extensions with RTLD_DEEPBIND, past every preloaded library; whether
 * later ones do is for who builds them (Debian's do not). What tells is the number that the call of
 * dlopen is given, RTLD_GLOBAL | RTLD_DEEPBIND with RTLD_LAZY or RTLD_NOW, in the instruction that
 * puts it into the second argument's register. */
static void check_deepbind(const char *path, const struct image *image)
{
#if defined(__x86_64__)
    static const unsigned char calls[][5] = {{0xbe, 0x09, 1, 0, 0}, {0xbe, 0x0a, 1, 0, 0}};
#elif defined(__aarch64__)
    static const unsigned char calls[][4] = {{0x21, 0x21, 0x80, 0x52}, {0x41, 0x21, 0x80, 0x52}};
#endif
    if (strncmp(path_name(path), "php", 3) != 0 || is_set("SETTLE_DEEPBIND", "strip"))
        return;
    if (image_holds(image, calls[0], sizeof calls[0]) ||
        image_holds(image, calls[1], sizeof calls[1]))
        find(CANNOT, path,
             "cannot: this PHP loads its extensions with RTLD_DEEPBIND; with --deepbind strip it "
             "can");
}

/* Of CPython 3.N the N; -1 of everything else. */
static int python_of(const char *path, const struct image *image)
{
    static const char program[] = "python3.";
    static const char library[] = "libpython3.";
    const char *needed = image_header(image) == NULL ? NULL : image_needed(image, library);
    if (needed != NULL)
        return atoi(needed + sizeof library - 1);
    const char *name = path_name(path);
    return strncmp(name, program, sizeof program - 1) == 0 ? atoi(name + sizeof program - 1) : -1;
}

/* The module sqlite3 holds the interpreter's lock in sqlite3_close in 3.8 to 3.10; 2.7, 3.6,
 * and 3.11 and later let it go (measured). apsw, pysqlite3 and the core of Chroma 1.x hold it in
 * all. */
static void check_interpreter_lock(const char *path, const struct image *image)
{
    int minor = python_of(path, image);
    if (minor < 0 || is_set("SETTLE_TRIGGER", "use"))
        return;
    if (minor >= 8 && minor <= 10)
        find(CAN, path,
             "this Python's sqlite3, apsw, pysqlite3 and Chroma 1.x hold the GIL while a close "
             "waits, so all of the program's threads stand still; with --trigger use they do not");
    else
        find(CAN, path,
             "apsw, pysqlite3 and Chroma 1.x, where it uses them, hold the GIL while a close "
             "waits, so all of the program's threads stand still; with --trigger use they do not");
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
        if (realpath(path, real) == NULL || !image_open(real, &image)) {
            find(errno == ENOENT ? NOT_FOUND : UNKNOWN, path,
                 errno == 0 ? "no program: not a regular file, or empty" : strerror(errno));
            return;
        }
        bool script = interpreter_of(&image, next, sizeof next);
        if (!script) {
            check_rights(real);
            check_program(real, &image);
            check_deepbind(real, &image);
            check_interpreter_lock(real, &image);
        }
        image_close(&image);
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
    if (argc == 2 && word[0] != '-')
        return check_command(word);
    bool is_help = argc == 2 && (str_equal(word, "--help") || str_equal(word, "-h"));
    fputs("usage: settle-check [--] COMMAND, see 'settle --help'\n", is_help ? stdout : stderr);
    return is_help ? 0 : UNKNOWN;
}
