/* Who keeps a file from being settled: every holder, by process, kind of hold and file.
 *
 * Nothing here opens, locks or closes the file itself. What is asked: /proc/PID/fd and fdinfo,
 * which tell the descriptors of each process and their locks; /proc/PID/maps for mappings without a
 * descriptor; /proc/locks for the processes that may not be looked into. That takes milliseconds,
 * so it is for messages, and the last resort of the probe. Those files are opened in the calling
 * thread's table: it runs in a helper, or in a program of ours.
 */
#ifndef SETTLE_HOLDERS_H
#define SETTLE_HOLDERS_H

#include "config/profile.h"
#include "config/settings.h"
#include "holders/holder.h"

/* What was found. The list is the caller's memory. */
struct holders {
    struct holder *list;
    unsigned room; /* > 0 */
    unsigned count;
    unsigned unlisted; /* that found no room; what /proc/locks tells twice may be counted twice */
    unsigned refused;  /* processes that may not be looked into */
    bool hurried;      /* the deadline came before all were looked at */
    bool out_of_sight; /* there may be processes that cannot be seen from here */
};

struct holders_question {
    const char *path;              /* of the file, without symbolic links */
    bool sidecars;                 /* and of what lies beside it, */
    const struct profile *profile; /* by this row (profile_sidecar) */
    bool locks;                    /* read /proc/locks, too: milliseconds more */
    bool remote;                   /* the file lies on another host */
    enum until until;              /* whoever keeps the file from this level */
    uint64_t deadline;             /* ns of clock_now: then no further process is looked at */
};

/* Finds the holders. seen: the one that the kernel named in answer to a probe, or NULL; it comes
 * first, and is completed by what else is found out. */
void holders_find(struct holders *found, const struct holders_question *question,
                  const struct holder *seen);

/* Adds to one that the kernel named what is quickly known of it: the command, SQLite's name. */
void holders_complete_one(struct holder *seen);

/* True if whoever is not in the list is no holder. */
bool holders_complete(const struct holders *found);

#endif
