/* namesake: a program without SQLite whose own functions have some of its names; with another that
 * is in the library of its link (libraries/namesake.c). */
#include <stdio.h>

int sqlite3_open(const char *path, int *connection);
int sqlite3_close(void *connection);
int sqlite3_close_v2(void *connection);

int sqlite3_open(const char *path, int *connection)
{
    *connection = path[0];
    return 'o';
}

/* Its own; the library's is not used. */
int sqlite3_close(void *connection)
{
    return *(int *)connection;
}

int main(void)
{
    int connection = 0;
    int opened = sqlite3_open("x", &connection);
    printf("%d %d %d\n", opened, sqlite3_close(&connection), sqlite3_close_v2(&connection));
    return 7;
}
