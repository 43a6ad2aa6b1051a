/* The helper thread: its own table, its signals and memory, and what a lock of the program's has to
 * fear of it: nothing. */
#include "helper/helper.h"

#include "base/clock.h"
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <sys/time.h>

static struct helper *running;

TestSuite(helper, .init = dir_begin, .fini = dir_end, .timeout = 30);

static const uint64_t second = 1000ull * MS;

/* What the work of these tests is told, and answers. Work runs in a thread without libc: system
 * calls of sys.h only. */
struct request {
    const char *path;
    unsigned ms;
    int result;
    sys_sigset mask;
    _Atomic bool *done;
};

static void sleep_for(unsigned ms)
{
    uint64_t end = clock_now() + (uint64_t)ms * MS;
    for (uint64_t now = clock_now(); now < end; now = clock_now())
        sys_poll(-1, 0, end - now);
}

static void sleep_then_say_so(void *argument)
{
    struct request *r = argument;
    sleep_for(r->ms);
    r->result = 1;
    if (r->done != NULL)
        atomic_store(r->done, true);
}

static struct helper *new_helper(struct request request)
{
    struct helper *h = helper_new(sizeof request);
    cr_assert_not_null(h);
    *(struct request *)helper_request(h) = request;
    return h;
}

/* Runs work to its end; what it answered. */
static struct request run(void (*work)(void *), struct request request)
{
    struct helper *h = new_helper(request);
    cr_assert_eq(helper_run(h, work, clock_now() + 20 * second), 0);
    struct request answer = *(struct request *)helper_request(h);
    helper_free(h);
    return answer;
}

Test(helper, the_work_is_done_when_run_returns)
{
    cr_expect_eq(run(sleep_then_say_so, (struct request){.ms = 50}).result, 1);
}

/* Also where its memory has been another's. */
Test(helper, a_request_begins_as_zeros)
{
    static const size_t sizes[] = {10000, 10000, 100, 64000000, 10000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct helper *h = helper_new(sizes[i]);
        char *bytes = helper_request(h);
        for (size_t at = 0; at < sizes[i]; at++)
            cr_assert_eq(bytes[at], 0);
        memset(bytes, 'x', sizes[i]);
        helper_free(h);
    }
}

Test(helper, two_at_a_time_share_nothing)
{
    struct helper *one = new_helper((struct request){.ms = 1});
    struct helper *two = new_helper((struct request){.ms = 2});
    cr_assert_neq(one, two);
    helper_free(one);
    helper_free(two);
    struct helper *three = new_helper((struct request){.ms = 3});
    struct helper *four = new_helper((struct request){.ms = 4});
    cr_expect_neq(three, four);
    cr_expect_eq(((struct request *)helper_request(three))->ms, 3u);
    helper_free(three);
    helper_free(four);
}

static void count_descriptors(void *argument)
{
    struct request *r = argument;
    for (int fd = 0; fd < 256; fd++)
        r->result += sys_fcntl(fd, F_GETFD, 0) >= 0;
}

Test(helper, its_table_of_descriptors_is_empty)
{
    struct request in_program = {.result = 0};
    count_descriptors(&in_program);
    cr_expect_geq(in_program.result, 3);
    cr_expect_eq(run(count_descriptors, (struct request){.result = 0}).result, 0);
}

static void open_and_leave(void *argument)
{
    struct request *r = argument;
    r->result = sys_openat(AT_FDCWD, r->path, O_RDONLY, 0);
}

Test(helper, what_it_opens_takes_no_number_of_the_program_and_is_closed_at_its_end)
{
    const char *path = a_file("file");
    struct request before = {.result = 0};
    struct request after = {.result = 0};
    count_descriptors(&before);
    cr_expect_eq(run(open_and_leave, (struct request){.path = path}).result, 0);
    count_descriptors(&after);
    cr_expect_eq(before.result, after.result);
    /* A lease is granted only where nobody else has the file open. The kernel closes a thread's
     * descriptors a moment after it has said that the thread ended. */
    int fd = open(path, O_RDWR | O_CLOEXEC);
    while (fcntl(fd, F_SETLEASE, F_WRLCK) != 0)
        sleep_for(1);
    close(fd);
}

/* --- POSIX locks --- */

static void open_and_close(void *argument)
{
    struct request *r = argument;
    int fd = sys_openat(AT_FDCWD, r->path, O_RDONLY, 0);
    r->result = sys_close(fd) == 0;
}

static const char *locked;
static pid_t lock_owner;

/* In another process: 0 if `locked` has no POSIX lock, 1 if it is lock_owner's, 2 otherwise. */
static int ask_for_owner(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(locked, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fcntl(fd, F_GETLK, &lock) < 0)
        return 3;
    return lock.l_type == F_UNLCK ? 0 : lock.l_pid == lock_owner ? 1 : 2;
}

