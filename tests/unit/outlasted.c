/* Holders that outlasted a wait: known by database, pid and start, and forgotten when the database
 * is free. */
#include "track/outlasted.h"

#include "track/books.h"

#include "unit.h"

static const struct identity database = {1, 2};

static void begin(void)
{
    cr_assert(books_start());
}

TestSuite(outlasted, .init = begin, .timeout = 30);

Test(outlasted, one_is_known_by_database_pid_and_start)
{
    cr_expect_not(outlasted_knows(database, 100, 7));
    outlasted_add(database, 100, 7);
    cr_expect(outlasted_knows(database, 100, 7));
    cr_expect_not(outlasted_knows(database, 101, 7));
    cr_expect_not(outlasted_knows(database, 100, 8), "another process of that pid");
    cr_expect_not(outlasted_knows((struct identity){1, 3}, 100, 7));
    cr_expect_not(outlasted_knows((struct identity){2, 2}, 100, 7));
}

Test(outlasted, a_database_that_is_free_has_none)
{
    const struct identity other = {1, 3};
    outlasted_add(database, 100, 7);
    outlasted_add(database, 101, 7);
    outlasted_add(other, 100, 7);
    outlasted_forget(database);
    cr_expect_not(outlasted_knows(database, 100, 7));
    cr_expect_not(outlasted_knows(database, 101, 7));
    cr_expect(outlasted_knows(other, 100, 7));
}

Test(outlasted, each_is_told_of_once)
{
    outlasted_add(database, 100, 7);
    outlasted_add(database, 101, 7);
    cr_expect(outlasted_tells(database, 100, 7));
    outlasted_add(database, 100, 7);
    cr_expect_not(outlasted_tells(database, 100, 7));
    cr_expect(outlasted_tells(database, 101, 7));
    cr_expect_not(outlasted_tells(database, 102, 7), "not known");
}

Test(outlasted, the_last_ones_are_known_where_there_are_too_many)
{
    const int many = 3 * OUTLASTED_MOST;
    for (int pid = 1; pid <= many; pid++)
        outlasted_add(database, pid, 7);
    for (int pid = many - OUTLASTED_MOST + 2; pid <= many; pid++)
        cr_expect(outlasted_knows(database, pid, 7), "%d", pid);
    cr_expect_not(outlasted_knows(database, 1, 7));
}

static int child_knows(void)
{
    return outlasted_knows(database, 100, 7);
}

Test(outlasted, a_fork_child_knows_none)
{
    outlasted_add(database, 100, 7);
    cr_expect_eq(in_child(child_knows), 0);
}
