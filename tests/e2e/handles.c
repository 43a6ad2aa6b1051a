/* Which closes wait: the last handle, however the program names or copies it. */
#include "e2e.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(handles, .init = world_begin, .fini = world_end, .timeout = 120);

static void end(struct process *p)
{
    cr_expect_eq(finish(p), 0);
}

Test(handles, a_close_that_leaves_handles_open_does_not_wait)
{
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "open a -", world.primary);
    say(&p, "open b -", world.primary);
    step(&p, "close a");
    cr_expect_eq(log_waits(), 0);
    step(&p, "close b");
    cr_expect_eq(log_waits(), 1);
    end(&p);
}

Test(handles, copies_of_a_descriptor_are_handles)
{
    static const char *const copies[] = {"dup a b", "dupfd a b"};
    for (unsigned i = 0; i < 2; i++) {
        struct process p = SHIMMED("build/programs/stepper");
        say(&p, "open a -", world.primary);
        cr_assert_geq(step(&p, copies[i]).result, 0);
        step(&p, "close a");
        cr_expect_eq(log_waits(), i, "%s", copies[i]);
        step(&p, "close b");
        cr_expect_eq(log_waits(), i + 1, "%s", copies[i]);
        end(&p);
    }
}

Test(handles, dup2_closes_what_it_replaces)
{
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "open a -", world.primary);
    step(&p, "open b - /dev/null");
    cr_expect_geq(step(&p, "dup2 b a").result, 0);
    cr_expect_eq(log_waits(), 1);
    step(&p, "close a");
    say(&p, "open a -", world.primary);
    cr_expect_geq(step(&p, "dup2 a b").result, 0); /* a copy more */
    step(&p, "close a");
    cr_expect_eq(log_waits(), 1);
    step(&p, "close b");
    cr_expect_eq(log_waits(), 2);
    end(&p);
}

Test(handles, a_failed_dup2_closes_nothing)
{
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "open a -", world.primary);
    step(&p, "open b - /dev/null");
    step(&p, "close b");
    cr_expect_eq(step(&p, "dup2 b a").result, -1);
    cr_expect_eq(log_waits(), 0);
    step(&p, "close a");
    cr_expect_eq(log_waits(), 1);
    end(&p);
}

Test(handles, close_range_closes_several_and_waits_once)
{
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "open a -", world.primary);
    say(&p, "open b -", world.primary);
    cr_expect_eq(step(&p, "closerange a b").result, 0);
    cr_expect_eq(log_waits(), 1);
    end(&p);
}

Test(handles, freopen_closes_what_the_stream_was)
{
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "fopen a -", world.primary);
    say(&p, "freopen a -", world.log);
    cr_expect_eq(log_waits(), 1);
    step(&p, "fclose a");
    cr_expect_eq(log_waits(), 1);
    end(&p);
}

Test(handles, a_stream_over_a_descriptor_is_the_same_handle)
{
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "open a -", world.primary);
    step(&p, "fdopen a");
    cr_expect_eq(log_waits(), 0);
    step(&p, "fclose a");
    cr_expect_eq(log_waits(), 1);
    end(&p);
}

Test(handles, index_files_that_come_and_go_do_not_wait)
{
    char collection[PATH_MAX];
    snprintf(collection, sizeof collection, "%s", in_dir("d3b07384-d9a0-4c9b-8f3e-0123456789ab"));
    cr_assert_eq(mkdir(collection, 0755), 0);
    const char *header = in_dir("d3b07384-d9a0-4c9b-8f3e-0123456789ab/header.bin");
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "open a -", world.primary);
    for (int i = 0; i < 10; i++) {
        say(&p, "open b -", header);
        step(&p, "close b");
    }
    cr_expect_eq(log_count("opened as secondary"), 10);
    cr_expect_eq(log_waits(), 0);
    step(&p, "close a");
    cr_expect_eq(log_waits(), 1);
    /* nor with the database closed, where each of them is a last handle */
    say(&p, "open b -", header);
    step(&p, "close b");
    cr_expect_eq(log_waits(), 1);
    end(&p);
}

Test(handles, a_locked_index_file_is_reported_and_no_failure)
{
    cr_assert_eq(mkdir(in_dir("collection"), 0755), 0);
    struct process p = SHIMMED_WITH(OPTIONS("--max-wait", "300ms"), "build/programs/stepper");
    say(&p, "open a -", in_dir("collection/data_level0.bin"));
    step(&p, "close a");
    struct process holder = hold("posix", in_dir("collection/data_level0.bin"), 1500);
    say(&p, "open a -", world.primary);
    step(&p, "close a");
    cr_expect(log_has("data_level0.bin: secondary file still locked, not waited for"));
    cr_expect_eq(log_count("still locked after"), 0);
    released_at(&holder);
    end(&p);
}

