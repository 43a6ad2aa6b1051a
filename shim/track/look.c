#include "track/look.h"

#include "base/descriptor.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "base/text.h"
#include "config/rules.h"
#include "helper/lines.h"
#include "helper/log.h"
#include "helper/record.h"
#include "track/deferral.h"
#include "track/later.h"
#include "track/opened.h"
#include "track/possible.h"
#include "track/readers.h"
#include "track/recognise.h"
#include "track/sum.h"
#include "track/track.h"
#include "track/use.h"

_Atomic uint32_t track_asks = TRACK_ASKS_READERS | TRACK_ASKS_OTHERS;
char track_link[1];

static profile_set profiles_on;
static bool by_name;       /* what is called as a store's primary is one */
static bool by_content;    /* some kinds of file are, whatever they are called */
static bool databases;     /* among them those of SQLite */
static bool by_lock_name;  /* what is called as a lock file is, beside another file */
static bool by_more;       /* one of these two */
static bool by_directory;  /* and what lies in a directory of SETTLE_DIRS */
static bool every;         /* each close waits, also that of who only reads */
static bool by_name_alone; /* and nobody wants to know of each handle */
static bool at_once;       /* nothing is put off (later.h) */
static uint32_t settings_ask;
static uint32_t seen_asks; /* beside a store */

SYS_AT_START void look_start(const struct settings *s)
{
    profiles_on = recognise_profiles();
    by_name = profile_by_name(profiles_on);
    by_content = profile_by_content(profiles_on);
    databases = recognise_databases();
    by_lock_name = profile_by_lock_name(profiles_on);
    by_directory = s->dirs[0] != '\0';
    every = rules_any_trigger(TRIGGER_EVERY);
    by_more = by_content || by_lock_name;
    by_name_alone = !by_more && !by_directory && !every && !sum_wanted() && !record_lists_used();
    const bool all = by_directory || every || (by_more && record_wanted());
    at_once = all || by_lock_name || !databases;
    settings_ask = 0;
    if (all)
        settings_ask |= TRACK_ASKS_READERS;
    if (all || sum_wanted())
        settings_ask |= TRACK_ASKS_OTHERS;
    if (by_more)
        settings_ask |= TRACK_ASKS_MORE;
    seen_asks = TRACK_ASKS_SEEN;
    if (record_wanted() || record_lists_used() || log_wants(LOG_DEBUG))
        seen_asks |= TRACK_ASKS_MORE;
    look_go_on();
}

void look_stop(void)
{
    atomic_fetch_or(&track_asks, TRACK_ASKS_READERS | TRACK_ASKS_OTHERS);
}

void look_go_on(void)
{
    atomic_fetch_or(&track_asks, settings_ask);
    atomic_fetch_and(&track_asks, settings_ask | seen_asks | TRACK_ASKS_KEPT);
}

void look_for_more(void)
{
    if ((atomic_load(&track_asks) & TRACK_ASKS_SEEN) != 0)
        return;
    handle_know_readers(HANDLE_NEAR); /* they are noted from here on */
    atomic_fetch_or(&track_asks, seen_asks);
}

/* Whoever puts a close off counts it first; so of two threads none clears the other's bit. */
void look_for_kept(void)
{
    if (!keep_possible())
        atomic_fetch_and(&track_asks, ~(uint32_t)TRACK_ASKS_KEPT);
    if (keep_possible())
        atomic_fetch_or(&track_asks, TRACK_ASKS_KEPT);
}

/* --- by what a link leads to --- */

static SYS_OWN_FRAME bool is_link_to_store(int fd)
{
    char *target = scratch_take();
    if (target == NULL)
        return true; /* the look that follows says so */
    descriptor_path(fd, target, PATH_MAX);
    bool may_match = profile_may_match(profiles_on, target);
    scratch_give(target);
    return may_match;
}

static SYS_OWN_FRAME bool is_store_by_another_name(int fd, const struct stat *st, int dir,
                                                   const char *path, int flags)
{
    if (!by_name || (databases && (flags & O_ACCMODE) == O_RDWR))
        return false; /* what is a store by its name is a database, too, or empty */
    if ((flags & O_ACCMODE) == O_RDONLY && !every && !seen_possible(st->st_ino))
        return false;
    return track_may_be_link(dir, path, flags) && is_link_to_store(fd);
}

/* --- by content --- */

