/* Lines of the log: their form and level, where they go, and where they never go. */
#include "helper/log.h"

#include "unit.h"

#include <errno.h>
#include <sys/resource.h>

TestSuite(log, .init = dir_begin, .fini = dir_end, .timeout = 30);

/* A log is started once in a process, so each of these runs in a forked child, whose descriptor 2
 * is the file "err" unless it says otherwise. */

static void use_as_stderr(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    dup2(fd, 2);
    close(fd);
}

static void start(enum log_level level, const char *file)
{
    use_as_stderr(in_dir("err"));
    log_start(level, file);
}

static char content[1 << 20];

static const char *read_file(const char *name)
{
    int fd = open(in_dir(name), O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0, "there is no %s", name);
    ssize_t length = read(fd, content, sizeof content - 1);
    close(fd);
    content[length > 0 ? length : 0] = '\0';
    return content;
}

static unsigned count_in(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

/* --- lines --- */

static int say_one_of_each(void)
{
    start(LOG_DEBUG, "");
    log_say(LOG_WARN, "one");
    log_say(LOG_INFO, "two");
    log_say_path(LOG_DEBUG, "/a\nb", "three");
    return getpid() == 1;
}

Test(log, a_line_names_the_library_the_process_and_the_level)
{
    char expected[256];
    pid_t pid = fork();
    if (pid == 0)
        _exit(say_one_of_each());
    waitpid(pid, NULL, 0);
    snprintf(expected, sizeof expected,
             "settle[%d]: warning: one\nsettle[%d]: two\nsettle[%d]: debug: /a?b: three\n", pid,
             pid, pid);
    cr_expect_str_eq(read_file("err"), expected);
}

static int say_what_is_not_wanted(void)
{
    start(LOG_WARN, "");
    log_say(LOG_INFO, "one");
    log_say_path(LOG_DEBUG, "/x", "two");
    return log_wants(LOG_WARN) && !log_wants(LOG_INFO) ? 0 : 1;
}

Test(log, what_is_not_wanted_is_not_written)
{
    cr_expect_eq(in_child(say_what_is_not_wanted), 0);
    cr_expect_str_empty(read_file("err"));
}

static int say_with_log_off(void)
{
    start(LOG_OFF, in_dir("log"));
    log_say(LOG_WARN, "one");
    return log_wants(LOG_WARN);
}

Test(log, off_is_silent_and_makes_no_file)
{
    cr_expect_eq(in_child(say_with_log_off), 0);
    cr_expect_str_empty(read_file("err"));
    cr_expect_neq(access(in_dir("log"), F_OK), 0);
}

static int say_too_much(void)
{
    static char message[3 * LOG_LINE_SIZE];
    memset(message, 'x', sizeof message - 1);
    start(LOG_WARN, in_dir("log"));
    log_say(LOG_WARN, message);
    log_say(LOG_WARN, "after");
    return 0;
}

Test(log, a_line_that_is_too_long_is_cut_and_ends_as_a_line)
{
    cr_expect_eq(in_child(say_too_much), 0);
    const char *text = read_file("log");
    cr_expect_eq(count_in(text, "\n"), 2u);
    cr_expect_not_null(strstr(text, "xxx\nsettle["));
}

static int say_and_look_at_errno(void)
{
    start(LOG_WARN, in_dir("missing/log"));
    errno = EXDEV;
    log_say(LOG_WARN, "one");
    return errno == EXDEV ? 0 : 1;
}

Test(log, errno_stays)
{
    cr_expect_eq(in_child(say_and_look_at_errno), 0);
}

/* --- the file --- */

enum { WRITERS = 4, LINES = 50 };

static int say_many(void)
{
    start(LOG_WARN, in_dir("log"));
    for (int i = 0; i < LINES; i++)
        log_say(LOG_WARN, "a line with a beginning and an end.");
    return 0;
}

Test(log, a_file_gets_whole_lines_from_many_processes)
{
    for (int i = 0; i < WRITERS; i++)
        if (fork() == 0)
            _exit(say_many());
    for (int i = 0; i < WRITERS; i++)
        cr_assert_geq(wait(NULL), 0);
    const char *text = read_file("log");
    cr_expect_eq(count_in(text, "\n"), (unsigned)(WRITERS * LINES));
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        size_t length = strcspn(line, "\n");
        cr_assert_eq(strncmp(line, "settle[", 7), 0);
        cr_assert_eq(strncmp(line + length - 4, "end.", 4), 0);
    }
    cr_expect_str_empty(read_file("err"));
}

static int say_with_few_descriptors(void)
{
    start(LOG_WARN, in_dir("log"));
    int next = dup(0);
    close(next);
    struct rlimit limit = {.rlim_cur = (rlim_t)next, .rlim_max = (rlim_t)next};
    setrlimit(RLIMIT_NOFILE, &limit);
    log_say(LOG_WARN, "one");
    return dup(0) >= 0;
}

Test(log, a_file_takes_no_descriptor_of_the_program)
{
    cr_expect_eq(in_child(say_with_few_descriptors), 0);
    cr_expect_eq(count_in(read_file("log"), "warning: one\n"), 1u);
}

/* Says two warnings and an information into a file that cannot be written. */
static const char *broken;