/* Who only reads counts for no close; who locks does, also by a descriptor that was opened to be
 * read under a name that says nothing. */
Test(handles, a_link_that_is_opened_to_be_read_counts_once_it_locks)
{
    static const char *const locks[] = {"flock a", "readlock a", "readlease a"};
    unsigned waits = 0;
    cr_assert_eq(symlink(world.primary, in_dir("../alias.db")), 0);
    for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++) {
        struct process p = SHIMMED("build/programs/stepper");
        say(&p, "nonblock a -", in_dir("../alias.db"));
        step(&p, "close a");
        cr_expect_eq(log_waits(), waits, "%s", locks[i]);
        say(&p, "nonblock a -", in_dir("../alias.db"));
        cr_expect_eq(step(&p, locks[i]).result, 0, "%s", locks[i]);
        step(&p, "close a");
        cr_expect_eq(log_waits(), ++waits, "%s", locks[i]);
        end(&p);
    }
}

Test(handles, a_store_is_found_however_it_is_named)
{
    char line[PATH_MAX + 32];
    unsigned waits = 0;
    struct process p = SHIMMED("build/programs/stepper");
    cr_assert_eq(symlink(world.dir, in_dir("../linked")), 0);
    cr_assert_eq(symlink(world.primary, in_dir("../alias.db")), 0);
    cr_assert_eq(mkdir(in_dir("../bound"), 0755), 0);

    const char *names[] = {in_dir("../linked/chroma.sqlite3"), in_dir("../alias.db"),
                           in_dir("..//store/./chroma.sqlite3")};
    for (int i = 0; i < 3; i++) {
        say(&p, "open a -", names[i]);
        step(&p, "close a");
        cr_expect_eq(log_waits(), ++waits, "%s", names[i]);
    }

    /* relative, with a chdir in between; and through a directory's descriptor, given with a slash
     */
    say(&p, "chdir - -", world.dir);
    step(&p, "open a - chroma.sqlite3");
    step(&p, "chdir - - /");
    step(&p, "close a");
    cr_expect_eq(log_waits(), ++waits, "relative");
    snprintf(line, sizeof line, "opendir b - %s/", world.dir);
    step(&p, line);
    step(&p, "openat a b chroma.sqlite3");
    step(&p, "close a");
    cr_expect_eq(log_waits(), ++waits, "openat");

    snprintf(line, sizeof line, "opendir b - %s/..", world.dir);
    step(&p, line);
    step(&p, "openat a b alias.db");
    step(&p, "close a");
    cr_expect_eq(log_waits(), ++waits, "a link, by openat");

    if (geteuid() == 0) { /* the same store through two names is one */
        cr_assert_eq(mount(world.dir, in_dir("../bound"), NULL, MS_BIND, NULL), 0);
        say(&p, "open a -", in_dir("../bound/chroma.sqlite3"));
        say(&p, "open c -", world.primary);
        step(&p, "close a");
        cr_expect_eq(log_waits(), waits, "bind mount");
        step(&p, "close c");
        cr_expect_eq(log_waits(), ++waits, "bind mount");
    } else {
        cr_log_warn("SKIPPED: a bind mount needs root");
    }
    end(&p);
    umount(in_dir("../bound"));
}

Test(handles, sidecars_belong_to_their_database)
{
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "open a -", world.primary);
    say(&p, "open b -", in_dir("chroma.sqlite3-wal"));
    step(&p, "close a");
    cr_expect_eq(log_waits(), 0);
    step(&p, "close b");
    cr_expect_eq(log_waits(), 1);
    say(&p, "open b -", in_dir("chroma.sqlite3-journal"));
    step(&p, "close b");
    cr_expect_eq(log_waits(), 1, "a journal alone is no store");
    end(&p);
}

Test(handles, of_other_files_are_not_tracked)
{
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "open a -", in_dir("other.db"));
    step(&p, "close a");
    say(&p, "open a -", in_dir("my-chroma.sqlite3"));
    step(&p, "close a");
    cr_expect_eq(log_count("opened as"), 0);
    cr_expect_eq(log_waits(), 0);
    end(&p);
}

