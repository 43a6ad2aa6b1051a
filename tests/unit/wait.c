/* The wait for a file and for a store: its back-off, its end by each kind of release and never
 * before, what a time-out tells, sidecars and index files. */
#include "wait/wait.h"

#include "base/clock.h"
#include "unit.h"
#include "wait/pace.h"

#include <errno.h>

TestSuite(wait, .init = dir_begin, .fini = dir_end, .timeout = 60);

enum { LONG_TIME = 30000 }; /* ms; no wait of these tests comes near it unless it is broken */

static struct wait_request request;
static struct wait_result result;
static struct holder list[16];
static struct holders holders = {.list = list, .room = 16};
static enum until level = UNTIL_UNLOCKED;

static void prepare(const char *path, unsigned ms)
{
    request = (struct wait_request){.until = level,
                                    .check_interval = 50 * MS,
                                    .max_collections = 5,
                                    .max_files = 3,
                                    .holders = &holders};
    strcpy(request.path, path);
    request.began = clock_now();
    request.deadline = request.began + (uint64_t)ms * MS;
}

static void wait_for_file(const char *path, unsigned ms)
{
    prepare(path, ms);
    wait_file(&request, &result);
}

static void wait_for_store(unsigned ms)
{
    prepare(in_dir("chroma.sqlite3"), ms);
    request.profile = &profiles[0];
    wait_store(&request, &result);
}

/* --- the back-off --- */

Test(wait, the_back_off_is_a_tenth_of_the_waiting_time_between_a_start_and_the_interval)
{
    const uint64_t start = 200000;
    const uint64_t intervals[] = {0, 200000, 1000000, 50000000, 1000000000};
    for (size_t i = 0; i < sizeof intervals / sizeof intervals[0]; i++) {
        uint64_t before = 0;
        for (uint64_t since = 0; since < 100000ull * MS; since += 1 + since / 3) {
            uint64_t sleep = pace_backoff(since, intervals[i]);
            uint64_t most = intervals[i] > start ? intervals[i] : start; /* 0 is no busy loop */
            cr_assert_leq(sleep, most);
            cr_assert_geq(sleep, start);
            cr_assert(sleep == start || sleep <= since / 10);
            cr_assert(sleep == most || sleep + 1 > since / 10);
            cr_assert_geq(sleep, before, "it never shrinks");
            before = sleep;
        }
    }
}

Test(wait, soon_after_an_event_each_look_is_twice_as_late_as_the_one_before_up_to_the_back_off)
{
    const uint64_t backoff = 200000;
    uint64_t since_event = 30000;
    unsigned looks = 0;
    for (; since_event < backoff; since_event += pace_settling(since_event, backoff), looks++)
        cr_assert_eq(pace_settling(since_event, backoff), since_event);
    cr_expect_eq(looks, 3);
    cr_expect_eq(pace_settling(since_event, backoff), backoff);
    cr_expect_eq(pace_settling(0, backoff), backoff, "it has just begun");
}

/* --- how long it is deaf after an event --- */

static void deaf_is(uint64_t expected, uint64_t last, uint64_t since_last, uint64_t backoff)
{
    bool differs = false;
    uint64_t before = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t deaf = pace_deaf(last, since_last, backoff);
        cr_assert_leq(deaf, expected);
        cr_assert_geq(deaf, expected / 2);
        differs |= i > 0 && deaf != before;
        before = deaf;
    }
    cr_expect(differs, "two who are woken together would ask together again");
}

Test(wait, it_is_deaf_for_longer_and_longer_where_events_follow_each_other_in_vain)
{
    const uint64_t first = 50000;
    const uint64_t backoff = 10 * MS;
    deaf_is(first, 0, 0, backoff);
    deaf_is(2 * first, first, first, backoff);
    deaf_is(8 * first, 4 * first, 31 * first, backoff);
    deaf_is(first, 4 * first, 32 * first, backoff);
    deaf_is(backoff, backoff, backoff, backoff);
    deaf_is(20000, first, first, 20000);
}