static int lock_in_program(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    locked = a_file("locked");
    lock_owner = getpid();
    int fd = open(locked, O_RDWR | O_CLOEXEC);
    cr_assert_eq(fcntl(fd, F_SETLK, &lock), 0);
    return fd;
}

Test(helper, a_posix_lock_of_the_program_survives_that_the_helper_opens_and_closes_the_file)
{
    lock_in_program();
    cr_expect_eq(run(open_and_close, (struct request){.path = locked}).result, 1);
    cr_expect_eq(in_child(ask_for_owner), 1, "the lock is gone");
}

/* Why the helper exists; were it not so, the test above would show nothing. */
Test(helper, a_posix_lock_does_not_survive_that_the_program_does_the_same)
{
    lock_in_program();
    open_and_close(&(struct request){.path = locked});
    cr_expect_eq(in_child(ask_for_owner), 0);
}

static void ask_for_lock(void *argument)
{
    struct request *r = argument;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = sys_openat(AT_FDCWD, r->path, O_RDONLY, 0);
    sys_fcntl(fd, F_GETLK, (long)&lock);
    r->result = lock.l_type == F_UNLCK ? 0 : lock.l_pid;
    sys_close(fd);
}

Test(helper, it_sees_the_locks_of_the_program_as_those_of_somebody_else)
{
    lock_in_program();
    cr_expect_eq(run(ask_for_lock, (struct request){.path = locked}).result, getpid());
}

/* --- signals --- */

static atomic_int handled;
static atomic_int handled_elsewhere;
static pid_t program_thread;

static void on_signal(int number)
{
    (void)number;
    atomic_fetch_add(&handled, 1);
    if (sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0) != program_thread)
        atomic_fetch_add(&handled_elsewhere, 1);
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler};
    cr_assert_eq(sigaction(number, &action, NULL), 0);
}

Test(helper, signal_handlers_run_in_the_caller_and_the_wait_goes_on)
{
    struct itimerval often = {.it_interval = {.tv_usec = 2000}, .it_value = {.tv_usec = 2000}};
    program_thread = gettid();
    handle(SIGALRM, on_signal);
    setitimer(ITIMER_REAL, &often, NULL);
    cr_expect_eq(run(sleep_then_say_so, (struct request){.ms = 200}).result, 1);
    cr_expect_geq(atomic_load(&handled), 2);
    cr_expect_eq(atomic_load(&handled_elsewhere), 0);
}

/* --- being woken --- */

static void work_until_told(void *argument)
{
    struct request *r = argument;
    const uint64_t end = clock_now() + (uint64_t)r->ms * MS;
    while (clock_now() < end && !helper_is_told_to_stop(running))
        sleep_for(10);
}

/* In a process of one thread, to which SIGTERM comes when its caller looks only now and then. Which
 * of its expectations is not met; 0: none. */
static int be_told_to_end(void)
{
    const pid_t program = getpid();
    static int sent[2];
    uint64_t when = 0;
    if (pipe2(sent, O_CLOEXEC) != 0)
        return 1;
    running = new_helper((struct request){.ms = 5000});
    if (fork() == 0) {
        sleep_for(1300);
        when = clock_now();
        const bool told = write(sent[1], &when, sizeof when) == sizeof when;
        _exit(kill(program, SIGTERM) == 0 && told ? 0 : 1);
    }
    if (helper_run_interruptibly(running, work_until_told, clock_now() + 10 * second) != EINTR)
        return 2;
    const uint64_t now = clock_now();
    if (read(sent[0], &when, sizeof when) != sizeof when || now - when > 150u * MS)
        return 3;
    return atomic_load(&handled) == 1 ? 0 : 4;
}

Test(helper, a_signal_for_the_process_ends_the_wait_at_the_next_look_of_the_helper)
{
    handle(SIGTERM, on_signal);
    cr_expect_eq(in_child(be_told_to_end), 0);
}

static void read_mask(void *argument)
{
    struct request *r = argument;
    sys_sigmask(SIG_SETMASK, NULL, &r->mask);
}

Test(helper, it_blocks_every_signal_and_the_mask_of_the_caller_stays)
{
    const sys_sigset unblockable = 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1);
    sys_sigset before = 1ull << (SIGUSR2 - 1);
    sys_sigset after = 0;
    sys_sigmask(SIG_SETMASK, &before, NULL);
    cr_expect_eq(run(read_mask, (struct request){.ms = 0}).mask, ~unblockable);
    sys_sigmask(SIG_SETMASK, NULL, &after);
    cr_expect_eq(after, before);
}