static int say_to_broken(void)
{
    start(LOG_INFO, in_dir(broken));
    log_say(LOG_INFO, "first");
    log_say(LOG_WARN, "second");
    log_say(LOG_WARN, "third");
    return 0;
}

static void falls_back(const char *name, const char *why)
{
    broken = name;
    cr_expect_eq(in_child(say_to_broken), 0);
    const char *text = read_file("err");
    cr_expect_eq(count_in(text, "SETTLE_LOG_FILE="), 1u, "%s", text);
    cr_expect_eq(count_in(text, why), 1u, "%s", text);
    cr_expect_eq(count_in(text, "warning: second\n"), 1u, "warnings are not lost");
    cr_expect_eq(count_in(text, "warning: third\n"), 1u, "warnings are not lost");
    cr_expect_null(strstr(text, "first"));
}

Test(log, a_file_in_a_missing_directory_is_said_once_and_warnings_go_to_standard_error)
{
    falls_back("missing/log", "ENOENT");
}

Test(log, a_symbolic_link_is_refused)
{
    a_file("victim");
    cr_assert_eq(symlink("victim", in_dir("link")), 0);
    falls_back("link", "ELOOP");
    cr_expect_str_eq(read_file("victim"), "content");
}

Test(log, a_fifo_without_a_reader_does_not_block)
{
    cr_assert_eq(mkfifo(in_dir("fifo"), 0644), 0);
    falls_back("fifo", "ENXIO");
}

/* --- descriptor 2 --- */

static int reuse_descriptor_2(void)
{
    start(LOG_WARN, broken == NULL ? "" : in_dir(broken));
    close(2);
    int fd = open(in_dir("database"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    log_say(LOG_WARN, "one");
    return fd == 2 ? 0 : 1;
}

Test(log, another_file_with_the_number_of_standard_error_gets_nothing)
{
    cr_expect_eq(in_child(reuse_descriptor_2), 0);
    cr_expect_str_empty(read_file("database"));
    cr_expect_str_empty(read_file("err"));
}

Test(log, it_gets_nothing_either_where_the_log_file_is_broken)
{
    broken = "missing/log";
    cr_expect_eq(in_child(reuse_descriptor_2), 0);
    cr_expect_str_empty(read_file("database"));
}

static int start_without_stderr(void)
{
    close(2);
    log_start(LOG_WARN, "");
    int fd = open(in_dir("database"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    log_say(LOG_WARN, "one");
    return fd == 2 ? 0 : 1;
}

Test(log, a_process_without_standard_error_gets_nothing_written_there_later)
{
    cr_expect_eq(in_child(start_without_stderr), 0);
    cr_expect_str_empty(read_file("database"));
}

static int make_stderr_a_database(void)
{
    static const char header[512] = "SQLite format 3";
    close(2);
    const int fd = open(in_dir("later"), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    log_start(LOG_WARN, "");
    log_say(LOG_WARN, "one");
    struct stat st;
    const bool told = fstat(fd, &st) == 0 && st.st_size > 0;
    if (ftruncate(fd, 0) < 0 || pwrite(fd, header, sizeof header, 0) != sizeof header)
        return 2;
    log_say(LOG_WARN, "two");
    return fd == 2 && told && fstat(fd, &st) == 0 && st.st_size == sizeof header ? 0 : 1;
}

Test(log, a_file_that_has_become_a_database_since_the_start_gets_nothing)
{
    cr_expect_eq(in_child(make_stderr_a_database), 0);
}

/* Makes descriptor 2 a pipe, and its reading end *reader. */
static void use_pipe_as_stderr(int *reader)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        _exit(2);
    dup2(ends[1], 2);
    close(ends[1]);
    *reader = ends[0];
    log_start(LOG_WARN, "");
}

static int say_into_a_broken_pipe(void)
{
    int reader;
    sigset_t pending;
    use_pipe_as_stderr(&reader);
    close(reader);
    log_say(LOG_WARN, "one");
    sigpending(&pending);
    return sigismember(&pending, SIGPIPE);
}

Test(log, a_pipe_without_a_reader_kills_nobody)
{
    cr_expect_eq(in_child(say_into_a_broken_pipe), 0);
}

static int say_into_a_full_pipe(void)
{
    int reader;
    char byte[4096] = "";
    use_pipe_as_stderr(&reader);
    fcntl(2, F_SETFL, O_NONBLOCK);
    while (write(2, byte, sizeof byte) > 0)
        ;
    fcntl(2, F_SETFL, 0);
    log_say(LOG_WARN, "one");
    return 0;
}

Test(log, a_full_pipe_does_not_block)
{
    cr_expect_eq(in_child(say_into_a_full_pipe), 0);
}

static int say_much_into_a_pipe_with_little_room(void)
{
    static char message[LOG_LINE_SIZE];
    int reader;
    memset(message, 'x', sizeof message - 1);
    use_pipe_as_stderr(&reader);
    fcntl(2, F_SETFL, O_NONBLOCK);
    while (write(2, message, 4096) > 0)
        ;
    fcntl(2, F_SETFL, 0);
    if (read(reader, message, 4096) != 4096) /* room for one page of the line's two */
        return 2;
    log_say(LOG_WARN, message);
    return 0;
}

Test(log, a_line_longer_than_the_room_in_a_pipe_does_not_block, .timeout = 5)
{
    cr_expect_eq(in_child(say_much_into_a_pipe_with_little_room), 0);
}
