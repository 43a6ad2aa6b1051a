/* What /proc tells of locks, mappings and processes (proc(5)). Raw reads, no allocation. */
#ifndef SETTLE_PROC_H
#define SETTLE_PROC_H

#include "base/identity.h"
#include "base/text.h"
#include "holders/holder.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file as /proc/locks and /proc/PID/maps name it: the device is the superblock's, which on btrfs
 * and overlayfs is not the one that stat gives. On btrfs each subvolume has a device for stat and
 * inodes of its own, and a snapshot the same inodes as what it was made of: so files of several
 * subvolumes have one name here. */
struct proc_file {
    unsigned major, minor;
    uint64_t ino;
};

/* A lock, and its file. The holder's pid is that of the process that took it: 0 for an OFD lock. */
struct proc_lock {
    struct holder holder;
    struct proc_file file;
};

/* Reads a line of /proc/locks or, after its key, of fdinfo. False for one who waits. */
bool proc_read_lock(struct proc_lock *lock, char *line);

/* The strings are within the line that was read. */
struct proc_mapping {
    struct proc_file file;
    const char *range;
    const char *permissions;
    const char *path;
};

/* Reads a line of a process's maps. False for memory without a file. */
bool proc_read_mapping(struct proc_mapping *mapping, char *line);

/* Whether the descriptor that it was made from could write. process: "/proc/PID" or
 * "/proc/PID/task/TID". */
bool proc_mapping_writes(const struct proc_mapping *mapping, const char *process);

/* Whether it is one of that file, whatever else is called the same in maps; true where that is not
 * to be seen. process: as above. */
bool proc_mapping_is_of(const struct proc_mapping *mapping, const char *process,
                        struct identity identity);

/* The flags of a descriptor (O_RDWR and so on), as a line of fdinfo tells them after its key: octal
 * digits as far as there are any; 0, which is O_RDONLY, where there are none. */
int proc_read_flags(const char *octal);

/* Sets the device of a mount's superblock; leaves it where the mount is not found. */
void proc_find_superblock(struct proc_file *file, uint64_t mount);

/* Appends "/proc/PID" and what follows. */
void proc_path(struct text *t, int pid, const char *rest);

bool proc_exists(int pid);

/* What /proc/PID/stat tells of a process. */
struct proc_stat {
    char state; /* 'Z': it has ended */
    int parent;
    unsigned threads;
    uint64_t start; /* clock ticks since the machine's start; never 0 */
};

/* False where it cannot be read. */
bool proc_read_stat(struct proc_stat *stat, int pid);

/* "" if it is unknown. */
void proc_read_command(int pid, char *out, size_t size);

/* Its pid in its own pid namespace, where that is another than that of /proc; else 0. */
int proc_inner_pid(int pid);

/* This process's pid, in the pid namespace that /proc is of. */
int proc_self(void);

/* False if there may be processes that /proc does not show. */
bool proc_shows_all(void);

/* Whether an entry of a process's fd directory may be looked behind: that the directory can be read
 * is not enough. */
bool proc_may_look_behind(int directory, const char *name);

/* Whether a process has an open file of that inode, whatever the device: the same file may be
 * mounted twice. True, too, where that is not to be seen. */
bool proc_has_inode(int pid, uint64_t ino);

#endif
