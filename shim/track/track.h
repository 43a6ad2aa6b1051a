/* What the hooks tell the rest: a descriptor was opened, copied, is about to be closed. Decides
 * which closes wait.
 *
 * Every function keeps errno, takes no lock, and may be called in a signal handler. In a process
 * that is not the one that opened the handles (a vfork child) they do nothing.
 */
#ifndef SETTLE_TRACK_H
#define SETTLE_TRACK_H

#include "base/sys.h"
#include "config/settings.h"
#include "track/handle.h"
#include "track/possible.h"
#include "wait/last_look.h"

/* A close between its two halves. It lies on the program's stack: no gaps. */
struct closing {
    struct handle handle;   /* what was taken out of the table, with its pin */
    uint64_t began;         /* clock_now */
    uint64_t waited_before; /* waiting.h: a handler meanwhile must not wait for this close */
    struct place *given_up; /* it was put off, and its number is closed by force */
    char *path;             /* of the file, where it matters; scratch.h, until the second half */
    struct last_look last_look; /* of a primary that waits */
    int fd;
    int home;        /* the process whose table that was */
    bool on_its_way; /* the real close is still to come */
    bool waits;      /* for handle.store */
    bool placed;     /* path is where its primary is now; else it is as when it was opened */
    bool kept;       /* the real close is put off (keep.h) */
};

/* Turns tracking on. `settings` must outlive the program; dirs in it has its symbolic links
 * resolved. */
void track_start(const struct settings *settings);

/* The program is about to filter its own system calls (seccomp(2)): nobody can know which of ours
 * it would be killed for, so everything passes through from here on. True if until now it did not.
 */
bool track_stop(void);

/* The filter was refused. stopped: what track_stop returned for it. */
void track_go_on(bool stopped);

/* Whether closes are tracked now: track_start was called, and no filter is in the way. */
bool track_is_on(void);

/* Whether other threads share this thread's descriptor table. */
bool track_shares_table(void);

/* This thread has left the table that it shared (CLOSE_RANGE_UNSHARE): its numbers are not those of
 * the process any more, and what it does passes through. */
void track_left_table(void);

/* The program got a new descriptor. path: as the program gave it; "" if it gave none. Cheap where
 * neither the path's end nor the size is that of a store's file. */
static inline void track_opened(int fd, const char *path);

/* Before the program takes a POSIX lock through a tracked descriptor. SQLite looks whether another
 * of its connections holds a lock on the database, lets go of its mutex, and closes the file: a
 * lock that another thread takes in between is dropped by that close (os_unix.c, unixClose; make
 * torture-race counts them). So a lock waits while a close is on its way to the kernel: some
 * microseconds, and 10 ms at most, where its thread has lost the processor; and the close finds in
 * the books what was locked before (keep.h). True if track_lock_ended must follow, behind
 * track_locked if the lock was granted. */
bool track_locking(int fd, int command, const struct flock *lock);
void track_lock_ended(void);

/* The program has locked, changed a lock or unlocked through a descriptor. command: of fcntl; 0 for
 * flock and lockf. lock: fcntl's argument where it is a record lock, else NULL. held: whether there
 * is a lock now. */
void track_locked(int fd, int command, const struct flock *lock, bool held);

/* `to` is now a copy of `from`. What `to` was before has been dealt with. */
void track_duplicated(int from, int to);

/* Before the real close of a tracked descriptor: takes it out of the table. True if there must be
 * no real close now, since it would drop the locks of the program's own engine: then track_put_off
 * comes between this and track_closed. */
bool track_closing(int fd, struct closing *closing);

/* The same where the close cannot be put off. last: the highest number that is closed with it. */
void track_closing_by_force(int fd, int last, struct closing *closing);

/* In place of the real close. Returns what that would have: 0 or an error number. */
int track_put_off(struct closing *closing);

/* The real close did not happen after all (dup2 of a bad descriptor). */
void track_not_closed(int fd, struct closing *closing);

/* After the real close: waits, if that was the close of a store. */
void track_closed(struct closing *closing);

/* Between these two, waits of this thread are put off until the outermost second one. SQLite closes
 * its files with a process-wide mutex held; a wait in there would stop every other connection.
 * frame: of the hook, the same for both; so a hook that was left by longjmp is known by a later
 * one.
 */
void track_defer(const void *frame);
void track_resume(const void *frame);

/* --- closes that are put off (keep.h) --- */

/* Whether the program has closed this descriptor, and only the library has it yet: every call on it
 * fails with EBADF. */
bool track_has_put_off(int fd);

/* A descriptor that is put off and that an open of this path gets again, as fresh as any; -1 if
 * there is none. */
int track_take_up(int dir, const char *path, int flags);

/* The program is out of descriptors: really closes all that are put off. True if there were any. */
bool track_make_room(void);

/* The descriptions that are open are somebody else's, too, from here on: before a spawn or a
 * message with descriptors. */
void track_shared(void);

/* Before a fork, whose result is for track_forked; in its child, before anything else. */
int track_before_fork(void);
void track_forked(int parent);

/* Drops what is no longer open in the table, without waiting. */
void track_recheck(void);

/* The wait at exit: a program may close its store on one thread while another ends the process. For
 * closes that wait now, and as long as handles of other threads keep going away; at most as long
 * as a close. */
void track_exit(void);

/* --- what the inline function needs --- */

/* TRACK_NOTHING; or which bits of its size an opened file must not have to be looked at whatever
 * its name: the path may be a symbolic link of another name. A look at every link target would cost
 * each open a microsecond; a database is a whole number of 512-byte pages, and few other files are.
 * 0, so that all are looked at, where names do not tell: by content, or by directory. */
extern _Atomic uint32_t track_size_mask __attribute__((visibility("hidden")));
static const uint32_t TRACK_NOTHING = UINT32_MAX;

/* The second look. */
void track_opened_likely(int fd, const struct stat *st, const char *path);

static inline void track_opened(int fd, const char *path)
{
    struct stat st;
    uint32_t mask = atomic_load_explicit(&track_size_mask, memory_order_relaxed);
    if (fd < 0 || mask == TRACK_NOTHING || sys_fstat(fd, &st) < 0)
        return;
    if (__builtin_expect((st.st_size & mask) == 0, 0) ||
        __builtin_expect(profile_ending_possible(path), 0) ||
        __builtin_expect(handle_possible(fd), 0))
        track_opened_likely(fd, &st, path);
}

#endif