/* --- a file --- */

Test(wait, a_free_file_is_settled_with_one_probe_and_no_sleep)
{
    wait_for_file(a_file("file"), LONG_TIME);
    cr_expect_eq(result.outcome, OUTCOME_SETTLED_AT_ONCE);
    cr_expect_eq(result.probes, 1u);
    cr_expect_eq(result.sleeps, 0u);
    cr_expect_eq(result.events, 0u);
}

static void settles_after_release(enum keeps what)
{
    const char *path = a_file("file");
    struct keeper k = keep(what, path, 100);
    wait_for_file(path, LONG_TIME);
    uint64_t end = clock_now();
    cr_expect_eq(result.outcome, OUTCOME_SETTLED_AFTER_WAITING);
    cr_expect_neq(atomic_load(k.let_go), 0u, "settled while it was held");
    cr_expect_geq(end, atomic_load(k.let_go));
    cr_expect_geq(result.sleeps, 1u);
    cr_expect_geq(result.probes, result.sleeps);
    cr_expect_leq(result.elapsed, end - request.began);
    cr_expect_geq(result.elapsed, atomic_load(k.let_go) - request.began);
}

Test(wait, it_settles_after_the_release_of_a_posix_lock_and_never_before)
{
    settles_after_release(KEEPS_POSIX_READ);
    settles_after_release(KEEPS_POSIX_WRITE);
}

Test(wait, it_settles_after_the_release_of_an_ofd_lock_and_never_before)
{
    settles_after_release(KEEPS_OFD);
}

Test(wait, it_settles_after_the_release_of_a_flock_and_never_before)
{
    settles_after_release(KEEPS_FLOCK_SHARED);
    settles_after_release(KEEPS_FLOCK);
}

Test(wait, it_settles_after_the_release_of_a_lease_and_never_before)
{
    settles_after_release(KEEPS_LEASE);
}

/* --- the levels --- */

Test(wait, at_each_level_it_settles_after_the_close_and_never_before)
{
    level = UNTIL_UNWRITTEN;
    settles_after_release(KEEPS_OPEN_FOR_WRITING);
    settles_after_release(KEEPS_MAPPED_FOR_WRITING);
    level = UNTIL_CLOSED;
    settles_after_release(KEEPS_OPEN);
    settles_after_release(KEEPS_MAPPED);
    settles_after_release(KEEPS_READ_LEASE);
}

/* Waits in a process of its own; the result comes into shared memory. */
static pid_t wait_elsewhere(const char *path, struct wait_result *shared)
{
    pid_t pid = fork();
    if (pid == 0) {
        sys_sigset all = ~0ull;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sys_sigmask(SIG_SETMASK, &all, NULL);
        prepare(path, LONG_TIME);
        wait_file(&request, shared);
        _exit(0);
    }
    return pid;
}

enum { WAITERS = 4 };

/* The probes that the busiest of n waiters has made, while a file was open for a second. */
static unsigned most_probes_of(unsigned n, struct wait_result *results)
{
    pid_t pids[WAITERS];
    unsigned most = 0;
    const char *path = a_file("file");
    struct keeper k = keep(KEEPS_OPEN, path, 1000);
    for (unsigned i = 0; i < n; i++)
        pids[i] = wait_elsewhere(path, &results[i]);
    for (unsigned i = 0; i < n; i++) {
        waitpid(pids[i], NULL, 0);
        cr_expect_eq(results[i].outcome, OUTCOME_SETTLED_AFTER_WAITING);
        most = results[i].probes > most ? results[i].probes : most;
    }
    cr_expect_neq(atomic_load(k.let_go), 0u, "settled while it was open");
    return most;
}

