/* The list of live connections under many threads: each is taken out once, by who closes it, with
 * the SQLite and the store that it came with. */
#include "track/connection.h"

#include "base/sys.h"
#include "race.h"
#include "track/books.h"
#include "track/handle.h"

#include <unistd.h>

enum { CONNECTIONS_EACH = 16 };

static char path[] = "/tmp/settle-race-XXXXXX";
static struct store *store;

static int close_of_racer(void *db)
{
    return db == NULL;
}

static void *open_and_close(void *number)
{
    static char places[RACERS * CONNECTIONS_EACH][8]; /* addresses that share the list's places */
    const struct sqlite_calls calls = {.close = close_of_racer};
    uint64_t state = *(unsigned *)number;
    bool open[CONNECTIONS_EACH] = {false};
    while (going_on()) {
        unsigned i = dice(&state, CONNECTIONS_EACH);
        void *db = places[*(unsigned *)number + RACERS * i];
        if (!open[i]) {
            connection_opened(db, i % 2 == 0 ? path : NULL, &calls);
            open[i] = true;
            continue;
        }
        struct leaving l = connection_closing(db);
        CHECK(l.known && l.calls.close == close_of_racer && l.calls.close_v2 == NULL);
        CHECK(l.store == (i % 2 == 0 ? store : NULL));
        open[i] = dice(&state, 4) == 0; /* a close that is refused leaves it as it was */
        connection_closed(db, &l, !open[i], false);
    }
    for (unsigned i = 0; i < CONNECTIONS_EACH; i++) {
        void *db = places[*(unsigned *)number + RACERS * i];
        struct leaving l = connection_closing(db);
        CHECK(l.known == open[i]);
        connection_closed(db, &l, true, false);
    }
    return NULL;
}

int main(void)
{
    struct stat st;
    int fd = mkstemp(path);
    CHECK(fd >= 0 && books_start() && sys_fstat(fd, &st) == 0);
    store = store_acquire((struct identity){st.st_dev, st.st_ino}, &profiles[0], path);
    CHECK(store != NULL);
    CHECK(handle_put(fd, (struct handle){.role = ROLE_PRIMARY,
                                         .store = store,
                                         .identity = identity_of(&st),
                                         .facts = FACT_WRITES}));
    race(open_and_close);
    CHECK(atomic_load(&store->connections) == 0 && atomic_load(&store->pins) == 1);
    return unlink(path) == 0 ? 0 : 1;
}
