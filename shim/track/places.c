#include "track/places.h"

#include "base/patience.h"
#include "base/sys.h"
#include "track/books.h"
#include "track/look.h"
#include "track/process.h"

static struct places_books *const own = &BOOKS.places;

/* What a fork child finds of its parent, in memory that the kernel leaves alone: pid and number of
 * each descriptor that is put off. Emptied before the descriptor is closed or taken up, so that no
 * child closes what has that number next. */
static _Atomic uint64_t for_children[PLACES_MOST + LENT_KINDS];

static uint64_t child_closes(int fd)
{
    return (uint64_t)process_home() << 32 | (unsigned)fd;
}

static unsigned number_of(const struct place *p)
{
    return (unsigned)(p - own->all);
}

struct identity place_identity(struct place *p)
{
    return (struct identity){atomic_load(&p->dev), atomic_load(&p->ino)};
}

struct place *place_new(unsigned most)
{
    for (unsigned i = 0; i < most; i++) {
        uint32_t state = PLACE_FREE;
        if (atomic_compare_exchange_strong(&own->all[i].state, &state, PLACE_BUSY)) {
            if (atomic_fetch_add(&own->count, 1) == 0)
                look_for_kept();
            return &own->all[i];
        }
    }
    return NULL;
}

void place_fill(struct place *p, int fd, struct identity file)
{
    atomic_store(&p->fd, fd);
    atomic_store(&p->dev, file.dev);
    atomic_store(&p->ino, file.ino);
    atomic_store(&p->flags, sys_fcntl(fd, F_GETFL, 0));
    sys_fcntl(fd, F_SETFD, FD_CLOEXEC);
}

void place_enter(struct place *p)
{
    int fd = atomic_load(&p->fd);
    handle_put_off(fd, number_of(p), place_identity(p));
    atomic_store(&for_children[number_of(p)], child_closes(fd));
}

void place_lend(enum lent lent, int fd)
{
    atomic_store(&for_children[PLACES_MOST + lent], fd < 0 ? 0 : child_closes(fd));
}

void place_publish(struct place *p)
{
    atomic_store(&p->state, PLACE_PUT_OFF);
}

void place_withdraw(struct place *p)
{
    atomic_store(&for_children[number_of(p)], 0);
    handle_end_put_off(atomic_load(&p->fd), number_of(p));
}

void place_give_back(struct place *p)
{
    atomic_store(&p->state, PLACE_FREE);
    if (atomic_fetch_sub(&own->count, 1) == 1)
        look_for_kept();
}

void place_empty(struct place *p)
{
    place_withdraw(p);
    place_give_back(p);
}

bool place_is_still(struct place *p)
{
    struct stat st;
    return sys_fstat(atomic_load(&p->fd), &st) == 0 &&
           identity_same(identity_of(&st), place_identity(p));
}

/* The number leaves the table after its close: who has got it meanwhile, and asks for it, waits for
 * that (place_claim_number). */
void place_close(struct place *p)
{
    atomic_store(&for_children[number_of(p)], 0);
    if (place_is_still(p))
        sys_close(atomic_load(&p->fd));
    place_empty(p);
}

bool place_claim(struct place *p)
{
    uint32_t state = PLACE_PUT_OFF;
    return atomic_compare_exchange_strong(&p->state, &state, PLACE_BUSY);
}

void places_close(struct identity file)
{
    for (unsigned i = 0; i < PLACES_MOST; i++) {
        struct place *p = &own->all[i];
        if (!identity_same(place_identity(p), file) || !place_claim(p))
            continue;
        if (identity_same(place_identity(p), file))
            place_close(p);
        else /* it changed hands meanwhile */
            place_publish(p);
    }
}

static struct place *find(int fd)
{
    for (unsigned i = 0; i < PLACES_MOST; i++)
        if (atomic_load(&own->all[i].fd) == fd && atomic_load(&own->all[i].state) != PLACE_FREE)
            return &own->all[i];
    return NULL;
}

struct place *place_claim_number(int fd)
{
    struct patience patience = {0};
    do {
        struct place *p = find(fd);
        if (p == NULL || handle_get(fd).role != ROLE_PUT_OFF)
            return NULL;
        if (place_claim(p)) {
            if (atomic_load(&p->fd) == fd)
                return p;
            atomic_store(&p->state, PLACE_PUT_OFF);
        }
    } while (patience_wait(&patience));
    return NULL;
}

void place_forked(int parent)
{
    for (unsigned i = 0; i < PLACES_MOST + LENT_KINDS; i++) {
        uint64_t kept = atomic_exchange(&for_children[i], 0);
        if (kept != 0 && (int)(kept >> 32) == parent)
            sys_close((int)(uint32_t)kept);
    }
}
