/* settle-wait --copy at the edges: what files have besides their content, what lies beside the copy
 * or in its way, and who is killed, or closes, meanwhile. */
#include "copied.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(copy_edges, .init = world_begin, .fini = world_end, .timeout = 120);

/* --- attributes --- */

/* acl(5) as the kernel keeps it: rights of the owner, of user 1234, of the group, the mask, of
 * others (linux/posix_acl_xattr.h). */
#define LISTS                                                                                      \
    "import os, struct, sys\n"                                                                     \
    "def rights(*perms):\n"                                                                        \
    "    tags = ((1, -1), (2, 1234), (4, -1), (16, -1), (32, -1))\n"                               \
    "    return struct.pack('<I', 2) + b''.join(struct.pack('<HHi', tag, perm, id)\n"              \
    "                                           for (tag, id), perm in zip(tags, perms))\n"        \
    "access, default = 'system.posix_acl_access', 'system.posix_acl_default'\n"                    \
    "top = os.path.dirname(sys.argv[1])\n"

static bool has_lists(void)
{
    struct process p =
        PLAIN(PYTHON, "-c",
              LISTS "try:\n"
                    "    os.setxattr(sys.argv[2], access, rights(7, 0, 0, 0, 0))\n"
                    "    os.setxattr(sys.argv[2], 'user.note', b'')\n"
                    "except OSError as error: sys.exit(77 if error.errno == 95 else str(error))\n"
                    "os.removexattr(sys.argv[2], access)\n"
                    "os.removexattr(sys.argv[2], 'user.note')\n",
              world.primary, world.dir);
    const int status = finish(&p);
    cr_expect(status == 0 || status == 77, "%s", errors_of(&p));
    if (status == 77)
        cr_log_warn("SKIPPED: the file system has no such attributes");
    return status == 0;
}

/* The lists that the directory of the copy hands down are not the copy's. */
Test(copy_edges, has_lists_of_rights_and_attributes_of_users)
{
    if (!has_lists())
        return;
    make_database("delete");
    begin_index();
    end_index();
    run_python(LISTS "for name in ('', 'collection', 'chroma.sqlite3', 'collection/length.bin'):\n"
                     "    path = os.path.join(top, name)\n"
                     "    os.setxattr(path, 'user.note', name.encode())\n"
                     "    os.setxattr(path, access, rights(7, 6, 4, 6, 0))\n"
                     "os.setxattr(sys.argv[1], access, rights(6, 6, 0, 6, 0))\n"
                     "os.setxattr(top + '/collection', default, rights(7, 5, 5, 5, 0))\n"
                     "os.setxattr(top + '/..', default, rights(7, 7, 7, 7, 7))\n",
               "");
    expect_copied(copy());
    run_python(LISTS "def told(top):\n"
                     "    for at, _, files in os.walk(top):\n"
                     "        for path in [at] + [os.path.join(at, name) for name in files]:\n"
                     "            lists = {name: os.getxattr(path, name) for name in\n"
                     "                     os.listxattr(path) if name.startswith(('user.', "
                     "'system.'))}\n"
                     "            yield os.path.relpath(path, top), os.stat(path).st_mode, lists\n"
                     "def all_of(top): return sorted(told(top), key=lambda one: one[0])\n"
                     "assert access in all_of(top)[0][2], 'there are no lists here'\n"
                     "a, b = all_of(top), all_of(sys.argv[2])\n"
                     "assert a == b, '\\n'.join(map(str, a + ['and'] + b))\n",
               to());
}

/* At the beginning, in the middle and at the end. */
Test(copy_edges, has_holes_where_the_store_has_them)
{
    make_database("delete");
    run_python("import os, sys\n"
               "top = os.path.dirname(sys.argv[1])\n"
               "for name, places, size in (('middle', (1 << 25, 3 << 24), 1 << 26),\n"
               "                           ('end', (1 << 25,), 0), ('hole', (), 1 << 25)):\n"
               "    with open(os.path.join(top, name), 'wb') as file:\n"
               "        for at in places:\n"
               "            file.seek(at)\n"
               "            file.write(os.urandom(70000))\n"
               "        if size: file.truncate(size)\n",
               "");
    expect_copied(copy());
    run_python("import os, sys\n"
               "top = os.path.dirname(sys.argv[1])\n"
               "for name in ('middle', 'end', 'hole'):\n"
               "    paths = [os.path.join(at, name) for at in (top, sys.argv[2])]\n"
               "    a, b = (open(path, 'rb').read() for path in paths)\n"
               "    assert a == b, (name, len(a), len(b))\n"
               "    before, after = (os.stat(path).st_blocks for path in paths)\n"
               "    assert after <= before + 64, (name, before, after)\n",
               to());
}

/* --- what is in the way --- */