/* Its files say that they have a page, and to read one is a call of some driver. */
static SYS_OWN_FRAME bool is_sysfs(int fd)
{
    struct statfs fs;
    return sys_fstatfs(fd, &fs) == 0 && fs.f_type == 0x62656572; /* SYSFS_MAGIC */
}

static bool has_content(int fd, const struct stat *st, int flags)
{
    return (flags & O_ACCMODE) != O_WRONLY && st->st_size != 0 &&
           !(st->st_blocks == 0 && is_sysfs(fd)) &&
           recognise_content(fd, identity_of(st), st->st_size) != NULL;
}

/* Of a store that its engine was seen to have: also one that cannot be read (O_WRONLY). */
static bool is_known(const struct stat *st)
{
    return by_content && seen_possible(st->st_ino);
}

/* --- the look --- */

static bool is_to_be_examined(int fd, const struct stat *st, int dir, const char *path, int flags)
{
    if (!S_ISREG(st->st_mode))
        return false;
    return (by_content &&
            (profile_may_be_sidecar(profiles_on, path) || has_content(fd, st, flags))) ||
           is_known(st) || is_store_by_another_name(fd, st, dir, path, flags);
}

static bool may_become_store(const struct stat *st, int flags)
{
    return by_content && S_ISREG(st->st_mode) && st->st_size == 0 && (flags & O_ACCMODE) == O_RDWR;
}

static void examine(int fd, const struct stat *st, const char *path)
{
    lines_hold(&path);
    opened_examine(fd, st, path);
    use_opened(fd);
    lines_release(&path);
}

/* In memory of its own, since what is called next needs the stack; NULL if it is not open. */
static struct stat *standing_of(int fd)
{
    struct stat *st = scratch_take();
    if (st == NULL || sys_fstat(fd, st) == 0)
        return st;
    scratch_give(st);
    return NULL;
}

/* Of a file whose name says nothing, where that is not all that counts. */
static SYS_OWN_FRAME void look_into(int fd, int dir, const char *path, int flags)
{
    struct stat *st = standing_of(fd);
    if (st == NULL)
        return;
    const bool may_become = may_become_store(st, flags);
    if (is_to_be_examined(fd, st, dir, path, flags) || (handle_possible(fd) && !may_become))
        examine(fd, st, path);
    else if (may_become)
        opened_examine_empty(fd, st, flags);
    else
        sum_stranger(fd, st);
    scratch_give(st);
}

bool look_size_is_none(const struct stat *st)
{
    return !S_ISREG(st->st_mode) ||
           (st->st_size != 0 && !profile_size_possible(profiles_on, (uint64_t)st->st_size) &&
            !is_known(st));
}

bool look_deserves(int fd, const struct stat *st)
{
    return S_ISREG(st->st_mode) &&
           (st->st_size == 0 || has_content(fd, st, O_RDWR) || is_known(st));
}

static SYS_OWN_FRAME void examine_closely(int fd, const char *path)
{
    struct stat *st = standing_of(fd);
    if (st != NULL)
        examine(fd, st, path);
    scratch_give(st);
}

SYS_OWN_FRAME uint32_t track_reads_store_far(int fd)
{
    struct stat st;
    if (handle_possible(fd) || sys_fstat(fd, &st) < 0)
        return 1;
    if (st.st_size % 512 == 0)
        readers_note_far(fd, track_reader_note(&st));
    return seen_possible(st.st_ino);
}

SYS_OWN_FRAME bool track_reads_store_apart(int fd)
{
    return track_reads_store(fd);
}

SYS_OWN_FRAME bool track_is_seen(int fd)
{
    struct stat st;
    return sys_fstat(fd, &st) == 0 && seen_possible(st.st_ino);
}

/* By content: a read in a function of SQLite is the engine's. What it opens elsewhere (a copy of it
 * that no hook sees) is known by its locks. */
static bool reader_deserves_look(int fd, int flags)
{
    if (deferral_inside())
        return true;
    if ((flags & (O_PATH | O_DIRECTORY)) == 0 && books_ready()) {
        handle_know_readers(HANDLE_NEAR);
        readers_note(fd);
    }
    return use_names_now() != 0 && track_is_seen(fd);
}

/* Nothing can be read by it, and it is none that becomes a store. */
static bool writer_deserves_look(int fd, int dir, const char *path, int flags)
{
    return (by_name && track_may_be_link(dir, path, flags)) ||
           (use_names() != 0 && track_is_seen(fd));
}

