/* Profiles: what a kind of store looks like. One row of a table each; adding a kind of store is
 * adding a row. Everything here works on names and bytes alone and asks the kernel nothing. */
#ifndef SETTLE_PROFILE_H
#define SETTLE_PROFILE_H

#include "base/path_ending.h"
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
    ROLE_LATER,     /* nobody knows yet: the look is put off (track/later.h) */
};

/* By role; for logs and records. */
extern const char *const role_names[];

/* Who has such a store open, and by which locks that shows. */
enum engine {
    ENGINE_SQLITE,  /* by how it opens, or POSIX locks at bytes of its own */
    ENGINE_RECORDS, /* by POSIX locks, elsewhere */
    ENGINE_FLOCK,
    ENGINE_ANY, /* nobody knows */
};

/* How the writers of a store are kept out while settle-wait copies it. */
enum copy_way {
    COPY_REFUSED, /* nobody knows how */
    COPY_SQLITE,  /* by a transaction of SQLite */
    COPY_LOCKED,  /* by a shared lock on the primary, where the engine wants an exclusive one */
};

/* Names stand in the row, not behind pointers, which the loader would have to set at each start;
 * "" is none. */
struct profile {
    char name[12];
    /* The primary is known by its name; where `beside` is not "", only if that file lies in its
     * directory, which may come later. */
    char primary[16];
    char beside[12];
    uint8_t beside_least; /* bytes that it has */
    /* Or by its content: these bytes, from magic_at on; and its size is a whole number of blocks,
     * at least one. */
    bool by_content;
    uint8_t magic_at;
    uint8_t magic_size;
    char magic[16];
    uint16_t block;
    /* Or it is any file directly in a directory of SETTLE_DIRS. */
    bool by_directory;
    char sidecars[3][16];   /* endings of what lies beside the primary under its name */
    char secondaries[2][8]; /* endings of the files in <store>/<collection>/ */
    char usual[3][20];      /* names that such files usually have */
    uint8_t engine;         /* enum engine */
    uint8_t copy;           /* enum copy_way */
    /* Whoever has it open to write has it alone, by an exclusive lock for as long: whoever holds it
     * after the close of such a one came later. */
    bool exclusive;
    /* Whoever has it open keeps a read lock on its first byte for as long, and may do nothing. */
    bool held_idle;
    char called[32]; /* by people */
};

extern const struct profile profiles[];
extern const int profile_count;

/* The endings of a profile's sidecars, one after the other from 0 on, NULL behind them. Of a file
 * that belongs to none (NULL) they are SQLite's. */
static inline const char *profile_sidecar(const struct profile *profile, int i);

/* The same of secondaries. */
static inline const char *profile_secondary(const struct profile *profile, int i);

/* The same of their usual names. */
static inline const char *profile_usual(const struct profile *profile, int i);

/* Whether a file of that name in a collection is a secondary. */
bool profile_is_secondary(const struct profile *profile, const char *name);

/* What a path's name says about it. */
struct named {
    enum role role;
    const struct profile *profile;
    char primary[PATH_MAX]; /* path of the primary it would belong to */
};

/* Which profiles are on, as a bit set over the table. */
typedef unsigned profile_set;

/* To go through a set that is not empty: its first row, and the set without that. */
static inline const struct profile *profile_first(profile_set set)
{
    return &profiles[__builtin_ctz(set)];
}
static inline profile_set profile_rest(profile_set set)
{
    return set & (set - 1);
}

/* The set for SETTLE_STORES; the profile of SETTLE_DIRS is added if dirs is not empty. */
profile_set profile_select(const char *stores, const char *dirs);

/* True if every name in a colon-separated list is a profile that can be asked for by name, or
 * "all", and there is at least one. */
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

/* True if the set recognises primaries by their name alone. */
bool profile_by_name(profile_set set);

/* True if the set has rows that know by the content, by a name with a file beside it, or by the
 * directory. */
bool profile_by_content(profile_set set);
bool profile_by_lock_name(profile_set set);
bool profile_by_directory(profile_set set);

/* The row of a file that needs another one beside it, by its name ("LOCK"); NULL if there is none.
 */
const struct profile *profile_of_lock_name(profile_set set, const char *path);

/* Whether a path ends as a sidecar of those that are known by their content. */
bool profile_may_be_sidecar(profile_set set, const char *path);

/* Whether it ends as an index file does. */
bool profile_may_be_secondary(profile_set set, const char *path);

/* What has to lie beside a primary of a row with `beside`; false if it has too long a name. */
bool profile_beside(const struct profile *profile, const char *primary, char *out, size_t size);

enum { PROFILE_MAGIC_MOST = 16 };

/* Whether a file of that size may be one of those that are known by their content. */
bool profile_size_possible(profile_set set, uint64_t size);

/* The row of a file that begins with these bytes and has that size; NULL if there is none. */
const struct profile *profile_of_content(profile_set set, const char *start, size_t length,
                                         uint64_t size);

/* Of the set the row that knows any SQLite database; NULL if it is not in it. */
const struct profile *profile_of_sqlite(profile_set set);

/* The row whose primary that path would be by its name, or whose `beside`; NULL if there is none.
 */
const struct profile *profile_of_name(const char *path);

/* Whether its engine may have locks that a question for POSIX locks does not see. */
static inline bool profile_has_flocks(const struct profile *profile);

/* All rows, but that of SETTLE_DIRS. */
profile_set profile_all(void);

/* --- the inline functions --- */

/* The row of SQLite databases, of which what belongs to no row has its sidecars. */
enum { PROFILE_SQLITE = 2 };

static inline const char *profile_sidecar(const struct profile *profile, int i)
{
    const struct profile *p = profile == NULL ? &profiles[PROFILE_SQLITE] : profile;
    const int room = (int)(sizeof p->sidecars / sizeof p->sidecars[0]);
    return i < room && p->sidecars[i][0] != '\0' ? p->sidecars[i] : NULL;
}

static inline bool profile_has_flocks(const struct profile *p)
{
    return p->engine == ENGINE_FLOCK || p->engine == ENGINE_ANY;
}

static inline const char *profile_secondary(const struct profile *p, int i)
{
    const int room = (int)(sizeof p->secondaries / sizeof p->secondaries[0]);
    return i < room && p->secondaries[i][0] != '\0' ? p->secondaries[i] : NULL;
}

static inline const char *profile_usual(const struct profile *p, int i)
{
    const int room = (int)(sizeof p->usual / sizeof p->usual[0]);
    return i < room && p->usual[i][0] != '\0' ? p->usual[i] : NULL;
}

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

static inline __attribute__((always_inline)) bool profile_ending_possible(const char *path)
{
    static const uint32_t endings[8] = {
        PROFILE_ENDING('i', 't', 'e', '3'), /* chroma.sqlite3 */
        PROFILE_ENDING('-', 'w', 'a', 'l'), /* -wal */
        PROFILE_ENDING('-', 's', 'h', 'm'), /* -shm */
        PROFILE_ENDING('r', 'n', 'a', 'l'), /* -journal */
        PROFILE_ENDING('.', 'b', 'i', 'n'), /* .bin */
        PROFILE_ENDING('c', 'k', 'l', 'e'), /* .pickle */
    };
    const uint32_t ending = path_ending(path);
    return endings[PROFILE_PLACE(ending)] == ending;
}

#endif
