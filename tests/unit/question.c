/* The question of a use, asked in the program's own table: what it answers, and that no lock of
 * this process is lost by it. */
#include "track/question.h"

#include "config/rules.h"
#include "helper/log.h"
#include "track/books.h"
#include "unit.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/resource.h>

static struct settings settings;
static char database[PATH_MAX];

static void begin(void)
{
    settings.max_wait = 2000 * (uint64_t)MS;
    dir_begin();
    cr_assert(books_start());
    rules_read(NULL, &settings, NULL);
    strcpy(database, a_file("chroma.sqlite3"));
}

TestSuite(question, .init = begin, .fini = dir_end, .timeout = 60);

static struct identity identity(void)
{
    struct stat st;
    cr_assert_eq(stat(database, &st), 0);
    return identity_of(&st);
}

/* That its engine has closed. */
static struct store *closed_store(void)
{
    struct store *s = store_acquire(identity(), &profiles[0], database);
    cr_assert_not_null(s);
    return s;
}

/* How many descriptors this process has on it. */
static unsigned descriptors(void)
{
    unsigned count = 0;
    struct stat wanted, st;
    cr_assert_eq(stat(database, &wanted), 0);
    DIR *fds = opendir("/proc/self/fd");
    for (struct dirent *e; (e = readdir(fds)) != NULL;)
        count += fstatat(dirfd(fds), e->d_name, &st, 0) == 0 && st.st_ino == wanted.st_ino &&
                 st.st_dev == wanted.st_dev;
    closedir(fds);
    return count;
}

/* In the process of a test there are other threads, and descriptors of whoever started it at any
 * numbers. left: how many descriptors are on the file then. */
static void expect_answer(enum answer expected, unsigned left)
{
    const unsigned before = descriptors();
    const int number = dup(0);
    close(number);
    cr_expect_eq(question_ask(closed_store(), true), expected);
    cr_expect_eq(descriptors(), left);
    const int next = dup(0);
    cr_expect_eq(next == number, left == before, "the number is the program's again");
    close(next);
}

Test(question, what_nobody_has_locked_is_free)
{
    expect_answer(ANSWER_FREE, 0);
    struct keeper keeper = keep(KEEPS_OPEN_FOR_WRITING, database, -1);
    expect_answer(ANSWER_FREE, 0);
    let_go(&keeper);
}

/* Without another descriptor on the file this process has no lock to lose. */
Test(question, another_process_is_told_and_no_descriptor_stays)
{
    static const enum keeps locks[] = {KEEPS_POSIX_READ, KEEPS_POSIX_WRITE, KEEPS_OFD,
                                       KEEPS_FLOCK_SHARED, KEEPS_FLOCK};
    for (size_t i = 0; i < sizeof locks / sizeof locks[0]; i++) {
        struct keeper keeper = keep(locks[i], database, -1);
        expect_answer(ANSWER_HELD, 0);
        let_go(&keeper);
        expect_answer(ANSWER_FREE, 0);
    }
}

/* A helper counts them, and tells. */
Test(question, of_frames_that_were_left_a_helper_is_asked)
{
    cr_assert_eq(truncate(a_file("chroma.sqlite3-wal"), 4096), 0);
    log_start(LOG_OFF, "");
    expect_answer(ANSWER_FREE, 0);
    log_start(LOG_WARN, "");
    expect_answer(ANSWER_NONE, 0);
    store_mark(closed_store(), STORE_FRAMES_TOLD, 0);
    expect_answer(ANSWER_FREE, 0);
    cr_assert_eq(truncate(in_dir("chroma.sqlite3-wal"), 0), 0);
    store_mark(closed_store(), 0, STORE_FRAMES_TOLD);
    expect_answer(ANSWER_FREE, 0);
}

Test(question, a_dot_file_is_a_lock)
{
    cr_assert_eq(mkdir(in_dir("chroma.sqlite3.lock"), 0755), 0);
    expect_answer(ANSWER_HELD, 0);
}

/* Who has the lock of SQLite's readers, as another process sees it. */
static int owner(void)
{
    int pipe_of[2];
    int answer = -1;
    cr_assert_eq(pipe(pipe_of), 0);
    pid_t child = fork();
    if (child == 0) {
        struct flock lock = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510};
        int fd = open(database, O_RDONLY);
        fcntl(fd, F_GETLK, &lock);
        answer = lock.l_type == F_UNLCK ? 0 : lock.l_pid;
        _exit(write(pipe_of[1], &answer, sizeof answer) != sizeof answer);
    }
    cr_assert_eq(read(pipe_of[0], &answer, sizeof answer), (ssize_t)sizeof answer);
    waitpid(child, NULL, 0);
    close(pipe_of[0]);
    close(pipe_of[1]);
    return answer;
}

/* By a descriptor that no book has, as one that was kept over an exec; behind another process's
 * lock, which hides it. */
