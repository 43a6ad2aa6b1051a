#include "host.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOREVER = 10000 };

/* The shell buffers what it prints to a pipe until the output's end, hence the .output. */
const struct host hosts[HOSTS] = {
    {"python3", {"/usr/bin/python3", "tests/e2e/programs/closer.py"}, NULL, "close"},
    {"Perl", {"/usr/bin/perl", "tests/e2e/programs/closer.pl"}, NULL, "close"},
    {"sqlite3",
     {"/usr/bin/sqlite3"},
     "create table if not exists t(a);\n"
     ".output /dev/stdout\n.print open\n.output stdout",
     ".open :memory:\n"
     ".output /dev/stdout\n.print closed\n.output stdout"},
};

const char ordinary_user[] = "64321";

const char *library_path(void)
{
    static char path[PATH_MAX];
    cr_assert_not_null(realpath("build/libsettle.so", path));
    return path;
}

const char *preload(const char *list, const char *library)
{
    static char variables[2][2 * PATH_MAX];
    static unsigned next;
    char *variable = variables[next++ % 2];
    const char *place = list == NULL ? NULL : strstr(list, "%s");
    if (place == NULL)
        snprintf(variable, sizeof variables[0], "LD_PRELOAD=%s", list == NULL ? library : list);
    else
        snprintf(variable, sizeof variables[0], "LD_PRELOAD=%.*s%s%s", (int)(place - list), list,
                 library, place + 2);
    return variable;
}

void open_world(void)
{
    cr_assert_eq(chmod(in_dir(".."), 0777), 0);
    cr_assert_eq(chmod(world.dir, 0777), 0);
    cr_assert_eq(chmod(world.primary, 0666), 0);
}

/* --- what a process says --- */

static void append(char *text, size_t size, const char *more, size_t length)
{
    size_t used = strlen(text);
    cr_assert_lt(used + length, size, "%.200s... is too much", text);
    memcpy(text + used, more, length);
    text[used + length] = '\0';
}

static void split_errors(const char *errors, struct result *r)
{
    while (*errors != '\0') {
        size_t length = strcspn(errors, "\n");
        length += errors[length] == '\n';
        if (strncmp(errors, "settle[", 7) == 0) {
            append(r->said, sizeof r->said, errors, length);
            r->lines++;
        } else {
            append(r->err, sizeof r->err, errors, length);
        }
        errors += length;
    }
}

struct result result_of(struct process *p)
{
    struct result r = {.out = ""};
    char line[512];
    close(p->in); /* some end with their input */
    p->in = -1;
    while (read_line(p, line, sizeof line))
        append(r.out, sizeof r.out, line, strlen(line));
    r.status = finish(p);
    split_errors(errors_of(p), &r);
    return r;
}

void expect_equal(const char *name, const struct result *plain, const struct result *shimmed)
{
    cr_expect_eq(plain->status, shimmed->status, "%s: exit %d without the library, %d with it: %s",
                 name, plain->status, shimmed->status, shimmed->said);
    cr_expect_str_eq(plain->out, shimmed->out, "%s: standard output", name);
    cr_expect_str_eq(plain->err, shimmed->err, "%s: standard error", name);
}

/* --- a run --- */

struct run {
    struct result result;
    uint64_t told;     /* when it was told to close */
    uint64_t closed;   /* when it said that it had; 0: never */
    uint64_t released; /* when the lock was released; 0: it was not */
    bool injected;     /* the fault took place */
};

static void add(const char **command, int *count, const char *const *words)
{
    for (; words != NULL && *words != NULL; words++) {
        cr_assert_lt(*count, ARGUMENTS);
        command[(*count)++] = *words;
    }
}

static struct process start(const struct host *host, const struct around *around,
                            const char *const *environment)
{
    const char *command[ARGUMENTS + 1];
    int count = 0;
    add(command, &count, around->wrapper);
    add(command, &count, environment);
    add(command, &count, host->command);
    add(command, &count, OPTIONS(around->store != NULL ? around->store : world.primary));
    command[count] = NULL;
    return spawn_plain(command);
}

/* A strace that is attached to the host and injects a fault into its system calls from now on. */
static struct process inject(const struct process *host, const char *fault)
{
    char option[128];
    snprintf(option, sizeof option, "inject=%s", fault);
    return attach_strace(host, OPTIONS("-f", "-e", option));
}

/* Reads up to the line that begins with a word, and returns when it came; 0 if the host ended. */
static uint64_t moment_of(struct process *p, const char *word, char *out, size_t size)
{
    char line[512];
    while (read_line(p, line, sizeof line)) {
        append(out, size, line, strlen(line));
        if (strncmp(line, word, strlen(word)) == 0)
            return now_ns();
    }
    return 0;
}