/* Each question at this level is an open and a close, which wakes the others. */
Test(wait, several_who_wait_until_closed_keep_each_other_neither_waiting_nor_busy)
{
    struct wait_result *results = mmap(NULL, WAITERS * sizeof *results, PROT_READ | PROT_WRITE,
                                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(results != MAP_FAILED);
    level = UNTIL_CLOSED;
    unsigned alone = most_probes_of(1, results);
    cr_expect_leq(results[0].events, 4u, "woken by its own questions");
    unsigned two = most_probes_of(2, results);
    unsigned four = most_probes_of(4, results);
    cr_expect_lt(two, 10 * alone);
    cr_expect_lt(four, 10 * alone);
}

Test(wait, it_times_out_with_the_holder_and_the_file)
{
    const char *path = a_file("file");
    struct keeper k = keep(KEEPS_POSIX_WRITE, path, -1);
    wait_for_file(path, 100);
    cr_expect_eq(result.outcome, OUTCOME_TIMED_OUT);
    cr_expect_geq(result.elapsed, 100u * MS);
    cr_expect_eq(result.holder.hold, HOLD_POSIX_WRITE);
    cr_expect_eq(result.holder.pid, k.pid);
    cr_expect_str_eq(result.holder.command, "keeper");
    cr_expect_str_eq(result.file, path);
    let_go(&k);
}

/* A flock's holder is found in /proc/locks, which takes milliseconds. */
Test(wait, the_holder_is_named_only_where_somebody_asks)
{
    const char *path = a_file("file");
    struct keeper k = keep(KEEPS_FLOCK, path, -1);
    prepare(path, 0);
    request.holders = NULL;
    wait_file(&request, &result);
    cr_expect_eq(result.holder.hold, HOLD_FLOCK);
    cr_expect_eq(result.holder.pid, 0);
    wait_for_file(path, 0);
    cr_expect_eq(result.holder.pid, k.pid);
    let_go(&k);
}

Test(wait, all_holders_are_named_and_the_first_stands_in_the_result)
{
    const char *path = a_file("file");
    struct keeper k = keep(KEEPS_POSIX_READ, path, -1);
    struct keeper other = keep(KEEPS_FLOCK_SHARED, path, -1);
    struct keeper sidecar = keep(KEEPS_FLOCK, a_file("file-wal"), -1);
    for (int tries = 0; tries < 20 && (tries == 0 || holders.hurried); tries++)
        wait_for_file(path, 0); /* a busy machine cuts the search short (wait_naming_limit) */
    cr_expect_eq(holders.count, 3u);
    cr_expect_eq(result.holder.pid, k.pid, "the one that the kernel named");
    cr_expect_eq(memcmp(&result.holder, &list[0], sizeof list[0]), 0);
    let_go(&k);
    let_go(&other);
    let_go(&sidecar);
}

/* The probe's own descriptor would be one. */
Test(wait, who_waits_is_no_holder)
{
    const char *path = a_file("file");
    for (level = UNTIL_UNLOCKED; level <= UNTIL_CLOSED; level++) {
        struct keeper k = keep(KEEPS_POSIX_WRITE, path, -1);
        wait_for_file(path, 0);
        cr_expect_eq(holders.count, 1u, "at %s", until_names[level]);
        cr_expect_eq(list[0].pid, k.pid);
        let_go(&k);
    }
}

Test(wait, without_time_it_asks_once_and_does_not_sleep)
{
    const char *path = a_file("file");
    struct keeper k = keep(KEEPS_FLOCK, path, -1);
    wait_for_file(path, 0);
    cr_expect_eq(result.outcome, OUTCOME_TIMED_OUT);
    cr_expect_eq(result.probes, 1u);
    cr_expect_eq(result.sleeps, 0u);
    let_go(&k);
    wait_for_file(path, 0);
    cr_expect_eq(result.outcome, OUTCOME_SETTLED_AT_ONCE);
}

Test(wait, a_change_of_the_file_wakes_it)
{
    const char *path = a_file("file");
    struct keeper k = keep(KEEPS_POSIX_WRITE, path, 500);
    pid_t writer = fork();
    if (writer == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        for (;;) {
            if (write(fd, "x", 1) != 1)
                _exit(1);
            poll(NULL, 0, 1);
        }
    }
    wait_for_file(path, LONG_TIME);
    cr_expect_eq(result.outcome, OUTCOME_SETTLED_AFTER_WAITING);
    cr_expect_neq(atomic_load(k.let_go), 0u, "an event is no verdict");
    cr_expect_geq(result.events, 1u);
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
}

Test(wait, a_missing_file_is_gone)
{
    wait_for_file(in_dir("missing"), LONG_TIME);
    cr_expect_eq(result.outcome, OUTCOME_GONE);
    cr_expect_eq(result.sleeps, 0u);
}

Test(wait, what_cannot_be_examined_is_not_waited_for_and_tells_why)
{
    const char *path = in_dir("fifo");
    cr_assert_eq(mkfifo(path, 0644), 0);
    wait_for_file(path, LONG_TIME);
    cr_expect_eq(result.outcome, OUTCOME_UNEXAMINED);
    cr_expect_eq(result.error, EINVAL);
    cr_expect_str_eq(result.file, path);
    cr_expect_eq(result.sleeps, 0u);
}

/* Runs act in a process of its own, a while after the wait has begun. */
static pid_t later(void (*act)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        poll(NULL, 0, 50);
        act();
        _exit(0);
    }
    return pid;
}

