/* runner [PATTERN...]: runs the tests, one after the other, but those whose name a pattern
 * (fnmatch(3)) fits. Exit status 1: one has failed. */
#include <criterion/criterion.h>

#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct machine_test *tests;
static const struct machine_suite *suite;
static bool failed; /* the test of this process */

void machine_add(struct machine_test *test)
{
    struct machine_test **end = &tests;
    while (*end != NULL)
        end = &(*end)->next;
    *end = test;
}

void machine_set(const struct machine_suite *s)
{
    suite = s;
}

void machine_fail(const char *file, int line, bool ends, const char *what, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("%s:%d: %s: ", file, line, what);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    fflush(stdout);
    failed = true;
    if (ends)
        _exit(1);
}

void machine_warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    fflush(stdout);
}

static bool run(const struct machine_test *test)
{
    int status = -1;
    const pid_t pid = fork();
    if (pid == 0) {
        alarm(suite->timeout);
        suite->init();
        test->function();
        suite->fini();
        _exit(failed);
    }
    while (waitpid(pid, &status, 0) < 0)
        ;
    printf("%s %s\n", status == 0 ? "passed" : "FAILED", test->name);
    fflush(stdout);
    return status == 0;
}

static bool is_left_out(const struct machine_test *test, char **patterns)
{
    for (; *patterns != NULL; patterns++)
        if (fnmatch(*patterns, test->name, 0) == 0)
            return true;
    return false;
}

int main(int count, char **arguments)
{
    unsigned passed = 0;
    unsigned bad = 0;
    (void)count;
    for (const struct machine_test *test = tests; test != NULL; test = test->next)
        if (is_left_out(test, arguments + 1))
            continue;
        else if (run(test))
            passed++;
        else
            bad++;
    printf("%u passed, %u failed\n", passed, bad);
    return bad != 0;
}
