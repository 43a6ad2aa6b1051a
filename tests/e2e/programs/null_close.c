/* null_close: closes no connection, which SQLite takes for a harmless thing. */
#include <sqlite3.h>
#include <stdio.h>

int main(void)
{
    int close = sqlite3_close(NULL);
    int close_v2 = sqlite3_close_v2(NULL);
    printf("%d %d\n", close, close_v2);
    return 7;
}
