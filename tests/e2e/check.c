/* settle --check: whether a command can run under the library, and why not. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(check, .init = world_begin, .fini = world_end, .timeout = 60);

/* Expects the exit status, and a line with both of the words. */
static void expect_check(const char *command, int status, const char *subject, const char *finding)
{
    char line[2 * PATH_MAX] = "";
    char all[4 * PATH_MAX] = "";
    bool found = false;
    struct process p = PLAIN("scripts/settle", "--check", "--", command);
    while (fgets(line, sizeof line, p.out) != NULL) {
        found |= strstr(line, subject) != NULL && strstr(line, finding) != NULL;
        strncat(all, line, sizeof all - strlen(all) - 1);
    }
    cr_expect_eq(finish(&p), status, "%s: %s", command, all);
    cr_expect(found, "no line with '%s' and '%s' in: %s", subject, finding, all);
}

static void shell(const char *script)
{
    struct process p = PLAIN("sh", "-c", script, "sh", world.dir);
    cr_assert_eq(finish(&p), 0, "%s: %s", script, errors_of(&p));
}

Test(check, a_dynamic_program_can)
{
    expect_check("/usr/bin/python3", 0, "/usr/bin/python3", "dynamically linked, /lib");
    expect_check("sh", 0, "sh", "can run under settle");
}

Test(check, a_script_is_followed_to_its_program)
{
    shell("cd \"$1\"; printf '#!/usr/bin/env -S perl -w\\n' > by-env; "
          "printf '#!%s/by-env\\n' \"$1\" > twice; chmod +x by-env twice");
    expect_check(in_dir("by-env"), 0, "by-env: a script of", "/perl");
    expect_check(in_dir("twice"), 0, "twice: a script of", "by-env");
}

/* An empty entry of PATH is the working directory, the last one as well. */
Test(check, a_command_is_looked_for_as_execvp_does)
{
    static const char *const lists[] = {"/nonexistent:", ":/nonexistent", "", "."};
    shell("cd \"$1\"; cp /bin/true ours");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        struct process p = PLAIN(
            "sh", "-c", "check=$PWD/build/settle-check; cd \"$1\" && PATH=$2 && \"$check\" ours",
            "sh", world.dir, lists[i]);
        cr_expect_eq(finish(&p), 0, "PATH='%s'", lists[i]);
    }
}

Test(check, a_static_program_cannot)
{
    shell("echo 'int main(void) { return 0; }' | cc -static -x c -o \"$1/static\" -");
    expect_check(in_dir("static"), 1, "static", "with --supervise each of its closes waits");
    expect_check(in_dir("static"), 1, "static", "--after PATH waits for the store at PATH");
    expect_check(in_dir("static"), 1, "static", "runs as if settle were absent");
    shell("echo 'int main(void) { return 0; }' | cc -static-pie -x c -o \"$1/static-pie\" -");
    expect_check(in_dir("static-pie"), 1, "static-pie", "statically linked");
}

Test(check, a_go_program_cannot)
{
    shell("echo 'int main(void) { return 0; }' | cc -x c -o \"$1/c\" - && "
          "objcopy --add-section .note.go.buildid=/dev/null \"$1/c\" \"$1/go\"");
    expect_check(in_dir("c"), 0, "c", "dynamically linked");
    expect_check(in_dir("go"), 1, "go", "a Go program");
    expect_check(in_dir("go"), 1, "go", "with --supervise each of its closes waits");
    expect_check(in_dir("go"), 1, "go", "--after PATH waits for the store at PATH");
}

/* SQLite compiled into one is such a part. */
Test(check, a_go_program_with_c_parts_that_close_files_can)
{
    shell("echo 'int close(int); int main(void) { return close(9) == 0; }' | cc -x c -o \"$1/c\" - "
          "&& "
          "objcopy --add-section .note.go.buildid=/dev/null \"$1/c\" \"$1/cgo\"");
    expect_check(in_dir("cgo"), 0, "cgo", "can, as far as its C parts go (cgo)");
}

static bool has_command(const char *name)
{
    struct process p = PLAIN("sh", "-c", "command -v \"$1\"", "sh", name);
    return finish(&p) == 0;
}

/* Each with the runtime as a library of its own, which insists on coming first. */
static const char *const sanitizing[] = {
    "gcc -fsanitize=address",
    "clang -fsanitize=address -shared-libasan -Wl,-rpath,$(dirname $(clang "
    "-print-file-name=libclang_rt.asan-x86_64.so))",
};

/* Each with its runtime linked in, or in a library; of memory at addresses that it can do with. */
static const char *const thread_sanitizing[] = {"gcc -pthread -fsanitize=thread",
                                                "clang -pthread -fsanitize=thread"};

static bool build_sanitized(const char *compiler, const char *source)
{
    char script[1024];
    if (strncmp(compiler, "clang", 5) == 0 && !has_command("clang")) {
        cr_log_warn("SKIPPED: no clang, whose sanitizers are others");
        return false;
    }
    snprintf(script, sizeof script, "echo '%s' | %s -x c -o \"$1/asan\" -", source, compiler);
    shell(script);
    return true;
}

