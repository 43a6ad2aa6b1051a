#include "config/profile.h"

#include "base/path.h"
#include "base/sys.h"

#include <string.h>

/* What SQLite keeps beside a database: https://www.sqlite.org/tempfiles.html. */
#define SQLITE_SIDECARS                                                                            \
    {                                                                                              \
        "-wal", "-shm", "-journal"                                                                 \
    }

/* The layout of each kind, and by which locks it is held, was measured (make stores). */
const struct profile profiles[] = {
    /* The HNSW index of each collection lies in a directory named after it. */
    {.name = "chroma",
     .primary = "chroma.sqlite3",
     .sidecars = SQLITE_SIDECARS,
     .secondaries = {".bin", ".pickle"},
     .usual = {"header.bin", "data_level0.bin", "link_lists.bin"},
     .engine = ENGINE_SQLITE,
     .copy = COPY_SQLITE,
     .called = "ChromaDB"},
    {.name = "directory",
     .by_directory = true,
     .sidecars = SQLITE_SIDECARS,
     .engine = ENGINE_ANY,
     .called = "file"},
    [PROFILE_SQLITE] = {.name = "sqlite",
                        .by_content = true,
                        .magic = "SQLite format 3", /* and the NUL behind it: fileformat2.html */
                        .magic_size = 16,
                        .block = 512,
                        .sidecars = SQLITE_SIDECARS,
                        .engine = ENGINE_SQLITE,
                        .copy = COPY_SQLITE,
                        .called = "SQLite database"},
    {.name = "duckdb",
     .by_content = true,
     .magic_at = 8, /* behind a checksum */
     .magic = "DUCK",
     .magic_size = 4,
     /* The latter two: what is written during a checkpoint, and what a recovery makes (2.0). */
     .sidecars = {".wal", ".wal.checkpoint", ".wal.recovery"},
     .engine = ENGINE_RECORDS,
     .exclusive = true,
     .copy = COPY_LOCKED,
     .called = "DuckDB database"},
    /* CURRENT names the manifest: "MANIFEST-000001" and a newline. */
    {.name = "leveldb",
     .primary = "LOCK",
     .beside = "CURRENT",
     .beside_least = 16,
     .engine = ENGINE_RECORDS,
     .exclusive = true,
     .copy = COPY_LOCKED,
     .called = "LevelDB or RocksDB database"},
    {.name = "lmdb",
     .primary = "lock.mdb",
     .beside = "data.mdb",
     .engine = ENGINE_RECORDS,
     .held_idle = true,
     .called = "LMDB environment"},
    {.name = "hdf5",
     .by_content = true,
     .magic = "\211HDF\r\n\032\n",
     .magic_size = 8,
     .engine = ENGINE_FLOCK,
     .exclusive = true,
     .copy = COPY_LOCKED,
     .called = "HDF5 file"},
    {.name = "kuzu",
     .by_content = true,
     .magic = "KUZU",
     .magic_size = 4,
     .sidecars = {".wal", ".shadow"},
     .engine = ENGINE_RECORDS,
     .exclusive = true,
     .copy = COPY_LOCKED,
     .called = "Kuzu database"},
    {.name = "qdrant",
     .primary = ".lock",
     .beside = "meta.json",
     .engine = ENGINE_FLOCK,
     .exclusive = true,
     .copy = COPY_LOCKED,
     .called = "Qdrant store"},
    {.name = "h2",
     .by_content = true,
     .magic = "H:2,",
     .magic_size = 4,
     .engine = ENGINE_RECORDS,
     .exclusive = true,
     .copy = COPY_LOCKED,
     .called = "H2 database"},
};
const int profile_count = sizeof profiles / sizeof profiles[0];
_Static_assert(sizeof profiles / sizeof profiles[0] <= 8 * sizeof(profile_set), "a bit each");

const char *const role_names[] = {"",          "primary", "sidecar", "secondary",
                                  "candidate", "put off", "later"};

/* In a list of names: every row that can be asked for. */
static const char every[] = "all";

static bool is_word(const char *word, size_t length, const char *name)
{
    return strncmp(name, word, length) == 0 && name[length] == '\0';
}

