/* What the tests of settle-wait --copy share: a store with a database and an index, the copy, and
 * who would write meanwhile. */
#ifndef SETTLE_COPIED_H
#define SETTLE_COPIED_H

#include "e2e.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WAIT   "build/settle-wait"
#define PYTHON "/usr/bin/python3"

static inline void run_python(const char *script, const char *argument)
{
    struct process p = PLAIN(PYTHON, "-c", script, world.primary, argument);
    int status = finish(&p);
    cr_assert_eq(status, 0, "%s", errors_of(&p));
}

/* A database in the world with ten rows; mode: its journal_mode. */
static inline void make_database(const char *mode)
{
    run_python("import sqlite3, sys\n"
               "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
               "c.execute('pragma journal_mode=' + sys.argv[2])\n"
               "c.execute('create table t(a)')\n"
               "for i in range(10): c.execute('insert into t values (?)', (i,))\n",
               mode);
}

/* What python says of a path. */
static inline const char *ask(const char *script, const char *path)
{
    static char line[1024];
    struct process p = PLAIN(PYTHON, "-c", script, path);
    if (!read_line(&p, line, sizeof line))
        line[0] = '\0';
    finish(&p);
    line[strcspn(line, "\n")] = '\0';
    return line;
}

static inline int rows_of(const char *database)
{
    return atoi(ask("import sqlite3, sys\n"
                    "c = sqlite3.connect(sys.argv[1])\n"
                    "assert c.execute('pragma integrity_check').fetchone() == ('ok',)\n"
                    "print(c.execute('select count(*) from t').fetchone()[0])\n",
                    database));
}

static inline bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* How many names there are beside the store, its log left out; with those that begin with a dot. */
static inline int beside(void)
{
    int count = 0;
    DIR *directory = opendir(in_dir(".."));
    for (const struct dirent *e; (e = readdir(directory)) != NULL;)
        count += strstr(e->d_name, "copy") != NULL;
    closedir(directory);
    return count;
}

static inline const char *to(void)
{
    return in_dir("../copy");
}

static inline struct process copy(void)
{
    return PLAIN(WAIT, "--copy", to(), world.dir);
}

static inline void expect_said(struct process p, int status, const char *message)
{
    cr_expect_eq(finish(&p), status, "%s", errors_of(&p));
    cr_expect_not_null(strstr(errors_of(&p), message), "no '%s' in: %s", message, errors_of(&p));
}

static inline void expect_copied(struct process p)
{
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_str_eq(errors_of(&p), "");
    cr_expect_eq(beside(), 1, "and nothing but the copy");
}

/* An HNSW index of ten elements, but for the last bytes of data_level0.bin. */
static inline void begin_index(void)
{
    run_python("import os, struct, sys\n"
               "top = os.path.dirname(sys.argv[1]) + '/collection'\n"
               "os.mkdir(top)\n"
               "def put(name, data):\n"
               "    with open(top + '/' + name, 'wb') as file: file.write(data)\n"
               "put('header.bin', struct.pack('<iQQQQQQiIQQQdQ', 1, 0, 100, 10, 64, 56, 8, 0, 0, "
               "16, 32, 16, 0.36, 100))\n"
               "put('data_level0.bin', bytes(639))\n"
               "put('length.bin', bytes(40))\n"
               "put('link_lists.bin', bytes(40))\n"
               "put('index_metadata.pickle', b'\\x80\\x04N.')\n",
               "");
}

static inline void end_index(void)
{
    FILE *file = fopen(in_dir("collection/data_level0.bin"), "a");
    cr_assert_eq(fputc('x', file), 'x');
    fclose(file);
}

/* Tries for the write lock, and reads, as often as it is told: "refused" or "got", and the rows. */
static const char rival[] =
    "import sqlite3, sys\n"
    "c = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)\n"
    "for line in sys.stdin:\n"
    "    try:\n"
    "        c.execute('begin immediate')\n"
    "        c.execute('rollback')\n"
    "        said = 'got'\n"
    "    except sqlite3.OperationalError:\n"
    "        said = 'refused'\n"
    "    print(said, c.execute('select count(*) from t').fetchone()[0], flush=True)\n";

static inline bool is_refused(struct process *p)
{
    char line[64];
    send_line(p, "try");
    cr_assert(read_line(p, line, sizeof line));
    cr_expect_not_null(strstr(line, " 10"), "it reads: %s", line);
    return strncmp(line, "refused", 7) == 0;
}

static inline void await_refusal(struct process *p)
{
    for (int i = 0; !is_refused(p); i++) {
        cr_assert_lt(i, 2000, "writers are not kept out");
        sleep_ms(5);
    }
}

#endif
