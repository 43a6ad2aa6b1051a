/* What the hooks tell the rest: a descriptor was opened, copied, is about to be closed. Decides
 * which closes wait.
 *
 * It is the room's face to the hooks: each function stands in the file of what it is about
 * (opened.c, look.c, closed.c, keep.c, take_up.c, locked.c, deferral.c, later.c, readers.c,
 * exit.c).
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
    int home;           /* the process whose table that was */
    uint8_t on_its_way; /* the real close is still to come, and announced (crossing.h): 1 + where */
    bool waits;         /* for handle.store */
    bool placed;        /* path is where its primary is now; else it is as when it was opened */
    bool kept;          /* the real close is put off (keep.h) */
    bool without_locks; /* until the real close no other thread locks it: crossing_hold_locks */
    bool free;          /* nobody had a lock on the primary (in_place.h) */
    bool of_reader;     /* track_closing_reader */
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

/* After it, before a filter for all threads: those that wait in a close leave that, so that nobody
 * is killed for what a wait does. Until they have, 0.2 s at most. */
void track_leave_waits(void);

/* Whether closes are tracked now: track_start was called, and no filter is in the way. */
bool track_is_on(void);

/* Whether other threads share this thread's descriptor table. */
bool track_shares_table(void);

/* This thread has left the table that it shared (CLOSE_RANGE_UNSHARE): its numbers are not those of
 * the process any more, and what it does passes through. */
void track_left_table(void);

/* The program has opened a file; fd < 0: it could not. dir, path and flags: as for openat(2), where
 * the path is as the program gave it. Where that is not called as a store's file is, it makes no
 * system call for a file that is opened to be read, and one for a file that is opened to be
 * written; in a process that has had a store, or by a setting, one or two for either. */
void track_opened(int fd, int dir, const char *path, int flags);

/* The program calls something with a descriptor that is in the table: before it is asked what that
 * is, it is looked at, if that was put off (later.h). */
void track_called(int fd);

/* Before the process's paths come to mean something else (chroot, another mount namespace). */
void track_moves(void);

/* fstat has told the program of a descriptor that is in the table. */
void track_told(int fd, const struct stat *st);

/* The program got a descriptor that it did not open by a path: from elsewhere, or libc did. */
void track_received(int fd);

/* Before the program takes a POSIX lock through a tracked descriptor. SQLite looks whether another
 * of its connections holds a lock on the database, lets go of its mutex, and closes the file: a
 * lock that another thread takes in between is dropped by that close (os_unix.c, unixClose; make
 * torture-race counts them). So a lock waits while a close is on its way to the kernel: some
 * microseconds, and a second at most, where its thread has lost the processor; and the close finds
 * in the books what was locked before (keep.h). Not 0 if track_lock_ended must follow with it,
 * behind track_locked if the lock was granted. */
uint64_t track_locking(int fd, int command, const struct flock *lock);
void track_lock_ended(uint64_t begun);

/* The program has locked, changed a lock or unlocked through a descriptor. command: of fcntl; 0 for
 * flock and lockf. lock: fcntl's argument where it is a record lock, else NULL. type: F_WRLCK where
 * there is an exclusive lock now, F_RDLCK a shared one, F_UNLCK none. */
void track_locked(int fd, int command, const struct flock *lock, short type);

/* A lock that the program asked for through a tracked descriptor is somebody else's. */
void track_refused(int fd);

/* A lock that needs no right to write was taken through a descriptor that is not in the table. What
 * was opened to be read under the name of a link is not looked at before. */
void track_reader_locked(int fd);

/* `to` is now a copy of `from`. What `to` was before has been dealt with. Returns `to`, so that the
 * caller need not keep it. */
int track_duplicated(int from, int to);

/* Before the real close of a descriptor that is not tracked, and was noted as a reader's
 * (readers.h): another thread may be about to have its file as a store. True if track_closed_reader
 * must follow it, until which that thread waits. Keeps errno. */
bool track_closing_reader(int fd);
void track_closed_reader(int fd);

/* It is open still. */
void track_reader_stays(int fd);

/* The same before and after the real close of a range. */
bool track_closing_readers(unsigned first, unsigned last);
void track_closed_readers(unsigned first, unsigned last);

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

/* The same, of a child that executes a program at once, or ends. */
void track_spawned(void);

/* Before a fork, whose result is for track_forked; in its child, before anything else. */
int track_before_fork(void);
void track_forked(int parent);

/* Drops what is no longer open in the table, without waiting. */
void track_recheck(void);

/* The wait at exit: a program may close its store on one thread while another ends the process. For
 * closes that wait now, and as long as handles of other threads keep going away; at most as long
 * as a close. */
void track_exit(void);

/* The end by _exit: waits for nothing, and says what was done. Async-signal-safe, as _exit is. */
void track_exit_at_once(void);

/* Standard error is being closed as a stream: the programs of coreutils do that when they end,
 * before a library's turn comes, and what was done would be said nowhere. */
void track_closing_standard_error(void);

/* --- what the inline functions need --- */

/* What an open has to be asked beside its path and flags. TRACK_ASKS_SEEN: the process has had a
 * descriptor in the table, so that it may be of a known file. By settings: who opens to read, and
 * all others, are looked at; files of stores have more to tell than their name, or somebody wants
 * to know of each. TRACK_ASKS_KEPT: closes are put off (keep.h), and are there for an open. 0:
 * nothing. Relaxed: what an open on another thread has entered matters to the thread that has it by
 * an order of the program's own. */
