#include "track/readers.h"

#include "base/sys.h"
#include "track/books.h"
#include "track/closed.h"
#include "track/keep.h"
#include "track/opened.h"
#include "track/possible.h"
#include "track/process.h"
#include "track/seen.h"
#include "track/track.h"

static struct readers_books *const own = &BOOKS.readers;

static uint32_t note_of(int fd)
{
    if ((uint32_t)fd < READERS_NEAR)
        return atomic_load(&own->near[fd]);
    if (fd < 0 || (uint32_t)fd >= atomic_load(&own->end))
        return 0;
    struct handle_entry *entry = handle_entry(fd);
    return entry == NULL ? 0 : atomic_load(&entry->reader);
}

void readers_note_far(int fd, uint32_t note)
{
    struct handle_entry *entry = handle_entry(fd);
    if (entry == NULL)
        return;
    uint32_t end = atomic_load(&own->end);
    while (end <= (uint32_t)fd && !atomic_compare_exchange_weak(&own->end, &end, (uint32_t)fd + 1))
        ;
    atomic_store(&entry->reader, note);
}

static void write_note(int fd, uint32_t note)
{
    if ((uint32_t)fd >= READERS_NEAR) {
        readers_note_far(fd, note);
        return;
    }
    atomic_store(&own->near[fd], note);
    if (note != 0)
        atomic_fetch_or(&BOOKS.handles.near[fd], NEAR_READER);
    else
        atomic_fetch_and(&BOOKS.handles.near[fd], (uint8_t)~NEAR_READER);
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
    *facts = note & ~(uint32_t)(READERS_NOTED | READERS_OF_SHM);
    return note != 0;
}

bool readers_is_ours(int fd)
{
    unsigned noted;
    return readers_has(fd, &noted) && noted == keep_time() && !process_thread_has_left();
}

/* Whoever enters it meanwhile either is seen here, or has its lock wait for this close. */
bool track_closing_reader(int fd)
{
    if (!track_is_on() || (!readers_is_ours(fd) && !process_thread_at_home()))
        return false;
    closed_set_out();
    if (handle_possible(fd)) {
        closed_arrive();
        return false;
    }
    readers_forget(fd);
    return true;
}

void track_closed_reader(void)
{
    closed_arrive();
}

static bool is_of(int fd, struct identity file)
{
    struct stat st;
    return sys_fstat(fd, &st) == 0 && identity_same(identity_of(&st), file);
}

/* One that is closed meanwhile, on another thread, has gone by unseen. */
static void enter(int fd, struct store *store, enum role role, struct identity file)
{
    if (handle_get(fd).role != ROLE_NONE || !is_of(fd, file))
        return;
    store_retain(store);
    opened_enter_reader(fd, store, role, file);
    if (!is_of(fd, file))
        opened_forget(fd);
}

static void enter_each(struct store *store, enum role role, struct identity file, uint32_t wanted)
{
    for (int fd = 0; fd < READERS_NEAR || (uint32_t)fd < atomic_load(&own->end); fd++)
        if ((note_of(fd) & wanted) != 0)
            enter(fd, store, role, file);
}

static bool has_engine(const struct store *store)
{
    return (atomic_load(&store->handles) & STORE_ENGINE) != 0;
}

void readers_enter(struct store *store)
{
    if (!has_engine(store) ||
        (store_mark(store, STORE_READERS_ENTERED, 0) & STORE_READERS_ENTERED) != 0)
        return;
    const struct identity primary = {atomic_load(&store->dev), atomic_load(&store->ino)};
    enter_each(store, ROLE_PRIMARY, primary, READERS_NOTED);
}

void readers_enter_shm(struct store *store, struct identity file)
{
    if (!has_engine(store))
        return;
    seen_add_shm(file.ino); /* who opens it from now on is looked at */
    enter_each(store, ROLE_SIDECAR, file, READERS_OF_SHM);
}
