#include "track/outlasted.h"

#include "track/books.h"

static const uint32_t being_written = UINT32_MAX;

static struct outlasted_books *const own = &BOOKS.outlasted;

static bool is_of(const struct outlasted_entry *e, struct identity database)
{
    return atomic_load(&e->ino) == database.ino && atomic_load(&e->dev) == database.dev;
}

static struct outlasted_entry *find(struct identity database, int pid, uint64_t start)
{
    if (atomic_load(&own->made) == 0)
        return NULL;
    for (int i = 0; i < OUTLASTED_MOST; i++) {
        struct outlasted_entry *e = &own->entries[i];
        if (atomic_load(&e->pid) == (uint32_t)pid && is_of(e, database) &&
            atomic_load(&e->start) == start && atomic_load(&e->pid) == (uint32_t)pid)
            return e;
    }
    return NULL;
}

bool outlasted_knows(struct identity database, int pid, uint64_t start)
{
    return find(database, pid, start) != NULL;
}

/* Another thread that is writing one keeps it. */
static struct outlasted_entry *claim(void)
{
    for (int i = 0; i < OUTLASTED_MOST; i++) {
        uint32_t none = 0;
        if (atomic_compare_exchange_strong(&own->entries[i].pid, &none, being_written))
            return &own->entries[i];
    }
    struct outlasted_entry *e = &own->entries[atomic_load(&own->made) % OUTLASTED_MOST];
    uint32_t pid = atomic_load(&e->pid);
    if (pid == being_written || !atomic_compare_exchange_strong(&e->pid, &pid, being_written))
        return NULL;
    return e;
}

void outlasted_add(struct identity database, int pid, uint64_t start)
{
    if (find(database, pid, start) != NULL)
        return;
    struct outlasted_entry *e = claim();
    if (e == NULL)
        return;
    atomic_store(&e->told, false);
    atomic_store(&e->start, start);
    atomic_store(&e->dev, database.dev);
    atomic_store(&e->ino, database.ino);
    atomic_store(&e->pid, (uint32_t)pid);
    atomic_fetch_add(&own->made, 1);
}

void outlasted_forget(struct identity database)
{
    if (atomic_load(&own->made) == 0)
        return;
    for (int i = 0; i < OUTLASTED_MOST; i++) {
        struct outlasted_entry *e = &own->entries[i];
        uint32_t pid = atomic_load(&e->pid);
        if (pid != 0 && pid != being_written && is_of(e, database))
            atomic_compare_exchange_strong(&e->pid, &pid, 0);
    }
}

bool outlasted_tells(struct identity database, int pid, uint64_t start)
{
    struct outlasted_entry *e = find(database, pid, start);
    return e != NULL && !atomic_exchange(&e->told, true);
}
