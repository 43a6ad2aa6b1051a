/* database FILE MODE COUNT: what sqlite3_close takes of the only connection to a database, which
 * has read. MODE: its journal_mode. Prints the median and the 99th percentile in nanoseconds. */
#include "samples.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>

static bool make(const char *file, const char *mode)
{
    char statement[128];
    sqlite3 *database;
    snprintf(statement, sizeof statement,
             "pragma journal_mode=%s; create table if not exists t(a); insert into t values(1)",
             mode);
    const bool made = sqlite3_open(file, &database) == SQLITE_OK &&
                      sqlite3_exec(database, statement, NULL, NULL, NULL) == SQLITE_OK;
    return sqlite3_close(database) == SQLITE_OK && made;
}

int main(int argc, char **argv)
{
    const size_t count = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    uint64_t *took = calloc(count + 1, sizeof *took);
    if (count == 0 || took == NULL) {
        fprintf(stderr, "database: expected FILE MODE COUNT\n");
        return 2;
    }
    if (!make(argv[1], argv[2]))
        return 1;
    for (size_t i = 0; i < count; i++) {
        sqlite3 *database;
        if (sqlite3_open(argv[1], &database) != SQLITE_OK ||
            sqlite3_exec(database, "select * from t", NULL, NULL, NULL) != SQLITE_OK)
            return 1;
        const uint64_t began = now();
        if (sqlite3_close(database) != SQLITE_OK)
            return 1;
        took[i] = now() - began;
    }
    samples_sort(took, count);
    printf("%lu %lu\n", samples_at(took, count, 0.5), samples_at(took, count, 0.99));
    free(took);
    return 0;
}