Test(copy_edges, is_not_in_itself_where_a_link_leads_to_its_place)
{
    make_database("delete");
    cr_assert_eq(symlink("..", in_dir("link")), 0);
    FILE *file = fopen(in_dir("../note"), "w");
    fputs("it is followed", file);
    fclose(file);
    expect_copied(copy());
    cr_expect(exists(in_dir("../copy/link/note")));
    cr_expect_not(exists(in_dir("../copy/link/.copy.settle-copy")));
}

/* SQLite would fold it into the copy, or roll that back. */
Test(copy_edges, is_refused_where_another_ones_journal_lies_beside_it)
{
    static const char *const endings[] = {"-wal", "-journal"};
    make_database("delete");
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        char other[PATH_MAX];
        char message[64];
        snprintf(other, sizeof other, "%s%s", to(), endings[i]);
        snprintf(message, sizeof message, "copy%s is there already", endings[i]);
        fclose(fopen(other, "w"));
        expect_said(PLAIN(WAIT, "--copy", to(), world.primary), 3, message);
        cr_expect_not(exists(to()));
        cr_expect_eq(unlink(other), 0);
    }
    expect_copied(PLAIN(WAIT, "--copy", to(), world.primary));
}

/* Has the write lock until it is finished. */
static struct process hold_as_writer(void)
{
    struct process writer = PLAIN(PYTHON, "-c",
                                  "import sqlite3, sys\n"
                                  "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                                  "c.execute('begin immediate')\n"
                                  "print('holds', flush=True)\n"
                                  "sys.stdin.readline()\n",
                                  world.primary);
    await_line(&writer, "holds");
    return writer;
}

Test(copy_edges, is_none_where_one_comes_to_lie_there_meanwhile)
{
    make_database("delete");
    char other[PATH_MAX];
    snprintf(other, sizeof other, "%s-wal", to());
    struct process writer = hold_as_writer();
    struct process p = PLAIN(WAIT, "--copy", to(), "--max-wait", "20", world.primary);
    for (int i = 0; i < 2000 && beside() == 0; i++)
        sleep_ms(5);
    fclose(fopen(other, "w"));
    finish(&writer);
    expect_said(p, 3, "copy-wal is there already");
    cr_expect_not(exists(to()));
    cr_expect_eq(beside(), 1, "that alone");
}

Test(copy_edges, of_several_says_which_is_damaged)
{
    char other[PATH_MAX];
    make_database("delete");
    snprintf(other, sizeof other, "%s", in_dir("../other.db"));
    run_python("import shutil, sys\n"
               "shutil.copy(*sys.argv[1:])\n"
               "with open(sys.argv[2], 'r+b') as file:\n"
               "    file.seek(4096)\n"
               "    file.write(b'x' * 4096)\n",
               other);
    expect_said(PLAIN(WAIT, "--copy", to(), world.dir, other), 3,
                "other.db: cannot be copied: the database is corrupt");
    cr_expect_eq(beside(), 0);
}

/* --- who is killed, and who closes --- */

Test(copy_edges, whose_maker_is_killed_leaves_nothing_behind)
{
    make_database("delete");
    char path[64];
    int maker = 0;
    struct process writer = hold_as_writer();
    /* Whatever whoever runs the tests does with SIGPIPE. */
    struct process p =
        PLAIN("env", "--default-signal=PIPE", WAIT, "--copy", to(), "--max-wait", "20", world.dir);
    for (int i = 0; i < 2000 && !exists(in_dir("../.copy.settle-copy/copy")); i++)
        sleep_ms(5);
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", p.pid, p.pid);
    FILE *children = fopen(path, "r");
    cr_assert(children != NULL && fscanf(children, "%d", &maker) == 1, "nobody makes it");
    fclose(children);
    sleep_ms(200); /* the lock is waited for */
    kill(maker, SIGKILL);
    finish(&writer);
    expect_said(p, 3, "the process that copied was ended from outside");
    cr_expect_eq(beside(), 0);
}

/* Nobody else has it open then, and what is in the -wal would not be in the main file. */
Test(copy_edges, folds_in_what_a_program_would_that_closes_meanwhile)
{
    make_database("wal");
    begin_index();
    struct process program = PLAIN(PYTHON, "-c",
                                   "import sqlite3, sys\n"
                                   "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
                                   "c.execute('update t set a = a + 1')\n"
                                   "print('written', flush=True)\n"
                                   "sys.stdin.readline()\n"
                                   "c.close()\n",
                                   world.primary);
    await_line(&program, "written");
    struct process writer = PLAIN(PYTHON, "-c", rival, world.primary);
    struct process p = PLAIN(WAIT, "--copy", to(), "--max-hold", "20", world.dir);
    await_refusal(&writer);
    kill(writer.pid, SIGKILL);
    finish(&writer);
    cr_expect_eq(finish(&program), 0);
    cr_expect(exists(in_dir("chroma.sqlite3-wal")), "that close left it to the last");
    end_index();
    expect_copied(p);
    cr_expect_not(exists(in_dir("chroma.sqlite3-wal")));
    cr_expect_eq(rows_of(world.primary), 10);
}