static void run_in_handler(int number)
{
    (void)number;
    struct helper *h = helper_new(sizeof(struct request));
    if (helper_run(h, sleep_then_say_so, clock_now() + 20 * second) == 0)
        atomic_fetch_add(&handled, ((struct request *)helper_request(h))->result);
    helper_free(h);
}

Test(helper, it_can_be_run_in_a_signal_handler_that_interrupts_another_run)
{
    struct itimerval once = {.it_value = {.tv_usec = 20000}};
    handle(SIGALRM, run_in_handler);
    setitimer(ITIMER_REAL, &once, NULL);
    cr_expect_eq(run(sleep_then_say_so, (struct request){.ms = 200}).result, 1);
    cr_expect_eq(atomic_load(&handled), 1);
}

/* --- ends --- */

static void use_much_stack(void *argument)
{
    struct request *r = argument;
    volatile char paths[16][PATH_MAX];
    for (int i = 0; i < 16; i++)
        paths[i][0] = 1;
    for (int i = 0; i < 16; i++)
        r->result += paths[i][0];
}

Test(helper, its_stack_has_room_for_many_paths)
{
    cr_expect_eq(run(use_much_stack, (struct request){.result = 0}).result, 16);
}

Test(helper, after_the_deadline_the_caller_goes_on_and_the_memory_is_left_to_the_helper)
{
    static _Atomic bool done;
    struct helper *h = new_helper((struct request){.ms = 400, .done = &done});
    uint64_t deadline = clock_now() + 50 * MS;
    cr_expect_eq(helper_run(h, sleep_then_say_so, deadline), ETIMEDOUT);
    cr_expect_geq(clock_now(), deadline);
    cr_expect_not(atomic_load(&done));
    helper_free(h);
    while (!atomic_load(&done)) /* its answer goes to memory that is still there */
        sleep_for(10);
}

Test(helper, a_deadline_in_the_past_is_a_timeout)
{
    struct helper *h = new_helper((struct request){.ms = 200});
    cr_expect_eq(helper_run(h, sleep_then_say_so, 1), ETIMEDOUT);
    helper_free(h);
}

Test(helper, errno_stays)
{
    errno = EXDEV;
    run(sleep_then_say_so, (struct request){.ms = 1});
    struct helper *h = new_helper((struct request){.ms = 100});
    helper_run(h, sleep_then_say_so, 1);
    helper_free(h);
    cr_expect_eq(errno, EXDEV);
}

static long mapped_pages(void)
{
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "re");
    cr_assert_not_null(statm);
    cr_expect_eq(fscanf(statm, "%ld", &pages), 1);
    fclose(statm);
    return pages;
}

Test(helper, it_leaves_no_memory_behind)
{
    const long stack = 128 * 1024 / 4096;
    run(sleep_then_say_so, (struct request){.ms = 0});
    long before = mapped_pages();
    for (int i = 0; i < 500; i++)
        run(sleep_then_say_so, (struct request){.ms = 0});
    cr_expect_lt(mapped_pages() - before, 100 * stack);
}

static void *run_many(void *argument)
{
    _Atomic int *finished = argument;
    for (int i = 0; i < 50; i++) {
        struct helper *h = helper_new(sizeof(struct request));
        if (h == NULL)
            break;
        if (helper_run(h, sleep_then_say_so, clock_now() + 20 * second) == 0)
            atomic_fetch_add(finished, ((struct request *)helper_request(h))->result);
        helper_free(h);
    }
    return NULL;
}

Test(helper, many_run_at_the_same_time)
{
    static _Atomic int finished;
    pthread_t threads[16];
    for (int i = 0; i < 16; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, run_many, &finished), 0);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    cr_expect_eq(atomic_load(&finished), 16 * 50);
}

/* --- a fork during the wait --- */

static volatile pid_t forked;

static void fork_in_handler(int signal)
{
    (void)signal;
    forked = fork();
}

static int wait_and_fork(void)
{
    struct helper *h = new_helper((struct request){.ms = 600});
    const struct itimerval soon = {.it_value = {.tv_usec = 100000}};
    signal(SIGALRM, fork_in_handler);
    setitimer(ITIMER_REAL, &soon, NULL);
    uint64_t began = clock_now();
    int error = helper_run(h, sleep_then_say_so, began + 20 * second);
    uint64_t took = clock_now() - began;
    helper_free(h);
    if (forked == 0)
        _exit(error == ESRCH && took < 500ull * MS ? 0 : 1);
    int status = 0;
    if (waitpid(forked, &status, 0) != forked || status != 0)
        return 2;
    return error == 0 && took >= 600ull * MS ? 0 : 3;
}

Test(helper, a_fork_child_made_in_a_signal_handler_does_not_wait_for_its_parents_helper)
{
    cr_expect_eq(in_child(wait_and_fork), 0);
}