#define CLOSES                                                                                     \
    "#include <fcntl.h>\n#include <unistd.h>\n"                                                    \
    "int main(int c, char **v) { return c > 1 && close(open(v[1], O_RDWR)); }\n"

Test(check, a_program_with_address_sanitizer_starts_and_its_closes_wait)
{
    for (size_t i = 0; i < sizeof sanitizing / sizeof sanitizing[0]; i++) {
        if (!build_sanitized(sanitizing[i], CLOSES))
            continue;
        expect_check(in_dir("asan"), 0, "asan", "with AddressSanitizer, which settle asks not to");
        struct process holder = hold("posix", world.primary, 300);
        struct process p = SHIMMED(in_dir("asan"), world.primary);
        cr_expect_eq(finish(&p), 0, "%s: %s", sanitizing[i], errors_of(&p));
        cr_expect_eq(log_count("File unlocked after polling"), i + 1, "%s", sanitizing[i]);
        released_at(&holder);
    }
}

#define CLOSES_IN_THREADS                                                                          \
    "#include <fcntl.h>\n#include <pthread.h>\n#include <unistd.h>\n"                              \
    "static void *run(void *path) { for (int i = 0; i < 100; i++) close(open(path, O_RDWR)); "     \
    "return 0; }\n"                                                                                \
    "int main(int c, char **v) { pthread_t t[4];\n"                                                \
    "for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, run, v[1]);\n"                           \
    "for (int i = 0; i < 4; i++) pthread_join(t[i], 0);\n"                                         \
    "return c != 2; }\n"

/* What a sanitizer takes the place of, this library does not call. */
Test(check, a_program_with_thread_sanitizer_is_told_of_no_race_of_ours)
{
    for (size_t i = 0; i < sizeof thread_sanitizing / sizeof thread_sanitizing[0]; i++) {
        if (!build_sanitized(thread_sanitizing[i], CLOSES_IN_THREADS))
            continue;
        struct process p = SHIMMED("setarch", "-R", in_dir("asan"), world.primary);
        cr_expect_eq(finish(&p), 0, "%s: %s", thread_sanitizing[i], errors_of(&p));
        cr_expect_gt(log_count("opened as primary"), 0, "%s", thread_sanitizing[i]);
    }
}

#define CHOOSES "const char *__asan_default_options(void) { return \"\"; }\n" CLOSES

/* Whoever has answered the runtime's question has to say what we would. */
Test(check, of_one_that_sets_the_sanitizers_options_says_what_to_do)
{
    for (size_t i = 0; i < sizeof sanitizing / sizeof sanitizing[0]; i++) {
        if (!build_sanitized(sanitizing[i], CHOOSES))
            continue;
        expect_check(in_dir("asan"), 1, "asan", "ASAN_OPTIONS=verify_asan_link_order=0");
        struct process p = SHIMMED(in_dir("asan"), world.primary);
        cr_expect_neq(finish(&p), 0, "%s", sanitizing[i]);
        setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
        expect_check(in_dir("asan"), 0, "asan", "can run under settle");
        p = SHIMMED(in_dir("asan"), world.primary);
        cr_expect_eq(finish(&p), 0, "%s: %s", sanitizing[i], errors_of(&p));
        unsetenv("ASAN_OPTIONS");
    }
}

Test(check, of_a_python_says_when_all_its_threads_wait)
{
    shell("cd \"$1\"; cp /bin/true python3.9; cp /bin/true python3.11");
    expect_check(in_dir("python3.9"), 0, "python3.9", "this Python's sqlite3, apsw, pysqlite3");
    expect_check(in_dir("python3.9"), 0, "python3.9", "with --trigger use they do not");
    expect_check(in_dir("python3.11"), 0, "python3.11", "apsw, pysqlite3 and Chroma 1.x, where");
    setenv("SETTLE_TRIGGER", "use", 1);
    struct process p = PLAIN("scripts/settle", "--check", "--", in_dir("python3.9"));
    char line[1024];
    while (read_line(&p, line, sizeof line))
        cr_expect_null(strstr(line, "GIL"), "%s", line);
    cr_expect_eq(finish(&p), 0);
    unsetenv("SETTLE_TRIGGER");
}

Test(check, a_program_that_gains_rights_cannot)
{
    if (geteuid() != 0) {
        cr_log_warn("SKIPPED: set-user-ID programs of others need root");
        return;
    }
    shell("cp /bin/true \"$1/uid\"; chown 65534 \"$1/uid\"; chmod 4755 \"$1/uid\"; "
          "cp /bin/true \"$1/gid\"; chgrp 65534 \"$1/gid\"; chmod 2755 \"$1/gid\"");
    expect_check(in_dir("uid"), 1, "uid", "set-user-ID");
    expect_check(in_dir("uid"), 1, "uid", "--after PATH waits for the store at PATH");
    expect_check(in_dir("gid"), 1, "gid", "set-group-ID");
}