profile_set profile_all(void)
{
    profile_set set = 0;
    for (int i = 0; i < profile_count; i++)
        if (!profiles[i].by_directory)
            set |= 1u << i;
    return set;
}

/* What a word of the list stands for. */
SYS_AT_START static profile_set named_by(const char *word, size_t length)
{
    for (int i = 0; i < profile_count; i++)
        if (!profiles[i].by_directory && is_word(word, length, profiles[i].name))
            return 1u << i;
    return is_word(word, length, every) ? profile_all() : 0;
}

SYS_AT_START profile_set profile_select(const char *stores, const char *dirs)
{
    profile_set set = 0;
    for (const char *at = stores;; at++) {
        size_t length = strcspn(at, ":");
        set |= named_by(at, length);
        at += length;
        if (*at == '\0')
            break;
    }
    for (int i = 0; dirs[0] != '\0' && i < profile_count; i++)
        if (profiles[i].by_directory)
            set |= 1u << i;
    return set;
}

bool profile_list_known(const char *list)
{
    for (const char *at = list;; at++) {
        size_t length = strcspn(at, ":");
        if (named_by(at, length) == 0)
            return false;
        at += length;
        if (*at == '\0')
            return true;
    }
}

void profile_list_names(struct text *t)
{
    for (int i = 0; i < profile_count; i++) {
        if (profiles[i].by_directory)
            continue;
        text_str(t, profiles[i].name);
        text_str(t, ", ");
    }
    text_str(t, "or ");
    text_str(t, every);
}

bool profile_beside(const struct profile *profile, const char *primary, char *out, size_t size)
{
    return path_join_part(out, size, primary, (size_t)(path_name(primary) - primary),
                          profile->beside);
}

SYS_AT_START bool profile_by_name(profile_set set)
{
    for (; set != 0; set = profile_rest(set))
        if (profile_first(set)->primary[0] != '\0' && profile_first(set)->beside[0] == '\0')
            return true;
    return false;
}

SYS_AT_START bool profile_by_content(profile_set set)
{
    for (; set != 0; set = profile_rest(set))
        if (profile_first(set)->by_content)
            return true;
    return false;
}

SYS_AT_START bool profile_by_lock_name(profile_set set)
{
    for (; set != 0; set = profile_rest(set))
        if (profile_first(set)->beside[0] != '\0')
            return true;
    return false;
}

bool profile_by_directory(profile_set set)
{
    for (; set != 0; set = profile_rest(set))
        if (profile_first(set)->by_directory)
            return true;
    return false;
}

static bool has_size(const struct profile *p, uint64_t size)
{
    return size >= (uint64_t)p->magic_at + p->magic_size &&
           (p->block == 0 || (size >= p->block && size % p->block == 0));
}

bool profile_size_possible(profile_set set, uint64_t size)
{
    for (; set != 0; set = profile_rest(set))
        if (profile_first(set)->by_content && has_size(profile_first(set), size))
            return true;
    return false;
}

static bool has_content(const struct profile *p, const char *start, size_t length, uint64_t size)
{
    return p->by_content && has_size(p, size) && length >= (size_t)p->magic_at + p->magic_size &&
           memcmp(start + p->magic_at, p->magic, p->magic_size) == 0;
}

const struct profile *profile_of_content(profile_set set, const char *start, size_t length,
                                         uint64_t size)
{
    for (; set != 0; set = profile_rest(set))
        if (has_content(profile_first(set), start, length, size))
            return profile_first(set);
    return NULL;
}

SYS_AT_START const struct profile *profile_of_sqlite(profile_set set)
{
    return (set >> PROFILE_SQLITE & 1u) != 0 ? &profiles[PROFILE_SQLITE] : NULL;
}

const struct profile *profile_of_name(const char *path)
{
    const char *name = path_name(path);
    for (int i = 0; i < profile_count; i++)
        if (profiles[i].primary[0] != '\0' &&
            (strcmp(name, profiles[i].primary) == 0 || strcmp(name, profiles[i].beside) == 0))
            return &profiles[i];
    return NULL;
}