Test(handles, the_profile_sqlite_finds_databases_by_content)
{
    /* python creates it empty, so that it becomes a database only while it is open */
    struct process p = SHIMMED_WITH(OPTIONS("--stores", "chroma:sqlite"), "/usr/bin/python3",
                                    "tests/e2e/programs/closer.py", in_dir("app.data"));
    await_line(&p, "open");
    struct process holder = hold("posix", in_dir("app.data"), 300);
    send_line(&p, "close");
    uint64_t closed = await_line(&p, "closed");
    cr_expect_geq(closed, released_at(&holder));
    cr_expect_eq(finish(&p), 0);

    /* and a file that is none is left alone */
    p = SHIMMED_WITH(OPTIONS("--stores", "chroma:sqlite"), "build/programs/stepper");
    unsigned waits = log_waits();
    say(&p, "open a -", in_dir("empty"));
    step(&p, "close a");
    cr_expect_eq(log_waits(), waits);
    say(&p, "open a -", in_dir("app.data"));
    step(&p, "close a");
    cr_expect_eq(log_waits(), waits + 1);
    end(&p);
}

/* Without a journal beside it, nothing tells of the empty file before its close. */
Test(handles, a_file_that_becomes_a_database_while_it_is_open_is_found)
{
    struct process p = SHIMMED_WITH(OPTIONS("--stores", "sqlite"), "/usr/bin/python3", "-c",
                                    "import sqlite3, sys\n"
                                    "c = sqlite3.connect(sys.argv[1])\n"
                                    "c.execute('pragma journal_mode=off')\n"
                                    "c.execute('create table t(a)')\n"
                                    "d = sqlite3.connect(sys.argv[1])\n"
                                    "d.execute('select * from t').fetchall()\n"
                                    "d.close()\n"
                                    "c.close()\n",
                                    in_dir("new.data"));
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(log_waits(), 1);
}

Test(handles, a_file_that_becomes_a_database_and_is_the_only_handle_is_found)
{
    struct process p = SHIMMED_WITH(OPTIONS("--stores", "sqlite"), "/usr/bin/python3", "-c",
                                    "import sqlite3, sys\n"
                                    "c = sqlite3.connect(sys.argv[1])\n"
                                    "c.execute('pragma journal_mode=off')\n"
                                    "c.execute('create table t(a)')\n"
                                    "c.close()\n",
                                    in_dir("new.data"));
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(log_waits(), 1);
}

/* New files come one after the other under the same number: such a one is noted anew. */
Test(handles, a_new_file_whose_number_was_closed_unseen_is_found_when_it_has_become_a_database)
{
    struct process p = SHIMMED_WITH(OPTIONS("--stores", "sqlite"), "/usr/bin/python3", "-c",
                                    "import ctypes, os, sys\n"
                                    "numbers = set()\n"
                                    "for name in 'first', 'second', 'third':\n"
                                    "    fd = os.open(sys.argv[1] + name, os.O_RDWR | os.O_CREAT)\n"
                                    "    numbers.add(fd)\n"
                                    "    if name != 'third':\n"
                                    "        ctypes.CDLL('libc.so.6').syscall({'x86_64': 3, "
                                    "'aarch64': 57}[os.uname().machine], fd)\n"
                                    "assert len(numbers) == 1, numbers\n"
                                    "os.write(fd, b'SQLite format 3\\0' + bytes(496))\n"
                                    "os.close(fd)\n",
                                    in_dir("new."));
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
    cr_expect_eq(log_waits(), 1);
}

Test(handles, directories_by_glob_track_every_file_in_them)
{
    char glob[PATH_MAX];
    cr_assert_eq(mkdir(in_dir("../delta-1"), 0755), 0);
    cr_assert_eq(mkdir(in_dir("../omega-1"), 0755), 0);
    cr_assert_eq(symlink(world.dir, in_dir("../way")), 0);
    snprintf(glob, sizeof glob, "%s", in_dir("../way/../delta-*"));
    struct process p = SHIMMED_WITH(OPTIONS("--dir", glob), "build/programs/stepper");
    say(&p, "open a -", in_dir("../delta-1/index"));
    step(&p, "close a");
    cr_expect_eq(log_waits(), 1);
    say(&p, "open a -", in_dir("../omega-1/index"));
    step(&p, "close a");
    cr_expect_eq(log_waits(), 1);
    end(&p);
}

/* Started in the directory around the store, with SETTLE_DIRS as it is given. */
static struct process stepper_tracking(const char *dirs)
{
    return PLAIN("sh", "-c",
                 "root=$PWD; cd \"$1/..\" && SETTLE_DIRS=$2 SETTLE_LOG=debug SETTLE_LOG_FILE=$3 "
                 "LD_PRELOAD=$root/build/libsettle.so exec \"$root/build/programs/stepper\"",
                 "sh", world.dir, dirs, world.log);
}

