#include "track/question.h"

#include "base/descriptor.h"
#include "base/file_system.h"
#include "base/path.h"
#include "base/patience.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "config/rules.h"
#include "helper/helper.h"
#include "helper/log.h"
#include "helper/record.h"
#include "helper/seccomp.h"
#include "track/books.h"
#include "track/opened.h"
#include "track/places.h"
#include "track/process.h"
#include "wait/dotfile.h"
#include "wait/wal.h"

#include <limits.h>
#include <sys/file.h>

static struct question_books *const own = &BOOKS.question;

/* Descriptors that questions may leave behind. */
enum { PLACES = 8 };

static _Atomic uint32_t *asking(uint64_t file)
{
    return &own->asking[(file ^ file >> 4) % QUESTIONS];
}

void question_await(uint64_t file)
{
    struct patience patience = {0};
    while (atomic_load(asking(file)) > 0 && patience_wait(&patience))
        ;
}

/* --- the question --- */

static SYS_OWN_FRAME bool is_there(const char *path, struct identity file)
{
    struct stat st;
    return path[0] == '/' && sys_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(st.st_mode) && identity_same(identity_of(&st), file);
}

/* Of all POSIX locks; those of this process, too, since it asks for an open file description's. A
 * flock can only be tried for. */
static SYS_OWN_FRAME enum answer answer_by(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (sys_fcntl(fd, F_OFD_GETLK, (long)&lock) < 0)
        return ANSWER_NONE;
    if (lock.l_type != F_UNLCK || sys_flock(fd, LOCK_EX | LOCK_NB) != 0)
        return ANSWER_HELD;
    sys_flock(fd, LOCK_UN);
    return ANSWER_FREE;
}

static SYS_OWN_FRAME struct identity identity_by(int fd)
{
    struct stat st;
    return sys_fstat(fd, &st) == 0 ? identity_of(&st) : (struct identity){0, 0};
}

/* The place has it from before it is asked, so that a fork child closes its copy. What it turned
 * out to be may be another file, which has got the name meanwhile: then it is asked about that,
 * too, before it is looked who has it. */
static enum answer ask_by(struct place *p, int fd, struct store *store, struct identity file)
{
    const struct identity found = identity_by(fd);
    atomic_fetch_add(asking(found.ino), 1);
    handle_entry(fd);
    place_fill(p, fd, found);
    place_enter(p);
    const bool is_local = file_system_is_local(fd);
    const enum answer answer = answer_by(fd);
    if (!is_local)
        store_mark(store, STORE_ASKED_ELSEWHERE, 0);
    if ((answer == ANSWER_FREE && identity_same(found, file)) ||
        !descriptor_has_another(fd, found)) {
        place_close(p);
    } else {
        atomic_store(&p->shared, true); /* it never was the program's: no open gets it */
        place_publish(p);
    }
    atomic_fetch_sub(asking(found.ino), 1);
    return is_local && identity_same(found, file) ? answer : ANSWER_NONE;
}

/* A call that takes no number of its own has taken one that another thread may have missed: once is
 * enough. */
static SYS_OWN_FRAME void note_number(int fd)
{
    if (!descriptor_is_spare(fd, descriptor_limit()))
        atomic_store(&own->crowded, true);
}

static enum answer ask(struct store *store, const char *path, struct identity file, bool is_due)
{
    const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW;
    if (handle_count_of(store) > 0 || opened_may_be_candidate(file) ||
        atomic_load(&BOOKS.places.count) > 0 || !is_there(path, file))
        return ANSWER_NONE;
    struct place *p = place_new(PLACES);
    if (p == NULL)
        return ANSWER_NONE;
    const int fd = sys_openat(AT_FDCWD, path, flags, 0);
    if (!is_due)
        note_number(fd < 0 ? INT_MAX : fd);
    if (fd >= 0)
        return ask_by(p, fd, store, file);
    place_give_back(p);
    return ANSWER_NONE;
}

/* Frames that were left in a -wal are counted, and told, by a helper. */
static SYS_OWN_FRAME bool may_have_frames(const struct store *store, const char *path)
{
    struct stat st;
    const bool told = (atomic_load(&store->state) & STORE_FRAMES_TOLD) != 0;
    if ((told || !log_wants(LOG_WARN)) && !record_wanted())
        return false;
    char *room = scratch_take();
    const bool may = room == NULL || (path_beside(room, PATH_MAX, path, "-wal") &&
                                      sys_stat(room, &st) == 0 && st.st_size > WAL_EMPTY);
    scratch_give(room);
    return may;
}

/* What a lock of SQLite's, or another record lock, tells. */
static bool may_be_asked(struct store *store, bool number_is_due)
{
    return rules_get(atomic_load(&store->rule))->until == UNTIL_UNLOCKED &&
           !profile_has_flocks(store_profile(store)) &&
           (atomic_load(&store->state) & STORE_ASKED_ELSEWHERE) == 0 && !seccomp_is_on() &&
           (number_is_due || !atomic_load(&own->crowded) || !helper_other_threads());
}

enum answer question_ask(struct store *store, bool number_is_due)
{
    const char *path = store_path(store);
    const struct identity file = store_primary(store);
    enum answer answer = ANSWER_NONE;
    if (!may_be_asked(store, number_is_due))
        return ANSWER_NONE;
    const sys_sigset old = process_hold_signals();
    if (process_thread_at_home()) {
        atomic_fetch_add(asking(file.ino), 1);
        answer = ask(store, path, file, number_is_due);
        atomic_fetch_sub(asking(file.ino), 1);
    }
    process_let_signals(old);
    if (answer != ANSWER_FREE)
        return answer;
    if (dotfile_is_held(path))
        return ANSWER_HELD;
    return may_have_frames(store, path) ? ANSWER_NONE : ANSWER_FREE;
}
