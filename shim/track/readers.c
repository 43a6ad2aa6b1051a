#include "track/readers.h"

#include "base/sys.h"
#include "track/books.h"
#include "track/keep.h"
#include "track/opened.h"

static struct readers_books *const own = &BOOKS.readers;

/* A note: this, and facts of the opening. */
enum { NOTED = 1 };

static void write_note(int fd, uint32_t note)
{
    struct handle_entry *entry = handle_entry(fd);
    if (entry == NULL)
        return;
    uint32_t end = atomic_load(&own->end);
    while (end <= (uint32_t)fd && !atomic_compare_exchange_weak(&own->end, &end, (uint32_t)fd + 1))
        ;
    atomic_store(&entry->reader, note);
}

static uint32_t note_of(int fd)
{
    if (fd < 0 || (uint32_t)fd >= atomic_load(&own->end))
        return 0;
    struct handle_entry *entry = handle_entry(fd);
    return entry == NULL ? 0 : atomic_load(&entry->reader);
}

void readers_note(int fd)
{
    write_note(fd, NOTED | keep_time());
}

void readers_forget(int fd)
{
    if (note_of(fd) != 0)
        write_note(fd, 0);
}

void readers_copied(int from, int to)
{
    const uint32_t note = note_of(from);
    if (note == 0) {
        readers_forget(to);
        return;
    }
    write_note(from, note | FACT_SHARED);
    write_note(to, note | FACT_SHARED);
}

bool readers_has(int fd, unsigned *facts)
{
    const uint32_t note = note_of(fd);
    *facts = note & ~(uint32_t)NOTED;
    return note != 0;
}

static bool is_of(int fd, struct identity file)
{
    struct stat st;
    return sys_fstat(fd, &st) == 0 && identity_same(identity_of(&st), file);
}

/* One that is closed meanwhile, on another thread, has gone by unseen. */
static void enter(int fd, struct store *store, struct identity primary)
{
    if (handle_get(fd).role != ROLE_NONE || !is_of(fd, primary))
        return;
    store_retain(store);
    opened_enter_reader(fd, store, primary);
    if (!is_of(fd, primary))
        opened_forget(fd);
}

void readers_enter(struct store *store)
{
    if (atomic_load(&own->end) == 0 || (atomic_load(&store->handles) & STORE_ENGINE) == 0 ||
        (store_mark(store, STORE_READERS_ENTERED, 0) & STORE_READERS_ENTERED) != 0)
        return;
    const struct identity primary = {atomic_load(&store->dev), atomic_load(&store->ino)};
    for (int fd = 0; (uint32_t)fd < atomic_load(&own->end); fd++)
        if (note_of(fd) != 0)
            enter(fd, store, primary);
}
