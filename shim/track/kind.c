#include "track/kind.h"

/* SQLite opens so since 3.31 (os_unix.c, robust_open and unixOpen). cp -r, tar and rsync have
 * O_NOFOLLOW, too, and only read. */
static const unsigned as_sqlite_opens = FACT_WRITES | FACT_NOFOLLOW | FACT_CLOEXEC;

bool kind_tells_engine(unsigned facts)
{
    return (facts & (FACT_IN_SQLITE | FACT_SQLITE_LOCK)) != 0 ||
           (facts & as_sqlite_opens) == as_sqlite_opens;
}

enum kind kind_by(const struct profile *profile, enum role role, unsigned facts)
{
    bool counts = (facts & (FACT_WRITES | FACT_LOCK)) != 0;
    if (profile == NULL)    /* a candidate */
        return KIND_READER; /* not counted before it is promoted */
    if (role == ROLE_SECONDARY)
        return counts ? KIND_PRESUMED : KIND_READER;
    const bool by_locks = profile->engine != ENGINE_SQLITE;
    if (!by_locks && (facts & (FACT_COPIES | FACT_LOCK)) == FACT_COPIES)
        counts = false; /* SQLite reads what it writes */
    if (by_locks && (facts & FACT_LOCK) != 0)
        return KIND_ENGINE;
    if ((!by_locks || profile->by_directory) && kind_tells_engine(facts))
        return KIND_ENGINE;
    if (profile->by_directory)
        return KIND_PRESUMED;
    if (by_locks && role == ROLE_SIDECAR)
        counts = false; /* its engine locks the primary, and closes that, too */
    /* Whom the lock was refused did not get to use the store. */
    const bool refused = by_locks && (facts & FACT_REFUSED) != 0;
    return counts && !refused ? KIND_PRESUMED : KIND_READER;
}

uint32_t kind_manner(unsigned facts)
{
    return 1u << (facts & as_sqlite_opens);
}