/* held: for how long somebody else has a lock on the store, in ms; 0: nobody has. */
static struct run run(const struct host *host, const struct around *around,
                      const char *const *environment, unsigned held)
{
    struct run r = {.closed = 0};
    char out[sizeof r.result.out] = "";
    struct process p = start(host, around, environment);
    struct process tracer = {.pid = 0};
    struct process holder = {.pid = 0};
    if (host->first != NULL)
        send_line(&p, host->first);
    cr_expect_neq(moment_of(&p, "open", out, sizeof out), 0, "%s: the store was not opened: %s",
                  host->name, errors_of(&p));
    if (around->inject != NULL)
        tracer = inject(&p, around->inject);
    if (held > 0)
        holder = hold("posix", world.primary, held);

    r.told = now_ns();
    dprintf(p.in, "%s\n", host->close);
    r.closed = moment_of(&p, "closed", out, sizeof out);

    if (holder.pid != 0 && held < FOREVER) {
        r.released = released_at(&holder);
    } else if (holder.pid != 0) {
        kill(holder.pid, SIGKILL);
        finish(&holder);
    }
    r.result = result_of(&p);
    append(out, sizeof out, r.result.out, strlen(r.result.out));
    memcpy(r.result.out, out, sizeof out);
    if (tracer.pid != 0) {
        finish(&tracer);
        r.injected = strstr(errors_of(&tracer), "(INJECTED)") != NULL;
    }
    return r;
}

/* --- what is expected of it --- */

static const uint64_t soon = 400 * (uint64_t)MS; /* room for a busy machine */
static const uint64_t fixed_delay = 95 * (uint64_t)MS;

static void expect_effect(const char *name, const struct run *r, enum effect effect)
{
    long long took = (long long)(r->closed - r->told) / MS;
    switch (effect) {
    case WAITS:
        cr_expect_geq(r->closed, r->released, "%s: closed after %lld ms, before the release", name,
                      took);
        cr_expect_lt(r->closed, r->released + PROMPTLY, "%s: closed after %lld ms", name, took);
        break;
    case DELAYS:
        cr_expect_geq(r->closed, r->told + fixed_delay, "%s: closed after %lld ms", name, took);
        cr_expect_lt(r->closed, r->told + fixed_delay + soon, "%s: closed after %lld ms", name,
                     took);
        break;
    case LIVES:
        break;
    case PASSES:
        cr_expect_lt(r->closed, r->told + soon, "%s: closed after %lld ms", name, took);
        break;
    }
}

static void expect_said(const char *name, const struct result *result, const char *said)
{
    if (said == NULL) {
        cr_expect_str_eq(result->said, "", "%s: %s", name, result->said);
        return;
    }
    cr_expect_eq(result->lines, 1, "%s: %u lines: %s", name, result->lines, result->said);
    cr_expect_not_null(strstr(result->said, said), "%s: no '%s' in: %s", name, said, result->said);
}

static void shell(const char *script)
{
    struct process p = PLAIN("sh", "-c", script, "sh", world.primary);
    cr_assert_eq(finish(&p), 0, "%s: %s", script, errors_of(&p));
}

void expect_same_result(const struct host *host, const struct around *around, enum effect effect,
                        const char *said)
{
    const char *others[] = {"env", around->preload == NULL ? NULL : preload(around->preload, ""),
                            NULL};
    shell("cp \"$1\" \"$1\"-before");
    struct run plain = run(host, around, around->preload == NULL ? NULL : others, 0);
    shell("cp \"$1\"-before \"$1\" && rm -f \"$1\"-?*");

    const char *environment[8] = {
        "env",
        preload(around->preload, around->library != NULL ? around->library : library_path())};
    int count = 2;
    if (effect == PASSES)
        environment[count++] = "SETTLE_FALLBACK_DELAY=1.5"; /* tells it from a fixed delay */
    add(environment, &count, around->settings);
    struct run shimmed =
        run(host, around, environment, effect == WAITS || effect == LIVES ? 300 : FOREVER);

    if (around->inject != NULL)
        cr_expect(shimmed.injected, "%s: nothing to inject %s into", host->name, around->inject);
    expect_equal(host->name, &plain.result, &shimmed.result);
    if (shimmed.closed != 0)
        expect_effect(host->name, &shimmed, effect);
    else
        cr_expect_eq(plain.closed, 0, "%s: closes only without the library", host->name);
    if (effect == LIVES)
        cr_expect_leq(shimmed.result.lines, 1, "%s: %s", host->name, shimmed.result.said);
    else
        expect_said(host->name, &shimmed.result, said);
}
