/* Profiles: what a kind of store looks like. One row of a table each; adding a kind of store is
 * adding a row. Everything here works on names alone and asks the kernel nothing. */
#ifndef SETTLE_PROFILE_H
#define SETTLE_PROFILE_H

#include "base/text.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum role {
    ROLE_NONE,
    ROLE_PRIMARY,   /* the file that decides */
    ROLE_SIDECAR,   /* -wal, -shm, -journal of a primary */
    ROLE_SECONDARY, /* index files below the store's directory */
    ROLE_CANDIDATE, /* may turn out to be a primary by its content */
    ROLE_PUT_OFF,   /* none any more: the program has closed it, really it is open (track/keep.h) */
};

/* By role; for logs and records. */
extern const char *const role_names[];

/* How the writers of a store are kept out while settle-wait copies it. */
enum copy_way {
    COPY_REFUSED, /* nobody knows how */
    COPY_SQLITE,  /* by a transaction of SQLite */
};

struct profile {
    const char *name;
    const char *primary;            /* the primary's file name; NULL: see below */
    const char *const *secondaries; /* endings of the files in <store>/<collection>/; NULL: none */
    bool by_content;                /* the primary is any SQLite database, by its first bytes */
    bool by_directory; /* the primary is any file directly in a directory of SETTLE_DIRS */
    enum copy_way copy;
};

extern const struct profile profiles[];
extern const int profile_count;

/* The endings of sidecars, NULL-terminated. */
extern const char *const sidecar_endings[];

/* What a path's name says about it. */
struct named {
    enum role role;
    const struct profile *profile;
    char primary[PATH_MAX]; /* path of the primary it would belong to */
};

/* Which profiles are on, as a bit set over the table. */
typedef unsigned profile_set;

/* The set for SETTLE_STORES; the profile of SETTLE_DIRS is added if dirs is not empty. */
profile_set profile_select(const char *stores, const char *dirs);

/* True if every name in a colon-separated list is a profile that can be asked for by name, and
 * there is at least one. */
bool profile_list_known(const char *list);

/* Appends the names that SETTLE_STORES accepts. */
void profile_list_names(struct text *t);

/* The first look, at every open of the program: whether a path ends as the names in the tables do.
 * Seldom says yes to another one, and never no to one of them. */
static inline bool profile_ending_possible(const char *path);

/* A quick look at the last component of a path, as it was given: could a file of that name belong
 * to a store of the set? Never says no to one that profile_name would recognise by its name. */
bool profile_may_match(profile_set set, const char *path);

/* Looks at an absolute path. Fills in role, profile and primary; role is ROLE_NONE where the name
 * says nothing. Whether the primary of a sidecar or secondary exists is for the caller to find out.
 * dirs: SETTLE_DIRS with symbolic links resolved. */
void profile_name(profile_set set, const char *dirs, const char *path, struct named *named);

/* True if an absolute path has the name of a store's primary or sidecar, whatever profiles are on.
 */
bool profile_names_store(const char *path);

/* True if the first `length` bytes of a path are a directory that matches one of the
 * colon-separated globs; a * does not match a slash. */
bool profile_directory_matches(const char *dirs, const char *path, size_t length);

/* True if the set recognises primaries by their name. */
bool profile_by_name(profile_set set);

/* True if the set recognises databases by their content. */
bool profile_by_content(profile_set set);

/* The profile that recognises by content. */
const struct profile *profile_of_content(void);

/* --- what the inline function needs --- */

/* Of the last two bytes a number from 0 to 63; the factor is one that tells those in the tables
 * below from endings that are common otherwise. */
#define PROFILE_HASH(last_two) ((uint32_t)(last_two)*0x13b08589u >> 26)
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lower one");
#define PROFILE_PAIR(a, b) (1ull << PROFILE_HASH((uint32_t)(b) << 8 | (uint32_t)(a)))

/* The last four bytes of a path as a number, and the place of each ending of four bytes in a table;
 * the factor is the smallest that gives each a place of its own. */
#define PROFILE_FOUR(a, b, c, d)                                                                   \
    ((uint32_t)(d) << 24 | (uint32_t)(c) << 16 | (uint32_t)(b) << 8 | (uint32_t)(a))
#define PROFILE_PLACE(four) ((uint32_t)(four)*0x633u >> 29)
#define PROFILE_ENDING(a, b, c, d)                                                                 \
    [PROFILE_PLACE(PROFILE_FOUR(a, b, c, d))] = PROFILE_FOUR(a, b, c, d)

static inline bool profile_ending_possible(const char *path)
{
    static const uint32_t endings[8] = {
        PROFILE_ENDING('i', 't', 'e', '3'), /* chroma.sqlite3 */
        PROFILE_ENDING('-', 'w', 'a', 'l'), /* -wal */
        PROFILE_ENDING('-', 's', 'h', 'm'), /* -shm */
        PROFILE_ENDING('r', 'n', 'a', 'l'), /* -journal */
        PROFILE_ENDING('.', 'b', 'i', 'n'), /* .bin */
        PROFILE_ENDING('c', 'k', 'l', 'e'), /* .pickle */
    };
    size_t length = strlen(path);
    uint32_t last_four;
    if (length < sizeof last_four)
        return false;
    memcpy(&last_four, path + length - sizeof last_four, sizeof last_four);
    return endings[PROFILE_PLACE(last_four)] == last_four;
}

#endif
