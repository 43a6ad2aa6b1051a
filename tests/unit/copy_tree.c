/* The files of a store's directory as a list, and which of them have changed between two looks. */
#include "commands/copy_tree.h"

#include "unit.h"

TestSuite(copy_tree, .init = dir_begin, .fini = dir_end, .timeout = 30);

static struct identity without; /* no file has it */

static bool list(struct tree *tree)
{
    char why[256];
    struct text t = text_in(why, sizeof why);
    int fd = open(unit_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool good = tree_read(tree, fd, &profiles[0], without, &t);
    close(fd);
    return good;
}

Test(copy_tree, has_all_but_the_database_by_their_paths)
{
    struct tree tree;
    cr_assert_eq(mkdir(in_dir("b"), 0755), 0);
    cr_assert_eq(mkdir(in_dir("b/deep"), 0755), 0);
    for (size_t i = 0; i < 6; i++)
        a_file(((const char *const[]){"chroma.sqlite3", "chroma.sqlite3-wal", "chroma.sqlite3-shm",
                                      "chroma.sqlite3-old", "a.bin", "b/x.bin"})[i]);
    a_file("b/chroma.sqlite3");
    a_file("b/deep/x.bin");
    cr_assert(list(&tree));
    static const char *const expected[] = {"a.bin",        "b",       "b/chroma.sqlite3",  "b/deep",
                                           "b/deep/x.bin", "b/x.bin", "chroma.sqlite3-old"};
    cr_assert_eq(tree.count, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < tree.count; i++) {
        cr_expect_str_eq(tree.entries[i].path, expected[i]);
        cr_expect_eq(tree.entries[i].index, strcmp(expected[i], "b/x.bin") == 0, "%s", expected[i]);
        cr_expect_eq(tree_find(&tree, expected[i]), &tree.entries[i]);
    }
    cr_expect_null(tree_find(&tree, "chroma.sqlite3"));
    tree_free(&tree);
}

Test(copy_tree, follows_links_and_none_into_what_it_is_in)
{
    struct tree tree;
    cr_assert_eq(mkdir(in_dir("b"), 0755), 0);
    a_file("b/x");
    cr_assert_eq(symlink("b", in_dir("l")), 0);
    cr_assert_eq(symlink("..", in_dir("b/up")), 0);
    cr_assert_eq(symlink("nowhere", in_dir("dangling")), 0);
    cr_assert_eq(mkfifo(in_dir("pipe"), 0644), 0);
    cr_assert(list(&tree));
    cr_expect_eq(tree.count, 4, "b, b/x, l, l/x");
    cr_expect_not_null(tree_find(&tree, "l/x"));
    tree_free(&tree);
}

Test(copy_tree, has_nothing_of_the_place_of_the_copy_by_whichever_name)
{
    struct tree tree;
    struct stat st;
    cr_assert_eq(mkdir(in_dir("b"), 0755), 0);
    cr_assert_eq(mkdir(in_dir("b/place"), 0755), 0);
    a_file("b/place/x");
    a_file("b/y");
    cr_assert_eq(symlink("b/place", in_dir("l")), 0);
    cr_assert_eq(stat(in_dir("l"), &st), 0);
    without = identity_of(&st);
    cr_assert(list(&tree));
    cr_expect_eq(tree.count, 2, "b, b/y");
    cr_expect_not_null(tree_find(&tree, "b/y"));
    tree_free(&tree);
}

Test(copy_tree, tells_a_file_that_was_written_replaced_or_cut)
{
    struct stat before;
    struct stat after;
    a_file("x");
    write_file(in_dir("x"), "one");
    cr_assert_eq(stat(in_dir("x"), &before), 0);
    cr_expect(tree_same(&before, &before));
    poll(NULL, 0, 30);
    write_file(in_dir("x"), "two");
    cr_assert_eq(stat(in_dir("x"), &after), 0);
    cr_expect_not(tree_same(&before, &after));
    write_file(in_dir("y"), "two");
    cr_assert_eq(rename(in_dir("y"), in_dir("x")), 0);
    cr_assert_eq(stat(in_dir("x"), &before), 0);
    cr_expect_not(tree_same(&before, &after));
}
