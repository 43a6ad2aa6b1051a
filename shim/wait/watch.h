/* Waking up when something happens to a file: an inotify watch on it and on its directory.
 *
 * An event is a reason to probe again and never a verdict: the kernel reports a close before it
 * drops OFD locks (measured: up to 14 us), and says nothing of an unlock without a close.
 *
 * Its descriptors lie in the calling thread's table: in a helper's, or that of a program of ours.
 */
#ifndef SETTLE_WATCH_H
#define SETTLE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

struct watch {
    int fd; /* -1: none, the back-off alone has to do */
    int file;
    int directory;
    int signals;      /* a signalfd(2) whose signal has not come yet; -1: none */
    const char *name; /* of the file, within its directory */
    uint64_t others;  /* when another file of the directory woke us last (clock_now; 0: never), */
    uint64_t deaf;    /* and how long we were deaf for it: pace_deaf */
};

/* A watch that is not set. */
struct watch watch_none(void);

/* Sets the watch; where the kernel grants none (limits, file systems without events) it stays
 * unset. The path must outlive the watch. */
void watch_start(struct watch *w, const char *path);

/* The next sleep ends, too, when one of these signals is pending for the process, which this thread
 * has blocked as all others have: only the next one, since it stays so until somebody takes it. */
void watch_signals(struct watch *w, uint64_t signals);

/* Takes the events that have come so far. Returns how many of them are about the file. */
unsigned watch_take(const struct watch *w);

/* How many events an open and close of the file for reading causes. */
unsigned watch_own_events(const struct watch *w);

/* Sleeps until an event about the file, one of the signals, or for ns at most. Returns true for an
 * event. Where other files of the directory are used all the time, it listens at intervals, of up
 * to a fifth of ns. */
bool watch_sleep(struct watch *w, uint64_t ns);

#endif
