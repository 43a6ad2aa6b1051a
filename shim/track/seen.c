#include "track/seen.h"

#include "base/path.h"
#include "track/books.h"

static struct seen_books *const own = &BOOKS.seen;

static struct identity directory_of(struct store *store)
{
    return (struct identity){atomic_load(&store->directory_dev),
                             atomic_load(&store->directory_ino)};
}

static uint32_t bit_of(struct identity directory)
{
    return (uint32_t)(identity_mix(directory) >> 54) % SEEN_DIRECTORIES;
}

static void add_ending(char before_last, char last)
{
    atomic_fetch_or(&own->names, PROFILE_PAIR((unsigned char)before_last, (unsigned char)last));
}

/* Of what ends at `end`. A directory may be given with slashes behind it. */
static void add_name(const char *end, bool is_directory)
{
    add_ending(end[-2], end[-1]);
    if (is_directory) {
        add_ending(end[-1], '/');
        add_ending('/', '/');
    }
}

static void add_inode(uint64_t inode)
{
    atomic_store(&own->inodes[inode % SEEN_INODES], 1);
}

static void add(const char *path, uint64_t inode, struct identity directory)
{
    const uint32_t bit = bit_of(directory);
    const char *slash = path_name(path) - 1;
    atomic_fetch_or(&own->directories[bit / 64], 1ull << bit % 64);
    add_inode(inode);
    add_name(path + strlen(path), false);
    if (slash > path)
        add_name(slash, true);
}

void seen_add(struct store *store)
{
    const char *path = store_path(store);
    if (path[0] == '/' && atomic_load(&store->directory_ino) != 0)
        add(path, atomic_load(&store->ino), directory_of(store));
}

void seen_add_shm(uint64_t inode)
{
    add_inode(inode);
}

static _Atomic uint64_t hidden;

void seen_hide(void)
{
    atomic_store(&hidden, atomic_exchange(&own->names, 0));
}

void seen_show(void)
{
    atomic_fetch_or(&own->names, atomic_exchange(&hidden, 0));
}

bool seen_in(struct identity directory)
{
    const uint32_t bit = bit_of(directory);
    return (atomic_load_explicit(&own->directories[bit / 64], memory_order_relaxed) >> bit % 64 &
            1) != 0;
}