static const char *held;

static void delete_held(void)
{
    unlink(held);
}

static void replace_held(void)
{
    rename(in_dir("new"), held);
}

static void ends_as_gone(void (*act)(void))
{
    held = a_file("file");
    a_file("new");
    struct keeper k = keep(KEEPS_POSIX_WRITE, held, -1);
    pid_t pid = later(act);
    wait_for_file(held, LONG_TIME);
    cr_expect_eq(result.outcome, OUTCOME_GONE);
    cr_expect_geq(result.sleeps, 1u);
    waitpid(pid, NULL, 0);
    let_go(&k);
}

Test(wait, a_file_that_is_deleted_during_the_wait_is_gone)
{
    ends_as_gone(delete_held);
}

Test(wait, a_file_that_is_replaced_during_the_wait_is_gone)
{
    ends_as_gone(replace_held);
}

Test(wait, another_file_of_the_same_name_is_not_waited_for)
{
    const char *path = a_file("file");
    struct keeper k = keep(KEEPS_POSIX_WRITE, path, -1);
    prepare(path, LONG_TIME);
    request.identity = (struct identity){1, 1};
    wait_file(&request, &result);
    cr_expect_eq(result.outcome, OUTCOME_GONE);
    let_go(&k);
}

static unsigned questions;

static bool reopened_at_the_third_question(const void *context)
{
    cr_expect_eq(context, &request);
    return ++questions == 3;
}

static void wait_with_questions(const char *path)
{
    prepare(path, LONG_TIME);
    request.reopened = reopened_at_the_third_question;
    request.context = &request;
    wait_file(&request, &result);
}

Test(wait, it_ends_when_the_process_opens_the_store_again)
{
    const char *path = a_file("file");
    wait_with_questions(path);
    cr_expect_eq(result.outcome, OUTCOME_SETTLED_AT_ONCE);
    cr_expect_eq(questions, 0u, "a free store asks nothing");
    struct keeper k = keep(KEEPS_POSIX_WRITE, path, -1);
    wait_with_questions(path);
    cr_expect_eq(result.outcome, OUTCOME_REOPENED);
    cr_expect_eq(questions, 3u);
    let_go(&k);
}

/* --- a store --- */

