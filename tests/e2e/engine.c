/* The engine and the program are told apart: what each of them does with the same files, at the
 * same time. An engine is known by how it opens, by the function of SQLite that it is in, or by its
 * locks; and a process may be the engine of one store and only read another (shim/track/kind.h).
 *
 * programs/keeper opens and locks as SQLite does, new or old; programs/user.py has the real one. */
#include "user.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(engine, .init = world_begin, .fini = world_end, .timeout = 60);

enum { DMS_LOCK = 128 };

/* A program at the level of the log that users have: at others more is looked at. */
static struct process keeper(void)
{
    return SHIMMED_WITH(OPTIONS("--log", "warn"), "build/programs/keeper");
}

static void done(struct process *p)
{
    cr_expect_eq(finish(p), 0, "%s", errors_of(p));
}

static void expect_step_passes(struct process *p, const char *command, const char *path)
{
    const uint64_t began = now_ns();
    cr_expect_geq(say(p, command, path).result, 0, "%s", command);
    const uint64_t took = (now_ns() - began) / MS;
    cr_expect_lt(took, SOON, "%s: took %llu ms", command, (unsigned long long)took);
}

/* The use waits until the holder, which lets go by itself then, has let go. */
static void expect_step_waits(struct process *p, struct process *holder, const char *command,
                              const char *path)
{
    cr_expect_geq(say(p, command, path).result, 0, "%s", command);
    const uint64_t returned = now_ns();
    const uint64_t released = released_at(holder);
    cr_expect_geq(returned, released, "%s", command);
    cr_expect_lt(returned, released + PROMPTLY, "%s", command);
}

/* --- by how it opens --- */

/* A statically linked one, whose functions are not hooked. Its opens come with a mutex held that
 * all its other threads need. */
Test(engine, of_since_3_31_is_told_by_the_flags_of_its_opens)
{
    struct process p = keeper();
    struct process holder = hold("posix", world.primary, 10000);
    expect_step_passes(&p, "engine E -", world.primary);
    expect_step_passes(&p, "engine F -", world.primary);
    kill_now(&holder);
    holder = hold("posix", world.primary, 300);
    expect_step_waits(&p, &holder, "open-read A -", world.primary);
    done(&p);
}

/* --- by its locks --- */

/* SQLite before 3.31 opens its files as any program does (robust_open in its os_unix.c). */
Test(engine, of_before_3_31_is_told_on_the_wal_index_by_its_lock_there)
{
    const char *shm = in_dir("chroma.sqlite3-shm");
    struct process p = keeper();
    cr_assert_geq(say(&p, "open-create S -", shm).result, 0);
    cr_assert_eq(step(&p, "lock S - dms").result, 0);
    cr_assert_geq(say(&p, "open-read A -", shm).result, 0);
    cr_expect_eq(step(&p, "close A").result, 0);
    cr_expect_eq(lock_owner(shm, DMS_LOCK), p.pid, "the program's close is put off");
    cr_expect_eq(step(&p, "close S").result, 0);
    cr_expect_eq(lock_owner(shm, DMS_LOCK), 0, "the engine's is not");
    done(&p);
}

/* What it opens next is no use, though it looks as if the program did; the program opens in another
 * way. */
Test(engine, of_before_3_31_is_told_at_its_next_open_by_how_it_opens)
{
    struct process p = keeper();
    cr_assert_geq(say(&p, "open-cloexec E -", world.primary).result, 0);
    cr_assert_eq(step(&p, "lock E - shared").result, 0);
    cr_assert_eq(step(&p, "unlock E").result, 0);
    struct process holder = hold("posix", world.primary, 10000);
    expect_step_passes(&p, "open-cloexec F -", world.primary);
    kill_now(&holder);
    holder = hold("posix", world.primary, 300);
    expect_step_waits(&p, &holder, "open A -", world.primary);
    done(&p);
}

/* Of a file that was empty when it was opened and locked. */
Test(engine, of_before_3_31_is_told_so_of_a_database_that_it_makes)
{
    const char *path = in_dir("app.db");
    fclose(fopen(path, "w"));
    struct process p =
        SHIMMED_WITH(OPTIONS("--log", "warn", "--stores", "sqlite"), "build/programs/keeper");
    cr_assert_geq(say(&p, "open-cloexec E -", path).result, 0);
    cr_assert_eq(step(&p, "lock E - shared").result, 0);
    cr_assert_eq(step(&p, "unlock E").result, 0);
    FILE *database = fopen(path, "w");
    cr_assert(fputs("SQLite format 3", database) >= 0);
    cr_assert(fseek(database, 1023, SEEK_SET) == 0 && fputc(0, database) == 0);
    cr_assert_eq(fclose(database), 0);
    cr_assert_geq(say(&p, "open-cloexec F -", path).result, 0);
    cr_assert_geq(step(&p, "getfd F").result, 0); /* it is looked at by now */
    struct process holder = hold("posix", path, 10000);
    expect_step_passes(&p, "open-cloexec G -", path);
    kill_now(&holder);
    holder = hold("posix", path, 300);
    expect_step_waits(&p, &holder, "open A -", path);
    done(&p);
}

/* --- by the function that it is in --- */

/* It has only been opened, for reading, and has no lock yet. */
Test(engine, is_a_connection_that_reads_before_its_first_lock)
{
    struct process p = user();
    run(&p, "c = sqlite3.connect('file:' + P + '?mode=ro', uri=True)");
    struct process holder = hold("posix", world.primary, 300);
    expect_waits(&p, &holder, "c.close()");
    user_ends(&p);
}

/* An extension of SQLite's that lists and opens while a connection is opened: SQLite may have
 * whatever it likes locked then, for all that the library knows. */