/* What SQLite opens is never put off, nor what is new, or called as a file beside a store. */
static SYS_OWN_FRAME bool is_put_off(int fd, const char *path, int flags)
{
    const int others = O_CREAT | O_TRUNC | O_NOFOLLOW | O_DIRECTORY | O_PATH;
    return !at_once && (flags & (O_ACCMODE | others)) == O_RDWR && use_names_now() == 0 &&
           !deferral_inside() && !profile_may_be_sidecar(profiles_on, path) && later_put(fd);
}

bool track_deserves_look(int fd, int dir, const char *path, int flags)
{
    const uint32_t asks = atomic_load_explicit(&track_asks, memory_order_relaxed);
    const int access = flags & O_ACCMODE;
    if (handle_possible(fd))
        return true;
    if (is_put_off(fd, path, flags))
        return false;
    if ((asks & (access == O_RDONLY ? TRACK_ASKS_READERS : TRACK_ASKS_OTHERS)) != 0)
        return true;
    if ((asks & TRACK_ASKS_MORE) == 0)
        return access == O_RDONLY ? track_is_seen(fd) : track_may_be_link(dir, path, flags);
    if (by_lock_name && profile_of_lock_name(profiles_on, path) != NULL)
        return true;
    if (!by_content)
        return access == O_RDONLY ? track_is_seen(fd) : track_may_be_link(dir, path, flags);
    return access == O_RDONLY   ? reader_deserves_look(fd, flags)
           : access == O_WRONLY ? writer_deserves_look(fd, dir, path, flags)
                                : true;
}

/* In a directory of SETTLE_DIRS: its name tells, for less than the close look, with signals held,
 * which most opens are spared so. */
static SYS_OWN_FRAME void examine_in_directory(int fd, const char *path)
{
    if (!by_more && !recognise_name_possible(fd))
        return;
    struct stat *st = standing_of(fd);
    if (st != NULL && S_ISREG(st->st_mode))
        examine(fd, st, path);
    scratch_give(st);
}

/* The number is that of another file still, whose close went by unseen. New files come one after
 * the other under the same: they need no closer look for it. */
static bool is_anothers(int fd)
{
    return handle_possible(fd) && (by_directory || handle_get(fd).role != ROLE_CANDIDATE);
}

/* Of an index file nobody takes a lock, and who only reads it counts for no close: a copy of a
 * store passes over most of its files without a system call more than one. */
static bool reads_index(int fd, const char *path, int flags)
{
    return by_name_alone && (flags & O_ACCMODE) == O_RDONLY && !handle_possible(fd) &&
           profile_may_be_secondary(profiles_on, path) && !(use_names() != 0 && track_is_seen(fd));
}

SYS_OWN_FRAME void track_look(int fd, int dir, const char *path, int flags)
{
    if (!track_is_on() || reads_index(fd, path, flags))
        return;
    later_forget(fd);
    if (is_anothers(fd) || profile_may_match(profiles_on, path) ||
        (by_lock_name && profile_of_lock_name(profiles_on, path)))
        examine_closely(fd, path);
    else if (by_directory)
        examine_in_directory(fd, path);
    else
        look_into(fd, dir, path, flags);
}

int track_look_at(int fd, int dir, const char *path)
{
    track_look(fd, dir, path, sys_fcntl(fd, F_GETFL, 0));
    return fd;
}

void track_opened(int fd, int dir, const char *path, int flags)
{
    if (track_attentive())
        track_opened_attentively(fd, dir, path, flags);
    else
        track_opened_quietly(fd, dir, path, flags);
}

/* Only the kernel can say what it is called; of what is a store by its name alone, the main file is
 * a whole number of 512-byte pages. */
static void receive(int fd)
{
    struct stat st;
    if (fd < 0 || !track_is_on() || sys_fstat(fd, &st) < 0)
        return;
    if (handle_possible(fd) ||
        (S_ISREG(st.st_mode) && (by_directory || by_content || by_lock_name ||
                                 (st.st_size % 512 == 0 && is_link_to_store(fd)))))
        opened_examine(fd, &st, "");
}

void track_received(int fd)
{
    later_forget(fd);
    readers_forget(fd);
    receive(fd);
}

/* errno stays: no call of libc. */
void track_reader_locked(int fd)
{
    if (!track_is_on())
        return;
    const int flags = sys_fcntl(fd, F_GETFL, 0);
    if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY)
        receive(fd);
}
