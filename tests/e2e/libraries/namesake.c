/* A library that is not SQLite and has two of its names. */
int sqlite3_close(void *connection);
int sqlite3_close_v2(void *connection);

int sqlite3_close(void *connection)
{
    return *(int *)connection + 1;
}

int sqlite3_close_v2(void *connection)
{
    return *(int *)connection + 2;
}
