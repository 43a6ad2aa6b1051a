#include "track/readers.h"

#include "base/patience.h"
#include "base/sys.h"
#include "track/books.h"
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
    const struct handle_entry *entry = handle_entry_known(fd);
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
    handle_know_readers((uint32_t)fd + 1);
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
    *facts = note & ~(uint32_t)(READERS_NOTED | READERS_OF_SHM | READERS_CLOSING);
    return note != 0;
}

bool readers_is_ours(int fd)
{
    unsigned noted;
    return readers_has(fd, &noted) && noted == keep_time() && !process_thread_has_left();
}

/* --- their close --- */

static SYS_OWN_FRAME _Atomic uint32_t *place_of(int fd)
{
    if ((uint32_t)fd < READERS_NEAR)
        return &own->near[fd];
    struct handle_entry *entry = note_of(fd) == 0 ? NULL : handle_entry_known(fd);
    return entry == NULL ? NULL : &entry->reader;
}

static SYS_OWN_FRAME void stays(_Atomic uint32_t *note, int fd)
{
    atomic_fetch_and(note, ~(uint32_t)READERS_CLOSING);
    if ((uint32_t)fd < READERS_NEAR)
        atomic_fetch_or(&BOOKS.handles.near[fd], NEAR_READER);
}

/* Whoever enters it meanwhile either is seen here, or sees this. */
static SYS_OWN_FRAME bool closes(int fd)
{
    _Atomic uint32_t *note = place_of(fd);
    if (note == NULL || atomic_load(note) == 0)
        return false;
    atomic_fetch_or(note, READERS_CLOSING);
    if (handle_possible(fd)) {
        stays(note, fd);
        return false;
    }
    if ((uint32_t)fd < READERS_NEAR)
        atomic_fetch_and(&BOOKS.handles.near[fd], (uint8_t)~NEAR_READER);
    return true;
}

bool track_closing_reader(int fd)
{
    return track_is_on() && (readers_is_ours(fd) || process_thread_at_home()) && closes(fd);
}

void track_closed_reader(int fd)
{
    _Atomic uint32_t *note = place_of(fd);
    uint32_t was = note == NULL ? 0 : atomic_load(note);
    if ((was & READERS_CLOSING) != 0)
        atomic_compare_exchange_strong(note, &was, 0);
}

void track_reader_stays(int fd)
{
    _Atomic uint32_t *note = place_of(fd);
    if (note != NULL)
        stays(note, fd);
}

static unsigned end_of_notes(void)
{
    const uint32_t far = atomic_load(&own->end);
    return far > READERS_NEAR ? far : READERS_NEAR;
}

bool track_closing_readers(unsigned first, unsigned last)
{
    const unsigned end = end_of_notes();
    bool any = false;
    if (!track_is_on() || first >= atomic_load(&BOOKS.handles.known) || !process_thread_at_home())
        return false;
    for (unsigned fd = first; fd < end && fd <= last; fd++)
        any |= note_of((int)fd) != 0 && closes((int)fd);
    return any;
}

void track_closed_readers(unsigned first, unsigned last)
{
    for (unsigned fd = first, end = end_of_notes(); fd < end && fd <= last; fd++)
        track_closed_reader((int)fd);
}

/* --- once their engine is seen --- */

static bool is_of(int fd, struct identity file)
{
    struct stat st;
    return sys_fstat(fd, &st) == 0 && identity_same(identity_of(&st), file);
}

/* Its thread may have looked whether it is a handle before it was made one: then it is closing, and
 * its close drops what is locked before that is done. A number that is another file's by now is
 * nobody to wait for; one that is none may be in the middle of it. One that was left by longjmp
 * never ends. */
static SYS_OWN_FRAME void await_close(int fd, struct identity file)
{
    struct patience patience = {0};
    _Atomic uint32_t *note = place_of(fd);
    uint32_t was = note == NULL ? 0 : atomic_load(note);
    struct stat st;
    if ((was & READERS_CLOSING) == 0 ||
        (sys_fstat(fd, &st) == 0 && !identity_same(identity_of(&st), file)))
        return;
    while (atomic_load(note) == was && patience_wait(&patience))
        ;
    atomic_compare_exchange_strong(note, &was, 0);
}

static void enter(int fd, struct store *store, enum role role, struct identity file)
{
    const bool is_new = handle_get(fd).role == ROLE_NONE && is_of(fd, file);
    if (is_new) {
        store_retain(store);
        opened_enter_reader(fd, store, role, file);
    }
    await_close(fd, file);
    if (is_new && !is_of(fd, file))
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

/* Another thread is at it, with signals held. */
static void await_entered(const struct store *store)
{
    struct patience patience = {0};
    while ((atomic_load(&store->state) & STORE_READERS_ARE_IN) == 0 && patience_wait(&patience))
        ;
}

void readers_enter(struct store *store)
{
    const uint32_t both = STORE_READERS_ENTERED | STORE_READERS_ARE_IN;
    if (!has_engine(store) || (atomic_load(&store->state) & both) == both)
        return;
    if ((store_mark(store, STORE_READERS_ENTERED, 0) & STORE_READERS_ENTERED) != 0) {
        await_entered(store);
        return;
    }
    const struct identity primary = store_primary(store);
    enter_each(store, ROLE_PRIMARY, primary, READERS_NOTED);
    store_mark(store, STORE_READERS_ARE_IN, 0);
}

void readers_enter_shm(struct store *store, struct identity file)
{
    if (!has_engine(store))
        return;
    seen_add_shm(file.ino); /* who opens it from now on is looked at */
    enter_each(store, ROLE_SIDECAR, file, READERS_OF_SHM);
}
