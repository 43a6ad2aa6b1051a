/* Debian's SQLite, linked statically; the loop of store/store.go. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static long long now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (long long)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int main(void)
{
    static const char write[] = "create table if not exists t(a); insert into t values (1)";
    char line[4096];
    while (fgets(line, sizeof line, stdin) != NULL) {
        sqlite3 *db;
        line[strcspn(line, "\n")] = '\0';
        if (sqlite3_open(line, &db) != SQLITE_OK ||
            sqlite3_exec(db, write, NULL, NULL, NULL) != SQLITE_OK)
            return 1;
        puts("open");
        fflush(stdout);
        if (fgets(line, sizeof line, stdin) == NULL)
            break;
        long long began = now();
        if (sqlite3_close(db) != SQLITE_OK)
            return 1;
        printf("closed %lld\n", now() - began);
        fflush(stdout);
    }
    return 0;
}