enum {
    TRACK_ASKS_SEEN = 1 << 0,
    TRACK_ASKS_READERS = 1 << 1,
    TRACK_ASKS_OTHERS = 1 << 2,
    TRACK_ASKS_MORE = 1 << 3,
    TRACK_ASKS_KEPT = 1 << 4,
};
extern _Atomic uint32_t track_asks __attribute__((visibility("hidden")));

static inline uint32_t track_asked(void)
{
    return atomic_load_explicit(&track_asks, memory_order_relaxed);
}

static inline bool track_attentive(void)
{
    return track_asked() != 0;
}

/* Only a path whose last component is a symbolic link leads to a file that the kernel calls by
 * another name; readlink tells, by its error, for two thirds of what a stat costs. Also true where
 * that cannot be told. */
extern char track_link[1] __attribute__((visibility("hidden")));
static inline bool track_is_link(int dir, const char *path)
{
    return sys_link(dir, path, track_link) != -EINVAL;
}

/* It was none where the flags would have had the open fail. */
static inline bool track_opens_no_link(int flags)
{
    return (flags & (O_NOFOLLOW | O_DIRECTORY | O_EXCL)) != 0;
}
static inline bool track_may_be_link(int dir, const char *path, int flags)
{
    return !track_opens_no_link(flags) && track_is_link(dir, path);
}

/* What is called otherwise than a store's file is, and no link: where a file is about to be
 * emptied. The path is the kernel's to read first. */
static inline bool track_is_stranger(int dir, const char *path)
{
    const long found = sys_link(dir, path, track_link);
    return (found == -EINVAL || found == -ENOENT) && !profile_ending_possible(path);
}

/* The second look. */
void track_look(int fd, int dir, const char *path, int flags);

/* The same where nobody has kept the flags, of which the kernel has those that last. Returns fd, so
 * that nobody need keep that either. */
int track_look_at(int fd, int dir, const char *path);

/* What an attentive process asks of a file whose name says nothing. */
bool track_deserves_look(int fd, int dir, const char *path, int flags);

/* Whether it may be a store that is known: the file says so. */
bool track_is_seen(int fd);

/* The note of a reader of such a file. */
static inline uint32_t track_reader_note(const struct stat *st)
{
    const uint32_t note = readers_note_now();
    return st->st_size % 32768 == 0 ? note | READERS_OF_SHM : note;
}

/* What follows, of the numbers that few descriptors have. */
uint32_t track_reads_store_far(int fd);

/* Beside a store, and nothing more to ask: whether what is opened to be read, or to be written, is
 * looked at (0: it is not).
 *
 * A database that is one by its name is a whole number of 512-byte pages; who reads another of a
 * store's files has no lock to drop by its close. It is noted by its number before it is asked
 * which stores there are, in case this process is about to open it as one (readers.h).
 *
 * One address for all of the books, and no bool made of the answer, spare each open some
 * instructions. */
static inline __attribute__((always_inline)) uint32_t track_reads_store(int fd)
{
    if (__builtin_expect((unsigned)fd >= HANDLE_NEAR, 0))
        return track_reads_store_far(fd);
    struct books *books = &BOOKS;
    __asm__("" : "+r"(books));
    const uint8_t near = atomic_load_explicit(&books->handles.near[fd], memory_order_relaxed);
    struct stat st;
    if (__builtin_expect((near & NEAR_HANDLE) != 0 || sys_fstat(fd, &st) < 0, 0))
        return 1;
    if (__builtin_expect(st.st_size % 512 == 0, 1))
        readers_note_near(books, fd, track_reader_note(&st));
    return atomic_load(&books->seen.inodes[st.st_ino % SEEN_INODES]);
}

/* The same with a frame of its own: for those who call more. */
bool track_reads_store_apart(int fd);

static inline __attribute__((always_inline)) bool track_writes_store(int fd, const char *path)
{
    return profile_ending_possible(path) || __builtin_expect(handle_possible_again(fd), 0);
}

/* Whether an open is looked at in an attentive process. */
static inline __attribute__((always_inline)) bool
track_looks_attentively(int fd, int dir, const char *path, int flags)
{
    if (__builtin_expect((track_asked() & ~(uint32_t)TRACK_ASKS_KEPT) != TRACK_ASKS_SEEN, 0))
        return profile_ending_possible(path) || track_deserves_look(fd, dir, path, flags);
    if ((flags & O_ACCMODE) == O_RDONLY)
        return track_reads_store_apart(fd);
    return track_writes_store(fd, path) || track_may_be_link(dir, path, flags);
}

/* Where an open is looked at in a process that is not attentive. A link that is opened to be read
 * is not: it is found by its first lock (track_reader_locked), or once there is a store that it may
 * lead to. */
static inline bool track_looks_quietly(int dir, const char *path, int flags)
{
    return __builtin_expect(profile_ending_possible(path), 0) ||
           ((flags & O_ACCMODE) != O_RDONLY &&
            __builtin_expect(track_may_be_link(dir, path, flags), 0));
}

static inline void track_opened_quietly(int fd, int dir, const char *path, int flags)
{
    if (fd >= 0 && track_looks_quietly(dir, path, flags))
        track_look(fd, dir, path, flags);
}

static inline __attribute__((always_inline)) void
track_opened_attentively(int fd, int dir, const char *path, int flags)
{
    if (fd >= 0 && track_looks_attentively(fd, dir, path, flags))
        track_look(fd, dir, path, flags);
}

#endif
