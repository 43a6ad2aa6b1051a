/* Real containers that share a volume: one closes its store while another holds it.
 * tests/containers/run makes the roots, and tests/containers/container starts the containers. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USER = 1000 };

#define STORE   "/data/chroma.sqlite3"
#define INSIDE  "/opt/settle"
#define LIBRARY INSIDE "/lib/settle/libsettle.so"

static const uint64_t soon = 2000 * (uint64_t)MS;

/* --- what runs, and where --- */

#define PYTHON                                                                                     \
    .closer = {"/usr/bin/python3", "/test/closer.py", STORE},                                      \
    .stopped = {"/usr/bin/python3", "/test/stopped.py"}, .status = 0
#define PLAIN_C                                                                                    \
    .closer = {"/test/plain-musl", "close", STORE}, .stopped = {"/test/stopped"}, .status = 7

/* A row: a root in $CONTAINER_ROOTS, what closes a store at a line of input and ends with a status,
 * what is stopped, and whether there is a shell. */
static const struct image {
    const char *root;
    const char *closer[4];
    const char *stopped[3];
    int status;
    bool shell;
} images[] = {
    {"bullseye-python", PYTHON, .shell = true}, {"bookworm-python", PYTHON, .shell = true},
    {"trixie-python", PYTHON, .shell = true},   {"busybox", PLAIN_C, .shell = true},
    {"bare", PLAIN_C, .shell = false},
};
enum { IMAGES = sizeof images / sizeof images[0], BOOKWORM = 1, BARE = 4 };

/* What facts.c finds under each condition. */
static const struct condition {
    const char *name;
    const char *facts;
} conditions[] = {
    {"docker", "facts pid=1 uid=0 capabilities=yes no_new_privs=0 filtered=yes root_writable=yes "
               "proc=yes proc_sys=yes\n"},
    {"hardened", "facts pid=1 uid=1000 capabilities=no no_new_privs=1 filtered=yes "
                 "root_writable=no proc=yes proc_sys=yes\n"},
    {"no-proc-sys", "facts pid=1 uid=1000 capabilities=no no_new_privs=1 filtered=yes "
                    "root_writable=no proc=yes proc_sys=no\n"},
    {"no-proc", "facts pid=1 uid=0 capabilities=yes no_new_privs=0 filtered=yes root_writable=yes "
                "proc=no proc_sys=no\n"},
};
enum { CONDITIONS = sizeof conditions / sizeof conditions[0], HARDENED = 1 };

/* --- containers --- */

struct container {
    char name[32];
    struct process process;
};

static const char *inside(const char *directory, const char *name)
{
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *out = paths[next++ % 4];
    cr_assert_lt(snprintf(out, PATH_MAX, "%s/%s", directory, name), PATH_MAX);
    return out;
}

static void volume_begin(void)
{
    world_begin();
    cr_assert_eq(chown(world.dir, USER, USER), 0);
    cr_assert_eq(chown(world.primary, USER, USER), 0);
}

