/* settle-wait: waits for stores or files from outside. */
#include "base/clock.h"
#include "base/sys.h"
#include "commands/attend.h"
#include "commands/copy.h"
#include "commands/copy_source.h"
#include "commands/print.h"
#include "commands/wait_options.h"
#include "config/rules.h"

#include <signal.h>
#include <stdio.h>

static void locate(const struct wait_options *o, struct target *t, const char *path, uint64_t began)
{
    target_locate(t, path);
    target_obey(t, &o->settings, rules_get(rules_find(t->request.path)), began);
    if (o->level_fixed)
        t->request.until = (enum until)o->settings.until;
    if (o->copy.to != NULL && t->request.until == UNTIL_UNLOCKED && !o->until_given)
        t->waits = t->located && !copy_source_is_sqlite(t);
}

/* One look at each; true if that says all. */
static bool look(struct target *targets, unsigned n, uint64_t began)
{
    bool all = true;
    for (unsigned i = 0; i < n; i++) {
        if (!targets[i].waits)
            continue;
        target_wait(&targets[i], began);
        all &= targets[i].status == STATUS_SETTLED;
    }
    return all;
}

static void list_holders(struct target *t)
{
    target_name_holders(t);
    if (t->holders.count > 0)
        t->status = STATUS_HELD;
}

static enum status worst_of(const struct target *targets, unsigned n)
{
    enum status worst = STATUS_SETTLED;
    for (unsigned i = 0; i < n; i++)
        if (targets[i].status > worst)
            worst = targets[i].status;
    return worst;
}

/* What comes after the wait. */
static void finish(const struct wait_options *o, struct target *targets, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (targets[i].located)
            target_look_beside(&targets[i]);
        if (targets[i].located && o->checkpoint)
            target_checkpoint(&targets[i]);
        targets[i].not_sqlite &= !o->environment; /* a command's files are what they are */
    }
    if (o->copy.to != NULL && worst_of(targets, n) == STATUS_SETTLED)
        copy_stores(targets, n, &o->copy);
    for (unsigned i = 0; i < n; i++) {
        if (targets[i].located && o->list)
            list_holders(&targets[i]);
        else if (targets[i].status == STATUS_HELD && targets[i].reason[0] == '\0')
            target_name_holders(&targets[i]);
    }
}

/* Where the file lies on another host, that is said once. */
static void say_remote(const struct target *targets, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (targets[i].result.remote && targets[i].request.until != UNTIL_UNLOCKED) {
            fprintf(stderr,
                    "settle-wait: %s: on a file system of another host, where only this host's "
                    "opens are seen\n",
                    targets[i].given);
            return;
        }
}

static void report(const struct wait_options *o, const struct target *targets, unsigned n,
                   enum status status, uint64_t elapsed)
{
    if (o->json) {
        print_json(targets, n, status, elapsed);
        return;
    }
    if (o->list)
        print_table(targets, n);
    for (unsigned i = 0; i < n && !o->list; i++)
        print_sentences(&targets[i]);
    say_remote(targets, n);
}

int main(int argc, char **argv)
{
    static struct wait_options options;
    enum status status;
    const int first = wait_options_read(&options, argc, argv, &status);
    if (first == 0)
        return (int)status;

    const uint64_t began = clock_now();
    const unsigned n = (unsigned)(argc - first);
    struct target *targets = targets_new(n);
    if (targets == NULL) {
        fputs("settle-wait: no memory\n", stderr);
        return STATUS_UNEXAMINED;
    }
    for (unsigned i = 0; i < n; i++)
        locate(&options, &targets[i], argv[first + (int)i], began);

    sigset_t lease_breaks; /* probe.h */
    sigemptyset(&lease_breaks);
    sigaddset(&lease_breaks, SIGIO);
    sigprocmask(SIG_BLOCK, &lease_breaks, NULL);
    if (!look(targets, n, began) && !options.list)
        attend(targets, n);
    finish(&options, targets, n);
    status = worst_of(targets, n);
    report(&options, targets, n, status, clock_now() - began);
    return (int)status;
}