static void expect_tracked(struct process *p, const char *path)
{
    say(p, "open a -", path);
    step(p, "close a");
    cr_expect_eq(log_waits(), 1, "%s", path);
    end(p);
}

Test(handles, relative_directories_are_those_of_where_the_program_started)
{
    cr_assert_eq(mkdir(in_dir("../delta-1"), 0755), 0);
    struct process p = stepper_tracking("omega:delta-*");
    step(&p, "chdir - - /");
    expect_tracked(&p, in_dir("../delta-1/index"));
}

/* The kernel's name tells, not the one that the program has for it. */
Test(handles, a_directory_is_known_by_whatever_way_a_file_in_it_is_opened)
{
    static const char *const ways[] = {"delta/index", "way/index", "way/../delta/index", "link"};
    cr_assert_eq(mkdir(in_dir("../delta"), 0755), 0);
    cr_assert_eq(symlink("delta", in_dir("../way")), 0);
    cr_assert_eq(symlink("delta/index", in_dir("../link")), 0);
    struct process p = stepper_tracking("delta");
    for (unsigned i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        say(&p, "open a -", ways[i]);
        step(&p, "close a");
        cr_expect_eq(log_waits(), i + 1, "%s", ways[i]);
        say(&p, "open a -", "other");
        step(&p, "close a");
        cr_expect_eq(log_waits(), i + 1, "beside %s", ways[i]);
    }
    end(&p);
}

Test(handles, nothing_between_two_colons_is_no_directory)
{
    struct process p = stepper_tracking(":/nonexistent::/nonexistent");
    say(&p, "open a -", in_dir("../file"));
    step(&p, "close a");
    cr_expect_eq(log_waits(), 0);
    end(&p);
}

Test(handles, a_directory_may_come_later)
{
    struct process p = stepper_tracking("delta");
    step(&p, "lowest"); /* it has started */
    cr_assert_eq(mkdir(in_dir("../delta"), 0755), 0);
    expect_tracked(&p, in_dir("../delta/index"));
}

/* What other kinds of store call their index files, and SQLite its sidecars. */
Test(handles, in_a_directory_that_was_named_every_file_is_tracked_whatever_its_name)
{
    static const char *const names[] = {"index.bin", "model.pickle", "notes-wal", "x-journal"};
    cr_assert_eq(mkdir(in_dir("../delta"), 0755), 0);
    struct process p = stepper_tracking("delta");
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[PATH_MAX + 32];
        snprintf(path, sizeof path, "%s/%s", in_dir("../delta"), names[i]);
        say(&p, "open a -", path);
        step(&p, "close a");
        cr_expect_eq(log_waits(), i + 1, "%s", names[i]);
    }
    end(&p);
}

Test(handles, a_directory_that_does_not_exist_is_a_warning_that_names_it)
{
    struct process p = stepper_tracking("absent:~/data");
    step(&p, "lowest");
    cr_expect_eq(log_count("warning: "), 2);
    cr_expect(log_has("/absent: named by SETTLE_DIRS, does not exist"));
    cr_expect(log_has("/~/data: named by SETTLE_DIRS, does not exist; its ~ stands for no home"));
    end(&p);
}

Test(handles, a_file_in_place_of_a_directory_is_a_warning_that_names_it)
{
    FILE *file = fopen(in_dir("../file"), "w");
    cr_assert_not_null(file);
    fclose(file);
    struct process p = stepper_tracking("file");
    step(&p, "lowest");
    cr_expect_eq(log_count("warning: "), 1);
    cr_expect(log_has("/file: named by SETTLE_DIRS, is a file: expected a directory"));
    end(&p);
}

Test(handles, a_directory_that_is_no_glob_may_look_like_one)
{
    cr_assert_eq(mkdir(in_dir("../[a]*\\"), 0755), 0);
    cr_assert_eq(symlink("[a]*\\", in_dir("../plain")), 0);
    struct process p = stepper_tracking("plain");
    expect_tracked(&p, in_dir("../plain/index"));
}

Test(handles, with_trigger_every_each_close_of_a_primary_waits)
{
    struct process p = SHIMMED_WITH(OPTIONS("--trigger", "every"), "build/programs/stepper");
    say(&p, "open a -", world.primary);
    say(&p, "open b -", world.primary);
    step(&p, "close a");
    cr_expect_eq(log_waits(), 1);
    step(&p, "close b");
    cr_expect_eq(log_waits(), 2);
    end(&p);
}