static const char *option(const char *name, const char *value, const char *end)
{
    static char options[16][2 * PATH_MAX];
    static unsigned next;
    char *out = options[next++ % 16];
    cr_assert_lt(snprintf(out, 2 * PATH_MAX, "%s%s%s", name, value, end), 2 * PATH_MAX);
    return out;
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* How settle comes to a program: whether it is mounted, options of tests/containers/container, and
 * what stands before the command. */
struct way {
    bool mounted;
    const char *options[5];
    const char *entrypoint;
};
static const struct way without = {.mounted = false};
static const struct way by_preload = {
    true, {"--env=LD_PRELOAD=" LIBRARY, "--env=SETTLE_LOG=info", "--env=SETTLE_MAX_WAIT=5"}, NULL};
static const struct way by_preload_briefly = {
    true, {"--env=LD_PRELOAD=" LIBRARY, "--env=SETTLE_MAX_WAIT=200ms"}, NULL};
static const struct way by_entrypoint = {
    true, {"--env=SETTLE_LOG=info", "--env=SETTLE_MAX_WAIT=5"}, INSIDE "/bin/settle-entrypoint"};
static const struct way by_entrypoint_after = {
    true, {"--env=SETTLE_AFTER=1", "--env=SETTLE_MAX_WAIT=5"}, INSIDE "/bin/settle-entrypoint"};
static const struct way by_injection = {
    false, {"--inject=--env=SETTLE_LOG=info", "--inject=--env=SETTLE_MAX_WAIT=5"}, NULL};
static const struct way by_injection_with_entrypoint = {
    false,
    {"--inject=--entrypoint", "--inject=--env=SETTLE_LOG=info", "--inject=--env=SETTLE_MAX_WAIT=5"},
    NULL};
static const struct way by_settle_wait = {true, {NULL}, INSIDE "/bin/settle-wait"};

/* The facts are checked here, of the very process that becomes the command. */
static struct container start(const struct image *image, const struct condition *condition,
                              const struct way *way, const char *const *command)
{
    static unsigned number;
    const char *all[ARGUMENTS + 1] = {"tests/containers/container"};
    int count = 1;
    struct container c;
    const char *tools = getenv("CONTAINER_TOOLS");
    snprintf(c.name, sizeof c.name, "settle-%d-%u", (int)getpid(), number++);
    all[count++] = option("--name=", c.name, "");
    all[count++] = option("--facts=", inside(tools, "test/facts"), "");
    all[count++] = option("--mount=", inside(tools, "test"), ":/test:ro");
    all[count++] = option("--mount=", world.dir, ":/data");
    if (way->mounted)
        all[count++] = option("--mount=", inside(tools, "settle"), ":" INSIDE ":ro");
    for (const char *const *o = way->options; *o != NULL; o++)
        all[count++] = *o;
    all[count++] = inside(world.dir, option("../", c.name, ""));
    all[count++] = inside(getenv("CONTAINER_ROOTS"), image->root);
    all[count++] = condition->name;
    if (way->entrypoint != NULL)
        all[count++] = way->entrypoint;
    for (; *command != NULL; command++)
        all[count++] = *command;
    cr_assert_leq(count, ARGUMENTS);
    c.process = spawn_plain(all);
    char line[512] = "";
    cr_assert(read_line(&c.process, line, sizeof line), "%s does not start: %s", image->root,
              errors_of(&c.process));
    cr_assert_str_eq(line, condition->facts, "%s", image->root);
    return c;
}

/* Another container, of another image, that holds a lock on the store (ms: as holder.c says). */
static struct container start_holder(const struct image *image, const char *ms)
{
    const struct image *other = &images[(image - images + 1) % IMAGES];
    struct container c =
        start(other, &conditions[HARDENED], &without, LIST("/test/holder", "posix", STORE, ms));
    await_line(&c.process, "held");
    return c;
}

static void stop(const struct container *c, const char *name)
{
    char command[256];
    snprintf(command, sizeof command, "%s kill %s %s", getenv("RUNC"), c->name, name);
    cr_assert_eq(system(command), 0, "%s", command);
}

/* Its first process, as this system counts. */
static pid_t first_process_of(const struct container *c)
{
    char command[256];
    int pid = 0;
    snprintf(command, sizeof command, "%s state %s | jq .pid", getenv("RUNC"), c->name);
    FILE *answer = popen(command, "r");
    cr_assert_eq(fscanf(answer, "%d", &pid), 1, "%s", command);
    pclose(answer);
    return pid;
}

/* The program that a process is, as it was called. */
static const char *program_of(pid_t pid)
{
    static char text[256];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void expect_said(const struct process *p, const char *what, const char *image)
{
    cr_expect_not_null(strstr(errors_of(p), what), "%s: no '%s' in: %s", image, what, errors_of(p));
}

/* The table that tests/containers/run prints. */
static void add_ran(const struct image *image, const char *what)
{
    FILE *ran = fopen(getenv("CONTAINER_RAN"), "a");
    cr_assert_not_null(ran);
    fprintf(ran, "%s\t%s\n", image->root, what);
    fclose(ran);
}

/* --- closes --- */

/* By number: a parameter is copied to a process in which nothing lies where it lay here. */
struct place {
    int image;
    int condition;
};

static struct place places[IMAGES * CONDITIONS];

static struct criterion_test_params every_place(void)
{
    for (int i = 0; i < IMAGES * CONDITIONS; i++)
        places[i] = (struct place){i / CONDITIONS, i % CONDITIONS};
    return cr_make_param_array(struct place, places, IMAGES * CONDITIONS);
}

static void expect_close_waits(const struct image *image, const struct condition *condition,
                               const struct way *way)
{
    struct container c = start(image, condition, way, image->closer);
    await_line(&c.process, "open");
    cr_expect_str_eq(program_of(first_process_of(&c)), image->closer[0]);
    struct container holder = start_holder(image, "+400");
    send_line(&c.process, "close");
    uint64_t closed = await_line(&c.process, "closed");
    uint64_t released = released_at(&holder.process);
    cr_expect_geq(closed, released, "%s, %s: closed before the release", image->root,
                  condition->name);
    cr_expect_lt(closed, released + soon, "%s, %s: closed %llu ms after the release", image->root,
                 condition->name, (unsigned long long)(closed - released) / MS);
    cr_expect_eq(finish(&c.process), image->status, "%s", errors_of(&c.process));
    expect_said(&c.process, "File unlocked after polling: " STORE, image->root);
    cr_expect_null(strstr(errors_of(&c.process), "warning"), "%s", errors_of(&c.process));
    cr_expect_null(strstr(errors_of(&c.process), "ERROR"), "%s", errors_of(&c.process));
}

ParameterizedTestParameters(containers, a_close_waits_until_another_container_lets_go)
{
    return every_place();
}

ParameterizedTest(struct place *place, containers, a_close_waits_until_another_container_lets_go,
                  .init = volume_begin, .fini = world_end, .timeout = 60)
{
    expect_close_waits(&images[place->image], &conditions[place->condition], &by_preload);
    add_ran(&images[place->image], option("close waits: ", conditions[place->condition].name, ""));
}

TestSuite(containers, .init = volume_begin, .fini = world_end, .timeout = 120);

#define ELSEWHERE "held by POSIX write lock of a process in another container or on the host"

Test(containers, a_close_that_times_out_says_that_the_holder_is_in_another_container)
{
    for (const struct image *image = images; image < images + IMAGES; image++) {
        struct container c =
            start(image, &conditions[HARDENED], &by_preload_briefly, image->closer);
        await_line(&c.process, "open");
        struct container holder = start_holder(image, "20000");
        send_line(&c.process, "close");
        await_line(&c.process, "closed");
        cr_expect_eq(finish(&c.process), image->status);
        expect_said(&c.process, "warning: " STORE ": still locked after ", image->root);
        expect_said(&c.process, ELSEWHERE, image->root);
        stop(&holder, "KILL");
        cr_expect_eq(finish(&holder.process), 128 + SIGKILL);
        add_ran(image, "warning names another container");
    }
}

/* Under a filter the helper of a wait is a process, and nobody but the first process could reap it.
 */
Test(containers, a_wait_leaves_the_first_process_no_child)
{
    char children[16];
    const struct image *image = &images[BOOKWORM];
    struct container c = start(image, &conditions[HARDENED], &by_preload,
                               LIST("/usr/bin/python3", "-c",
                                    "import os, sys\n"
                                    "fd = os.open('" STORE "', os.O_RDWR)\n"
                                    "print('open', flush=True)\n"
                                    "sys.stdin.readline()\n"
                                    "os.close(fd)\n"
                                    "print('closed', flush=True)\n"
                                    "sys.stdin.readline()\n"));
    await_line(&c.process, "open");
    struct container holder = start_holder(image, "+100");
    send_line(&c.process, "close");
    await_line(&c.process, "closed");
    snprintf(children, sizeof children, "%d", (int)first_process_of(&c));
    struct process list = PLAIN("ps", "--ppid", children);
    cr_expect_eq(finish(&list), 1, "it has children");
    released_at(&holder.process);
    cr_expect_eq(finish(&c.process), 0);
    expect_said(&c.process, "File unlocked after polling", image->root);
}

/* --- stopped by SIGTERM --- */

static struct container start_stopped(const struct image *image, const struct way *way,
                                      const char *how)
{
    const char *command[5] = {NULL};
    int count = 0;
    for (const char *const *word = image->stopped; *word != NULL; word++)
        command[count++] = *word;
    command[count++] = how;
    command[count] = STORE;
    struct container c = start(image, &conditions[HARDENED], way, command);
    await_line(&c.process, "open");
    return c;
}

static bool lives(const struct container *c)
{
    return waitpid(c->process.pid, NULL, WNOHANG) == 0;
}

/* The kernel drops a signal that the first process of a pid namespace has no handler for. */
Test(containers, sigterm_is_to_the_first_process_what_it_is_without_the_shim)
{
    for (const struct image *image = images; image < images + IMAGES; image++) {
        const struct way *const ways[] = {&without, &by_preload};
        for (int i = 0; i < 2; i++) {
            struct container c = start_stopped(image, ways[i], "none");
            stop(&c, "TERM");
            sleep_ms(200);
            cr_expect(lives(&c), "%s, %d: SIGTERM ended it", image->root, i);
            stop(&c, "KILL");
            cr_expect_eq(finish(&c.process), 128 + SIGKILL);
            c = start_stopped(image, ways[i], "closes");
            stop(&c, "TERM");
            cr_expect_eq(finish(&c.process), 7, "%s, %d", image->root, i);
        }
        add_ran(image, "SIGTERM to pid 1");
    }
}

static void expect_end_after_release(struct container *c, const struct image *image, int status)
{
    struct container holder = start_holder(image, "+400");
    stop(c, "TERM");
    cr_expect_eq(finish(&c->process), status, "%s: %s", image->root, errors_of(&c->process));
    uint64_t ended = now_ns();
    uint64_t released = released_at(&holder.process);
    cr_expect_geq(ended, released, "%s ended before the release", image->root);
    cr_expect_lt(ended, released + soon, "%s ended %llu ms after the release", image->root,
                 (unsigned long long)(ended - released) / MS);
}

Test(containers, a_handler_of_sigterm_that_closes_the_store_keeps_the_container_until_the_release)
{
    for (const struct image *image = images; image < images + IMAGES; image++) {
        struct container c = start_stopped(image, &by_preload, "closes");
        expect_end_after_release(&c, image, 7);
        expect_said(&c.process, "File unlocked after polling: " STORE, image->root);
        add_ran(image, "SIGTERM closes and waits");
    }
}

/* --- the entrypoint --- */

ParameterizedTestParameters(containers, behind_the_entrypoint_a_close_waits_too)
{
    return every_place();
}

ParameterizedTest(struct place *place, containers, behind_the_entrypoint_a_close_waits_too,
                  .init = volume_begin, .fini = world_end, .timeout = 60)
{
    if (!images[place->image].shell)
        return;
    expect_close_waits(&images[place->image], &conditions[place->condition], &by_entrypoint);
    add_ran(&images[place->image],
            option("settle-entrypoint: ", conditions[place->condition].name, ""));
}

Test(containers, with_settle_after_a_container_stopped_without_a_close_ends_with_a_settled_store)
{
    for (const struct image *image = images; image < images + IMAGES; image++) {
        if (!image->shell)
            continue;
        struct container c = start_stopped(image, &by_entrypoint_after, "none");
        expect_end_after_release(&c, image, 128 + SIGTERM);
        add_ran(image, "SETTLE_AFTER=1");
    }
}

/* --- without another image --- */

Test(containers, in_a_bundle_that_settle_inject_has_changed_a_close_waits)
{
    for (const struct image *image = images; image < images + IMAGES; image++) {
        expect_close_waits(image, &conditions[HARDENED], &by_injection);
        if (image->shell)
            expect_close_waits(image, &conditions[HARDENED], &by_injection_with_entrypoint);
        add_ran(image, "settle-inject");
    }
}

/* --- without a shell --- */

Test(containers, a_static_settle_wait_needs_nothing_of_the_image)
{
    const struct image *image = &images[BARE];
    const char *const command[] = {"--max-wait", "100ms", "/data", NULL};
    struct container holder = start_holder(image, "20000");
    struct container c = start(image, &conditions[HARDENED], &by_settle_wait, command);
    cr_expect_eq(finish(&c.process), 1);
    expect_said(&c.process, ELSEWHERE, image->root);
    stop(&holder, "KILL");
    finish(&holder.process);
    c = start(image, &conditions[HARDENED], &by_settle_wait, command);
    cr_expect_eq(finish(&c.process), 0, "%s", errors_of(&c.process));
    add_ran(image, "static settle-wait");
}