Test(wait, a_sidecar_that_is_held_counts_as_the_primary)
{
    a_file("chroma.sqlite3");
    const char *ending;
    for (int i = 0; (ending = profile_sidecar(NULL, i)) != NULL; i++) {
        char name[64];
        snprintf(name, sizeof name, "chroma.sqlite3%s", ending);
        const char *sidecar = a_file(name);
        struct keeper k = keep(KEEPS_POSIX_WRITE, sidecar, -1);
        wait_for_store(30);
        cr_expect_eq(result.outcome, OUTCOME_TIMED_OUT, "%s", name);
        cr_expect_eq(result.holder.pid, k.pid);
        cr_expect_str_eq(result.file, sidecar);
        let_go(&k);
        wait_for_store(LONG_TIME);
        cr_expect_eq(result.outcome, OUTCOME_SETTLED_AT_ONCE, "%s", name);
    }
}

Test(wait, a_store_whose_sidecar_was_waited_for_is_settled_after_waiting)
{
    a_file("chroma.sqlite3");
    a_file("chroma.sqlite3-shm");
    struct keeper k = keep(KEEPS_POSIX_READ, a_file("chroma.sqlite3-wal"), 100);
    wait_for_store(LONG_TIME);
    cr_expect_eq(result.outcome, OUTCOME_SETTLED_AFTER_WAITING);
    cr_expect_neq(atomic_load(k.let_go), 0u);
}

Test(wait, a_sidecar_that_is_removed_during_the_wait_is_settled)
{
    a_file("chroma.sqlite3");
    held = a_file("chroma.sqlite3-wal");
    struct keeper k = keep(KEEPS_POSIX_WRITE, held, -1);
    pid_t pid = later(delete_held);
    wait_for_store(LONG_TIME);
    cr_expect_eq(result.outcome, OUTCOME_SETTLED_AT_ONCE);
    cr_expect_geq(result.sleeps, 1u);
    waitpid(pid, NULL, 0);
    let_go(&k);
}

/* c0 to c<n - 1>, each with files f0.bin to f<m - 1>.bin. */
static void make_collections(unsigned n, unsigned m)
{
    char name[64];
    a_file("chroma.sqlite3");
    for (unsigned i = 0; i < n; i++) {
        snprintf(name, sizeof name, "c%u", i);
        cr_assert_eq(mkdir(in_dir(name), 0755), 0);
        for (unsigned j = 0; j < m; j++) {
            snprintf(name, sizeof name, "c%u/f%u.bin", i, j);
            a_file(name);
        }
    }
}

static unsigned looked_at(unsigned max_collections, unsigned max_files)
{
    prepare(in_dir("chroma.sqlite3"), LONG_TIME);
    request.profile = &profiles[0];
    request.max_collections = max_collections;
    request.max_files = max_files;
    wait_store(&request, &result);
    cr_expect_eq(result.outcome, OUTCOME_SETTLED_AT_ONCE);
    return result.secondaries;
}

Test(wait, the_limits_of_collections_and_files_hold_and_zero_is_all)
{
    make_collections(7, 5);
    cr_expect_eq(looked_at(5, 3), 15u);
    cr_expect_eq(looked_at(2, 1), 2u);
    cr_expect_eq(looked_at(0, 3), 21u);
    cr_expect_eq(looked_at(5, 0), 25u);
    cr_expect_eq(looked_at(0, 0), 35u);
}

Test(wait, more_files_than_one_reading_of_the_directory_are_all_looked_at)
{
    make_collections(1, 300);
    cr_expect_eq(looked_at(0, 0), 300u);
}

Test(wait, only_the_secondaries_of_the_profile_count)
{
    make_collections(1, 1);
    a_file("c0/readme.txt");
    a_file("c0/index_metadata.pickle");
    a_file("loose.bin");
    cr_assert_eq(mkdir(in_dir(".hidden"), 0755), 0);
    a_file(".hidden/x.bin");
    for (unsigned i = 0; i < 5; i++) { /* no collections, so they do not use up the limit */
        char name[64];
        snprintf(name, sizeof name, "a%u", i);
        cr_assert_eq(mkdir(in_dir(name), 0755), 0);
    }
    cr_expect_eq(looked_at(1, 0), 2u);
}