Test(question, a_lock_of_this_process_is_never_lost)
{
    struct keeper keeper = keep(KEEPS_POSIX_READ, database, -1);
    int fd = open(database, O_RDWR);
    cr_assert_eq(keeper_lock(fd, KEEPS_POSIX_READ), 0);
    expect_answer(ANSWER_HELD, 2);
    let_go(&keeper);
    cr_expect_eq(owner(), getpid());
    expect_answer(ANSWER_NONE, 2); /* one is enough */
    close(fd);
}

Test(question, beside_a_descriptor_in_the_table_it_is_not_asked)
{
    struct store *s = closed_store();
    int fd = open(database, O_RDONLY);
    cr_assert(
        handle_put(fd, (struct handle){.role = ROLE_PRIMARY, .store = s, .identity = identity()}));
    expect_answer(ANSWER_NONE, 1);
    close(fd);
}

Test(question, what_flock_or_more_than_locks_decides_is_not_asked)
{
    struct store *s = closed_store();
    atomic_store(&s->profile, &profiles[1]); /* any file in a directory of SETTLE_DIRS */
    expect_answer(ANSWER_NONE, 0);
    atomic_store(&s->profile, &profiles[0]);
    settings.until = UNTIL_CLOSED;
    rules_read(NULL, &settings, NULL);
    expect_answer(ANSWER_NONE, 0);
}

/* What is no store under the name of one. */
Test(question, another_file_under_its_name_is_not_opened)
{
    struct store *s = closed_store();
    cr_assert_eq(rename(database, in_dir("old")), 0);
    cr_expect_eq(question_ask(s, false), ANSWER_NONE, "nothing has the name");
    cr_assert_eq(mkfifo(database, 0644), 0);
    cr_expect_eq(question_ask(s, false), ANSWER_NONE);
    cr_assert_eq(unlink(database), 0);
    cr_assert_eq(symlink(in_dir("old"), database), 0);
    cr_expect_eq(question_ask(s, false), ANSWER_NONE);
}

static int answer_of_one_thread(void)
{
    struct store *s = store_acquire(identity(), &profiles[0], database);
    return s == NULL ? -1 : (int)question_ask(s, false);
}

static void *stays(void *unused)
{
    pause();
    return unused;
}

/* Whether it is asked twice where no number is due, beside another thread: the second time only if
 * the first had one that nobody misses. */
static int answers_beside_a_thread(void)
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, stays, NULL) != 0)
        return -1;
    const int first = answer_of_one_thread();
    return 10 * first + answer_of_one_thread();
}

static int with_a_standard_stream_closed(void)
{
    close(0);
    return answers_beside_a_thread();
}

static int with_few_numbers_left(void)
{
    const int next = dup(0);
    const struct rlimit few = {(rlim_t)next + 8, (rlim_t)next + 8};
    close(next);
    return setrlimit(RLIMIT_NOFILE, &few) == 0 ? answers_beside_a_thread() : -1;
}

static int with_few_numbers_left_and_one_thread(void)
{
    const int next = dup(0);
    const struct rlimit few = {(rlim_t)next + 1, (rlim_t)next + 1};
    close(next);
    if (setrlimit(RLIMIT_NOFILE, &few) != 0)
        return -1;
    const int first = answer_of_one_thread();
    return 10 * first + answer_of_one_thread();
}

/* Another one could miss the number. */
Test(question, beside_other_threads_it_takes_a_number_that_they_may_miss_once)
{
    enum { TWICE = 11 * ANSWER_FREE, ONCE = 10 * ANSWER_FREE + ANSWER_NONE };
    cr_expect_eq(in_child(answers_beside_a_thread), TWICE);
    cr_expect_eq(in_child(with_a_standard_stream_closed), ONCE);
    cr_expect_eq(in_child(with_few_numbers_left), ONCE);
    cr_expect_eq(in_child(with_few_numbers_left_and_one_thread), TWICE);
}

enum { FILE_ASKED = 7, ANOTHER = 8 };

static atomic_int done;

static void *awaits(void *unused)
{
    question_await(FILE_ASKED);
    atomic_store(&done, 1);
    return unused;
}

Test(question, a_lock_waits_for_its_end_and_not_for_ever)
{
    pthread_t thread;
    atomic_store(&BOOKS.question.asking[FILE_ASKED], 1);
    cr_assert_eq(pthread_create(&thread, NULL, awaits, NULL), 0);
    usleep(50000);
    cr_expect_eq(atomic_load(&done), 0);
    atomic_store(&BOOKS.question.asking[FILE_ASKED], 0);
    pthread_join(thread, NULL);
    cr_expect_eq(atomic_load(&done), 1);
    atomic_store(&BOOKS.question.asking[FILE_ASKED], 1);
    uint64_t began = clock_now();
    question_await(FILE_ASKED);
    cr_expect_geq(clock_now() - began, 900 * (uint64_t)MS);
    began = clock_now();
    question_await(ANOTHER);
    cr_expect_lt(clock_now() - began, 500 * (uint64_t)MS, "a question about another file");
}