Test(check, a_program_of_another_architecture_cannot)
{
    char path[PATH_MAX];
    static const struct {
        unsigned char class;
        Elf64_Half machine;
    } others[] = {{ELFCLASS64, EM_RISCV}, {ELFCLASS32, EM_386}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        Elf64_Ehdr header = {.e_machine = others[i].machine};
        memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = others[i].class;
        snprintf(path, sizeof path, "%s", in_dir("foreign"));
        FILE *file = fopen(path, "w");
        cr_assert(file != NULL && fwrite(&header, sizeof header, 1, file) == 1);
        fclose(file);
        chmod(path, 0755);
        expect_check(path, 1, "foreign", "another architecture");
    }
}

/* Upstream's PHP does, and Debian's before 8.4. */
static bool php_binds_deep(void)
{
    return system("LC_ALL=C grep -qaP '\\xbe[\\x09\\x0a]\\x01\\x00\\x00' /usr/bin/php") == 0;
}

Test(check, php_can_once_deepbind_is_stripped)
{
    if (!php_binds_deep()) {
        expect_check("/usr/bin/php", 0, "/usr/bin/php", "can run under settle");
        return;
    }
    expect_check("/usr/bin/php", 1, "/usr/bin/php", "RTLD_DEEPBIND");
    setenv("SETTLE_DEEPBIND", "strip", 1);
    expect_check("/usr/bin/php", 0, "/usr/bin/php", "can run under settle");
    unsetenv("SETTLE_DEEPBIND");
}

/* As Debian builds PHP since 8.4: the flag is not in the call of dlopen. */
Test(check, a_php_that_binds_its_extensions_as_others_do_can)
{
    shell("/usr/bin/python3 -c '\n"
          "import sys\n"
          "image = open(\"/usr/bin/php\", \"rb\").read()\n"
          "for mode in 1, 2:\n"
          "    image = image.replace(bytes([0xbe, 8 + mode, 1, 0, 0]), bytes([0xbe, mode, 1, 0, "
          "0]))\n"
          "open(sys.argv[1] + \"/php\", \"wb\").write(image)' \"$1\"; chmod +x \"$1/php\"");
    expect_check(in_dir("php"), 0, "php", "can run under settle");
}

Test(check, help_is_help_in_what_the_launcher_calls_too)
{
    static const char *const programs[] = {"settle-check", "settle-run", "settle-supervise"};
    static const char *const options[] = {"--help", "-h"};
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
        for (size_t j = 0; j < sizeof options / sizeof options[0]; j++) {
            char program[64], said[64];
            snprintf(program, sizeof program, "build/%s", programs[i]);
            snprintf(said, sizeof said, "usage: %s", programs[i]);
            struct process p = PLAIN(program, options[j]);
            await_line(&p, said);
            cr_expect_eq(finish(&p), 0, "%s %s", programs[i], options[j]);
        }
}

Test(check, an_option_is_no_program)
{
    struct process p = PLAIN("build/settle-check", "--soon");
    cr_expect_eq(finish(&p), 125);
    cr_expect_not_null(strstr(errors_of(&p), "usage: settle-check"), "%s", errors_of(&p));
}

Test(check, what_is_no_program_is_said)
{
    shell("cd \"$1\"; echo text > text; chmod +x text; : > empty; chmod +x empty; "
          "printf '\\177ELF' > cut; chmod +x cut; printf '#!' > hash; chmod +x hash; "
          "printf '#!%s/loop\\n' \"$1\" > loop; chmod +x loop");
    expect_check(in_dir("text"), 125, "text", "neither an ELF program nor a script");
    expect_check(in_dir("empty"), 125, "empty", "no program: not a regular file, or empty");
    expect_check(in_dir("cut"), 125, "cut", "neither an ELF program nor a script");
    expect_check(in_dir("hash"), 125, "hash", "neither an ELF program nor a script");
    expect_check(in_dir("loop"), 125, "loop", "too deep");
    expect_check("/nonexistent", 127, "/nonexistent", "no such command");
    expect_check("/", 125, "/", "not a regular file");
}

/* Programs cut at any length, and with any byte changed: an answer, and no crash. */
Test(check, damaged_programs_are_told_apart_from_crashes)
{
    struct process p =
        PLAIN("/usr/bin/python3", "-c",
              "import os, random, subprocess, sys\n"
              "random.seed(4711)\n"
              "path = sys.argv[1] + '/damaged'\n"
              "whole = open('/bin/true', 'rb').read()\n"
              "for i in range(150):\n"
              "    image = bytearray(whole)\n"
              "    for _ in range(random.randrange(1, 6)):\n"
              "        image[random.randrange(64 if i % 2 else 1024)] = random.randrange(256)\n"
              "    if i % 3 == 0:\n"
              "        del image[random.randrange(len(image)):]\n"
              "    open(path, 'wb').write(image)\n"
              "    os.chmod(path, 0o755)\n"
              "    code = subprocess.run(['build/settle-check', path], "
              "stdout=subprocess.DEVNULL).returncode\n"
              "    assert code in (0, 1, 125), (i, code)\n",
              world.dir);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}
