/* Uses of a store that the process has closed, asked where they are: by a descriptor in the
 * program's own table, whose close would drop all its locks on the file (shim/track/question.h).
 * What is asked is in tests/unit. */
#include "user.h"

#include <criterion/criterion.h>
#include <unistd.h>

TestSuite(question, .init = world_begin, .fini = world_end, .timeout = 60);

enum { SHARED = 0x40000002 };

/* Also one that no book has: it was taken through a descriptor that was opened past the library, as
 * one is that was open before an exec. */
Test(question, no_use_costs_the_process_a_lock)
{
    static const char *const uses[] = {"os.listdir(D)", "os.path.exists(P) and os.rename(P, P)",
                                       "ctypes.CDLL(None).rmdir(D.encode())"};
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        struct process p = user_with(OPTIONS("--max-wait", "300ms", "--log", "warn"));
        open_store(&p, "delete");
        run(&p, "c.close()");
        expect(&p, "fd = ctypes.CDLL(None).syscall(257, -100, P.encode(), os.O_RDWR)", "None");
        struct process holder = hold("posix-read", world.primary, 10000);
        expect(&p, "fcntl.lockf(fd, fcntl.LOCK_SH, 510, 0x40000002)", "None");
        run(&p, uses[i]);
        run(&p, uses[i]);
        kill_now(&holder);
        cr_expect_eq(lock_owner(world.primary, SHARED), p.pid, "%s", uses[i]);
        run(&p, uses[i]);
        cr_expect_eq(lock_owner(world.primary, SHARED), p.pid, "%s", uses[i]);
        user_ends(&p);
        unlink(world.primary);
    }
}

/* In whatever state the engine of another thread is. Without the rule that its lock waits for the
 * question, some of ten thousand are lost. */
Test(question, nor_while_its_engine_opens_locks_and_closes)
{
    char line[128];
    unsigned long listed, worked, lost;
    struct process p =
        SHIMMED_WITH(OPTIONS("--log", "off"), "build/programs/asked", world.dir, "2000");
    cr_assert(read_line(&p, line, sizeof line), "%s", errors_of(&p));
    cr_assert_eq(sscanf(line, "listed %lu worked %lu lost %lu", &listed, &worked, &lost), 3, "%s",
                 line);
    cr_expect_gt(listed, 100);
    cr_expect_gt(worked, 100);
    cr_expect_eq(lost, 0, "%s", line);
    cr_expect_eq(finish(&p), 0);
}

/* Nobody is to find this process with the store open: not even while somebody else holds it. */
Test(question, it_leaves_no_descriptor_behind)
{
    char command[3 * PATH_MAX];
    struct process p = user_with(OPTIONS("--max-wait", "300ms", "--log", "warn"));
    open_store(&p, "delete");
    run(&p, "c.close()");
    snprintf(command, sizeof command, "ls -l /proc/%d/fd  | grep -q '%s'", (int)p.pid,
             world.primary);
    run(&p, "os.listdir(D)");
    cr_expect_neq(system(command), 0, "free");
    struct process holder = hold("posix", world.primary, 10000);
    run(&p, "os.listdir(D)");
    cr_expect_neq(system(command), 0, "held");
    kill_now(&holder);
    user_ends(&p);
}
