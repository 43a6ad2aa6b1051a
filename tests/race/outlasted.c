/* Holders that outlasted waits, added, looked for and forgotten by many threads: what is known was
 * added, and never put together from two. */
#include "track/outlasted.h"

#include "race.h"
#include "track/books.h"

enum { PIDS = 64, DATABASES = 4 };

/* Of a pid each: so an entry that is a mixture is known by that. */
static uint64_t start_of(int pid)
{
    return (uint64_t)pid * 1000 + 7;
}

static struct identity database(unsigned number)
{
    return (struct identity){number + 1, 100 * (number + 1)};
}

static void *add_and_forget(void *number)
{
    uint64_t state = *(unsigned *)number;
    while (going_on()) {
        int pid = 1 + (int)dice(&state, PIDS);
        struct identity of = database((unsigned)pid % DATABASES);
        switch (dice(&state, 4)) {
        case 0:
            outlasted_add(of, pid, start_of(pid));
            break;
        case 1:
            outlasted_forget(database((unsigned)dice(&state, DATABASES)));
            break;
        case 2:
            outlasted_tells(of, pid, start_of(pid));
            break;
        default:
            CHECK(!outlasted_knows(of, pid, start_of(pid + 1)));
            CHECK(!outlasted_knows(database((unsigned)(pid + 1) % DATABASES), pid, start_of(pid)));
        }
    }
    return NULL;
}

int main(void)
{
    CHECK(books_start());
    race(add_and_forget);
    for (int pid = 1; pid <= PIDS; pid++)
        outlasted_add(database((unsigned)pid % DATABASES), pid, start_of(pid));
    CHECK(outlasted_knows(database(PIDS % DATABASES), PIDS, start_of(PIDS)));
    for (unsigned i = 0; i < DATABASES; i++)
        outlasted_forget(database(i));
    for (int pid = 1; pid <= PIDS; pid++)
        CHECK(!outlasted_knows(database((unsigned)pid % DATABASES), pid, start_of(pid)));
    return 0;
}