Test(engine, is_whoever_lists_or_opens_in_a_function_of_sqlite)
{
    struct process p = user();
    open_store(&p, "delete");
    run(&p,
        "F = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)");
    run(&p, "look = lambda *of: (os.listdir(D), os.close(os.open(P, os.O_RDONLY)), 0)[2]");
    run(&p, "extension = F(look)");
    run(&p, "sqlite = ctypes.CDLL('libsqlite3.so.0')");
    expect(&p, "sqlite.sqlite3_auto_extension(extension)", "0");
    struct process holder = writer(10000);
    expect_passes(&p, "d = sqlite3.connect(P)");
    cr_expect_eq(log_count("used while"), 0);
    kill_now(&holder);
    holder = writer(250);
    expect_waits(&p, &holder, "look()");
    run(&p, "sqlite.sqlite3_reset_auto_extension(); d.close(); c.close()");
    user_ends(&p);
}

/* --- its own files --- */

/* They come and go within its transactions. */
static void expect_sidecars_pass(struct process *p)
{
    static const char *const endings[] = {"-journal", "-wal", "-shm"};
    char statement[128];
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        snprintf(statement, sizeof statement,
                 "S = P + '%s'; f = os.open(S, os.O_RDWR | os.O_CREAT)", endings[i]);
        expect_passes(p, statement);
        expect_passes(p, "os.read(f, 1); os.close(f); g = open(S, 'rb'); g.close()");
        expect_passes(p, "os.rename(S, S + '2'); os.rename(S + '2', S); os.unlink(S)");
    }
    expect_passes(p, "fd = os.open(D, os.O_RDONLY); os.close(fd)");
    expect_passes(p, "fd = os.open(D, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC); os.close(fd)");
}

Test(engine, has_sidecars_and_a_directory_whose_opens_are_no_use)
{
    static const char *const logs[] = {"debug", "warn"};
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        struct process p = user_with(OPTIONS("--log", logs[i]));
        run(&p, "c = sqlite3.connect(P); c.execute('create table t(a)'); c.commit()");
        struct process holder = hold("posix", world.primary, 10000);
        expect_sidecars_pass(&p);
        kill_now(&holder);
        run(&p, "c.close()");
        holder = hold("posix", world.primary, 10000);
        expect_sidecars_pass(&p);
        kill_now(&holder);
        user_ends(&p);
        unlink(world.primary);
    }
}

/* The close of a journal comes while SQLite has the database to itself. */
Test(engine, closes_its_sidecars_at_once_whatever_the_trigger)
{
    static const char *const triggers[] = {"last", "every", "use"};
    for (size_t i = 0; i < sizeof triggers / sizeof triggers[0]; i++) {
        struct process p = user_with(OPTIONS("--trigger", triggers[i]));
        open_store(&p, "delete");
        run(&p, "c.execute('pragma synchronous=off')"); /* a disk may be slow */
        struct process holder = hold("posix", world.primary, 10000);
        expect_passes(&p, "c.execute('insert into t values (1)'); c.commit()");
        run(&p, "c.execute('pragma journal_mode=wal').fetchall()");
        expect_passes(&p, "c.execute('insert into t values (1)'); c.commit()");
        kill_now(&holder);
        run(&p, "c.close()");
        user_ends(&p);
        unlink(world.primary);
    }
}

/* --- of one store, and not of another --- */

/* The other is in the books, since the program reads it. */
Test(engine, of_one_store_uses_another_at_once)
{
    static const char *const uses[] = {"os.listdir(O)",
                                       "g = open(Q, 'rb')",
                                       "h = open(Q, 'r+b')",
                                       "spawn('cp', '-r', O)",
                                       "os.system('true ' + Q)",
                                       "os.rename(Q, Q + '2')",
                                       "open(Q + '2', 'w').close(); os.rename(Q + '2', Q)",
                                       "open(Q, 'wb').close()",
                                       "os.unlink(Q)",
                                       "os.rename(O, O + '2')",
                                       "shutil.rmtree(O)"};
    const char *other = in_dir("other/chroma.sqlite3");
    struct process p = user();
    open_store(&p, "delete");
    run(&p, "O = D + '/other'; Q = O + '/chroma.sqlite3'; g = h = c");
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        run(&p, "os.mkdir(O); open(Q, 'w').close(); f = open(Q, 'rb')");
        struct process holder = hold("posix", other, 10000);
        expect_passes(&p, uses[i]);
        kill_now(&holder);
        run(&p, "f.close(); g is c or g.close(); h is c or h.close(); g = h = c");
        expect(&p, "for o in O, O + '2': shutil.rmtree(o, ignore_errors=True)", "None");
    }
    cr_expect_eq(log_count("other/chroma.sqlite3: used while"), 0);
    run(&p, "c.close()");
    user_ends(&p);
}

/* Nor are the closes of that one put off. */
Test(engine, of_one_store_closes_another_really)
{
    const char *other = in_dir("other/chroma.sqlite3");
    struct process p = keeper();
    cr_assert_eq(mkdir(in_dir("other"), 0755), 0);
    cr_assert_geq(say(&p, "engine E -", world.primary).result, 0);
    cr_assert_eq(step(&p, "lock E - shared").result, 0);
    const long number = say(&p, "open-create A -", other).result;
    cr_expect_eq(step(&p, "close A").result, 0);
    cr_expect_eq(say(&p, "open-read A -", other).result, number);
    cr_expect_eq(step(&p, "close A").result, 0);
    cr_expect_eq(say(&p, "open-read A -", "/dev/null").result, number, "it is the program's again");
    done(&p);
}
