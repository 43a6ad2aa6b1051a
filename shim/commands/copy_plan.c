#include "commands/copy_plan.h"

#include "base/path.h"
#include "commands/copy_source.h"
#include "commands/sqlite_api.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

struct plan {
    struct target *targets;
    const char *to;
    struct copy_place *place;
    struct copy_job *jobs;
};

static void say_refused(struct target *t)
{
    struct text why = target_why(t);
    const struct profile *profile = copy_source_profile(t);
    text_str(&why, "cannot be copied: no lock keeps the writers of ");
    text_str(&why, profile == NULL ? "what is no known store" : "a store of the kind ");
    text_str(&why, profile == NULL ? "" : profile->name);
    text_str(&why, " out; copy it when settle-wait says that nobody holds it");
    target_fails(t, STATUS_UNEXAMINED);
}

/* TO itself, or a name in it for each of several. */
static bool name_job(const struct plan *p, unsigned i)
{
    char name[NAME_MAX + 1];
    struct copy_job *job = &p->jobs[i];
    bool fits = p->place->several ? copy_source_name(&p->targets[i], name, sizeof name) &&
                                        path_join(job->path, sizeof job->path, p->place->name, name)
                                  : str_copy(job->path, sizeof job->path, p->place->name);
    for (unsigned before = 0; fits && before < i; before++)
        fits = !str_equal(job->path, p->jobs[before].path);
    return fits;
}

static bool ends_in_slash(const char *path)
{
    size_t length = strlen(path);
    return length > 0 && path[length - 1] == '/';
}

bool copy_plan_refuse_hot_journal(struct target *t)
{
    struct text why = target_why(t);
    t->hot_journal = true;
    text_str(&why, "cannot be copied: a transaction that was cut off is not rolled back yet; "
                   "--checkpoint rolls it back");
    return target_fails(t, STATUS_HELD);
}

static bool is_clear(const struct plan *p, struct target *t)
{
    struct text why = target_why(t);
    text_str(&why, "cannot be copied: ");
    if (!copy_place_is_clear(p->place, copy_source_profile(t), &why))
        return target_fails(t, STATUS_UNEXAMINED);
    t->reason[0] = '\0';
    return true;
}

static bool plan_one(const struct plan *p, unsigned i)
{
    struct target *t = &p->targets[i];
    struct copy_job *job = &p->jobs[i];
    struct text why = target_why(t);
    struct stat st;
    job->profile = copy_source_profile(t);
    if (job->profile == NULL || job->profile->copy == COPY_REFUSED) {
        say_refused(t);
        return false;
    }
    if (stat(t->request.path, &st) == 0 && !S_ISREG(st.st_mode)) {
        text_str(&why, "not a regular file");
        return target_fails(t, STATUS_UNEXAMINED);
    }
    job->directory = copy_source_is_directory(t) ? job->of : NULL;
    if (job->directory != NULL && !copy_source_directory(t, job->of, sizeof job->of)) {
        text_str(&why, strerror(ENAMETOOLONG));
        return target_fails(t, STATUS_UNEXAMINED);
    }
    if (job->directory == NULL && !p->place->several && ends_in_slash(p->to)) {
        text_str(&why, "cannot be copied to ");
        text_path(&why, p->to);
        text_str(&why, ": it becomes a file; expected a name without a slash at its end");
        return target_fails(t, STATUS_UNEXAMINED);
    }
    job->database = t->request.path;
    if (job->directory == NULL && !p->place->several && !is_clear(p, t))
        return false;
    if (!name_job(p, i)) {
        text_str(&why, "cannot be copied: there are two of its name; expected them one by one");
        return target_fails(t, STATUS_UNEXAMINED);
    }
    if (job->directory != NULL && copy_place_is_in(p->place, job->directory)) {
        text_str(&why, "cannot be copied into itself, to ");
        text_path(&why, p->to);
        return target_fails(t, STATUS_UNEXAMINED);
    }
    return !t->hot_journal || t->folded || copy_plan_refuse_hot_journal(t);
}

static bool wants_sqlite(const struct target *targets, unsigned count)
{
    bool wanted = false;
    for (unsigned i = 0; i < count; i++)
        wanted |= copy_source_is_sqlite(&targets[i]);
    return wanted;
}

void copy_plan_refuse_all(struct target *targets, unsigned count, const char *reason)
{
    for (unsigned i = 0; i < count; i++) {
        str_copy(targets[i].reason, sizeof targets[i].reason, reason);
        target_fails(&targets[i], STATUS_UNEXAMINED);
    }
}

bool copy_plan(struct target *targets, unsigned count, const char *to, struct copy_place *place,
               struct copy_job *jobs)
{
    char reason[PATH_MAX + 256];
    struct text why = text_in(reason, sizeof reason);
    const struct plan p = {targets, to, place, jobs};
    bool good = (!wants_sqlite(targets, count) || sqlite_load("--copy", &why) != NULL) &&
                copy_place_find(place, to, &why);
    place->several = count > 1;
    if (good && jobs == NULL) {
        text_str(&why, "no memory");
        good = false;
    }
    if (!good) {
        copy_plan_refuse_all(targets, count, reason);
        return false;
    }
    for (unsigned i = 0; i < count; i++)
        good &= plan_one(&p, i);
    return good;
}