Test(handles, the_last_of_several_connections_waits_once)
{
    struct process p = SHIMMED("/usr/bin/python3", "-c",
                               "import sqlite3, sys\n"
                               "all = [sqlite3.connect(sys.argv[1]) for i in range(5)]\n"
                               "all[0].execute('create table t(a)')\n"
                               "for c in all: c.execute('select * from t').fetchall(); c.close()\n"
                               "print('closed', flush=True)\n",
                               world.primary);
    await_line(&p, "closed");
    cr_expect_eq(log_waits(), 1);
    cr_expect_eq(finish(&p), 0, "%s", errors_of(&p));
}

Test(handles, a_fork_child_that_closes_does_not_wait_and_changes_nothing)
{
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "open a -", world.primary);
    struct process holder = hold("posix", world.primary, 800);
    cr_expect_eq(step(&p, "childcloses a").result, 0);
    cr_expect_eq(log_waits(), 0);
    step(&p, "close a");
    cr_expect_eq(log_count("File unlocked after polling"), 1);
    released_at(&holder);
    end(&p);
}

Test(handles, a_fork_childs_own_store_is_waited_for)
{
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "open a -", world.primary);
    cr_expect_eq(say(&p, "childopens - -", world.primary).result, 0);
    cr_expect_eq(log_waits(), 1);
    step(&p, "close a");
    cr_expect_eq(log_waits(), 2);
    end(&p);
}

Test(handles, a_store_renamed_while_open_is_waited_for_where_it_is)
{
    struct process p = SHIMMED("build/programs/stepper");
    say(&p, "open a -", world.primary);
    cr_expect_eq(say(&p, "rename - -", world.primary).result, 0);
    struct process holder = hold("posix", in_dir("chroma.sqlite3.moved"), 300);
    step(&p, "close a");
    cr_expect_eq(log_count("File unlocked after polling"), 1);
    released_at(&holder);
    end(&p);
}

Test(handles, a_close_that_went_by_unseen_makes_no_later_close_wait)
{
    static const char *const reopens[] = {"open a - /dev/null", "hiddenopen a - /dev/null"};
    struct process p = SHIMMED("build/programs/stepper");
    for (unsigned i = 0; i < 2; i++) {
        long number = say(&p, "open a -", world.primary).result;
        step(&p, "hiddenclose a");
        cr_assert_eq(step(&p, reopens[i]).result, number, "the number is used again");
        step(&p, "close a");
        cr_expect_eq(log_waits(), i, "%s", reopens[i]);
        say(&p, "open a -", world.primary);
        step(&p, "close a");
        cr_expect_eq(log_waits(), i + 1, "the count of handles is right again");
    }
    end(&p);
}

Test(handles, the_shim_takes_no_descriptor_number)
{
    struct process p = SHIMMED("build/programs/stepper");
    long lowest = step(&p, "lowest").result;
    say(&p, "open a -", world.primary);
    step(&p, "close a");
    cr_expect_eq(step(&p, "lowest").result, lowest);
    cr_expect_eq(lowest, 3);
    end(&p);
}

/* Nobody looks at such a file when it is opened: a connection that only reads takes a lock. */
Test(handles, by_content_what_is_opened_to_be_read_counts_once_it_has_a_lock)
{
    static const char *const opens[] = {"open-read A -", "open-nofollow A -"};
    char command[PATH_MAX + 64];
    snprintf(command, sizeof command, "sqlite3 '%s' 'create table t(a)'", in_dir("some.db"));
    for (size_t i = 0; i < 2; i++) {
        remove(in_dir("some.db"));
        cr_assert_eq(system(command), 0);
        struct process p = SHIMMED_WITH(OPTIONS("--stores", "sqlite"), "build/programs/keeper");
        say(&p, opens[i], in_dir("some.db"));
        step(&p, "lock A - shared");
        step(&p, "unlock A");
        struct process holder = hold("posix", in_dir("some.db"), 300);
        cr_expect_eq(step(&p, "close A").result, 0);
        cr_expect_geq(now_ns(), released_at(&holder), "%s", opens[i]);
        say(&p, opens[i], in_dir("some.db"));
        holder = hold("posix", in_dir("some.db"), 5000);
        uint64_t began = now_ns();
        cr_expect_eq(step(&p, "close A").result, 0);
        cr_expect_lt(now_ns() - began, 1000 * (uint64_t)MS,
                     "%s: who only reads counts for no close", opens[i]);
        kill(holder.pid, SIGKILL);
        finish(&holder);
        cr_expect_eq(finish(&p), 0);
    }
}
