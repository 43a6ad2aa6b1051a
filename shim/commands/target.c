#include "commands/target.h"

#include "base/clock.h"
#include "base/sys.h"
#include "commands/checkpoint.h"
#include "commands/database.h"
#include "wait/locate.h"
#include "wait/wal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* More than any store has; what is beyond is counted. */
enum { HOLDERS_ROOM = 4096 };

/* A person asked, so there is time; what ends it is a machine with very many processes. */
static const uint64_t naming_limit = 5000000000u;

struct target *targets_new(unsigned n)
{
    void *memory = mmap(NULL, n * sizeof(struct target), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

struct text target_why(struct target *t)
{
    return text_in(t->reason, sizeof t->reason);
}

bool target_fails(struct target *t, enum status status)
{
    t->status = status;
    return false;
}

static void fail(struct target *t, const char *reason)
{
    t->status = STATUS_UNEXAMINED;
    str_copy(t->reason, sizeof t->reason, reason);
}

static void say_no_primary(struct target *t)
{
    struct text why = target_why(t);
    t->status = STATUS_UNEXAMINED;
    text_str(&why, "no store is recognised in this directory; expected");
    const size_t before = why.length;
    for (int i = 0; i < profile_count; i++) {
        const struct profile *p = &profiles[i];
        if (p->primary[0] == '\0')
            continue;
        text_str(&why, why.length == before ? " " : ", ");
        text_str(&why, p->primary);
        text_str(&why, p->beside[0] == '\0' ? "" : " beside ");
        text_str(&why, p->beside);
        text_str(&why, " (");
        text_str(&why, p->name);
        text_str(&why, ")");
    }
    text_str(&why, " in it, or the path of a database file");
}

void target_locate(struct target *t, const char *given)
{
    char *path = t->request.path;
    t->given = given;
    int error = locate_store(given, path, &t->request.profile);
    if (error == ENOTDIR)
        error = locate_file_of_store(given, path, &t->request.profile);
    t->located = t->waits = error == 0;
    char resolved[PATH_MAX];
    if (t->located && path[0] != '/' && realpath(path, resolved) != NULL)
        str_copy(path, sizeof t->request.path, resolved); /* there is no /proc */
    if (error == ENODATA)
        say_no_primary(t);
    else if (error != 0)
        fail(t, strerror(error));
}

static void say_unexamined(struct target *t)
{
    const struct wait_result *r = &t->result;
    struct text why = target_why(t);
    t->status = STATUS_UNEXAMINED;
    if (!str_equal(r->file, t->request.path)) {
        text_str(&why, r->file);
        text_str(&why, ": ");
    }
    text_str(&why, r->reason != NULL ? r->reason : strerror(r->error));
}

void target_obey(struct target *t, const struct settings *settings, const struct rule *rule,
                 uint64_t began)
{
    t->rule = rule;
    t->deadline = began + rule->max_wait;
    t->request.began = began;
    t->request.check_interval = rule->check_interval;
    t->request.until = (enum until)rule->until;
    t->request.max_collections = settings->max_collections;
    t->request.max_files = settings->max_files;
}

void target_wait(struct target *t, uint64_t deadline)
{
    t->request.deadline = deadline;
    wait_store(&t->request, &t->result);
    switch (t->result.outcome) {
    case OUTCOME_TIMED_OUT:
        t->status = STATUS_HELD;
        break;
    case OUTCOME_UNEXAMINED:
        say_unexamined(t);
        break;
    default:
        t->status = STATUS_SETTLED;
    }
}

void target_name_holders(struct target *t)
{
    static struct holder spare[1];
    const struct holders_question question = {
        .path = t->request.path,
        .sidecars = true,
        .profile = t->request.profile,
        .locks = true,
        .remote = t->result.remote,
        .until = t->request.until,
        .deadline = clock_now() + naming_limit,
    };
    if (t->holders.list == NULL) {
        t->holders.list = calloc(HOLDERS_ROOM, sizeof *t->holders.list);
        t->holders.room = HOLDERS_ROOM;
    }
    if (t->holders.list == NULL) {
        t->holders.list = spare;
        t->holders.room = 1;
    }
    bool named = t->status == STATUS_HELD && !t->unnamed;
    holders_find(&t->holders, &question, named ? &t->result.holder : NULL);
}

void target_look_beside(struct target *t)
{
    const char *database = t->request.path;
    t->frames = wal_frames_missing(database, UINT64_MAX);
    t->hot_journal = wal_journal_is_hot(database) && !wal_journal_has_owner(database);
}

void target_checkpoint(struct target *t)
{
    if (t->status != STATUS_SETTLED)
        return;
    struct text why = target_why(t);
    switch (checkpoint_fold(t->request.path, &why)) {
    case FOLDED:
        t->folded = true;
        break;
    case FOLDED_NOTHING:
        t->not_sqlite = t->request.profile == NULL && !database_is_one(t->request.path);
        break;
    case FOLDED_BUSY:
        t->status = STATUS_HELD;
        t->result.holder = (struct holder){.hold = HOLD_OPEN, .descriptor = -1, .ending = ""};
        break;
    case FOLDED_FAILED:
        t->status = STATUS_UNEXAMINED;
    }
}