/* These come first; a directory that lacks one of them is listed. */
Test(wait, index_files_of_usual_names_are_looked_at_once)
{
    make_collections(1, 2);
    a_file("c0/header.bin");
    cr_expect_eq(looked_at(1, 3), 3u);
    a_file("c0/data_level0.bin");
    a_file("c0/link_lists.bin");
    cr_expect_eq(looked_at(1, 1), 1u);
    cr_expect_eq(looked_at(1, 3), 3u);
    cr_expect_eq(looked_at(1, 4), 4u);
    cr_expect_eq(looked_at(1, 0), 5u);
    struct keeper k = keep(KEEPS_FLOCK, in_dir("c0/link_lists.bin"), -1);
    wait_for_store(50);
    cr_expect_eq(result.secondaries, 3u);
    cr_expect_str_eq(result.secondary, in_dir("c0/link_lists.bin"));
    let_go(&k);
}

Test(wait, a_file_that_was_asked_for_is_not_asked_for_again)
{
    a_file("chroma.sqlite3");
    struct keeper k = keep(KEEPS_FLOCK, in_dir("chroma.sqlite3"), -1);
    prepare(in_dir("chroma.sqlite3"), 50);
    request.profile = &profiles[0];
    request.asked = true;
    wait_store(&request, &result);
    cr_expect_eq(result.outcome, OUTCOME_SETTLED_AT_ONCE);
    cr_expect_eq(result.probes, 1u);
    let_go(&k);
}

Test(wait, a_file_that_belongs_to_no_profile_has_no_secondaries)
{
    make_collections(1, 1);
    prepare(in_dir("chroma.sqlite3"), LONG_TIME);
    wait_store(&request, &result);
    cr_expect_eq(result.outcome, OUTCOME_SETTLED_AT_ONCE);
    cr_expect_eq(result.secondaries, 0u);
}

Test(wait, a_secondary_that_is_held_is_reported_and_no_failure)
{
    make_collections(1, 3);
    const char *secondary = in_dir("c0/f1.bin");
    struct keeper k = keep(KEEPS_FLOCK, secondary, -1);
    wait_for_store(50);
    cr_expect_eq(result.outcome, OUTCOME_SETTLED_AT_ONCE);
    cr_expect_eq(result.secondaries, 3u);
    cr_expect_eq(result.secondaries_held, 1u);
    cr_expect_str_eq(result.secondary, secondary);
    cr_expect_geq(result.elapsed, 50u * MS, "it was waited for with what was left");
    let_go(&k);
    wait_for_store(LONG_TIME);
    cr_expect_eq(result.secondaries_held, 0u);
}

Test(wait, a_store_whose_primary_is_held_has_no_time_for_its_secondaries)
{
    make_collections(1, 3);
    struct keeper k = keep(KEEPS_POSIX_READ, in_dir("chroma.sqlite3"), -1);
    wait_for_store(50);
    cr_expect_eq(result.outcome, OUTCOME_TIMED_OUT);
    cr_expect_eq(result.secondaries, 0u);
    let_go(&k);
}

Test(wait, a_store_may_be_named_from_its_own_directory)
{
    make_collections(1, 3);
    cr_assert_eq(chdir(unit_dir), 0);
    prepare("chroma.sqlite3", LONG_TIME);
    request.profile = &profiles[0];
    wait_store(&request, &result);
    cr_expect_eq(result.outcome, OUTCOME_SETTLED_AT_ONCE);
    cr_expect_eq(result.secondaries, 3u);
    cr_assert_eq(chdir("/"), 0);
}

static unsigned descriptors_open(void)
{
    unsigned n = 0;
    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

Test(wait, a_free_store_leaves_no_descriptor_open)
{
    make_collections(2, 2);
    unsigned before = descriptors_open();
    wait_for_store(LONG_TIME);
    cr_expect_eq(descriptors_open(), before);
}
