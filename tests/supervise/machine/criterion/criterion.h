/* As much of Criterion as the tests of settle --supervise take, so that they can be linked
 * statically for a machine that has no more than a kernel and a few commands. Each test has a
 * process of its own. */
#ifndef SETTLE_MACHINE_CRITERION_H
#define SETTLE_MACHINE_CRITERION_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct machine_suite {
    const char *name;
    void (*init)(void);
    void (*fini)(void);
    unsigned timeout; /* seconds */
};

struct machine_test {
    const char *name;
    void (*function)(void);
    struct machine_test *next;
};

void machine_add(struct machine_test *test);
void machine_set(const struct machine_suite *suite);
void machine_fail(const char *file, int line, bool ends, const char *what, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void machine_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define TestSuite(suite, ...)                                                                      \
    static __attribute__((constructor)) void set_##suite(void)                                     \
    {                                                                                              \
        static const struct machine_suite s = {.name = #suite, __VA_ARGS__};                       \
        machine_set(&s);                                                                           \
    }                                                                                              \
    static __attribute__((constructor)) void set_##suite(void)

#define Test(suite, test)                                                                          \
    static void suite##_##test(void);                                                              \
    static __attribute__((constructor)) void add_##suite##_##test(void)                            \
    {                                                                                              \
        static struct machine_test t = {#test, suite##_##test, NULL};                              \
        machine_add(&t);                                                                           \
    }                                                                                              \
    static void suite##_##test(void)

#define MACHINE_CHECK(truth, ends, what, ...)                                                      \
    do {                                                                                           \
        if (!(truth))                                                                              \
            machine_fail(__FILE__, __LINE__, ends, what, " " __VA_ARGS__);                         \
    } while (0)

#define cr_assert(truth, ...)      MACHINE_CHECK(truth, true, #truth, __VA_ARGS__)
#define cr_assert_eq(a, b, ...)    MACHINE_CHECK((a) == (b), true, #a " == " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...)    MACHINE_CHECK((a) > (b), true, #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...)   MACHINE_CHECK((a) >= (b), true, #a " >= " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...)    MACHINE_CHECK((a) < (b), true, #a " < " #b, __VA_ARGS__)
#define cr_assert_not_null(a, ...) MACHINE_CHECK((a) != NULL, true, #a, __VA_ARGS__)
#define cr_assert_fail(...)        MACHINE_CHECK(false, true, "", __VA_ARGS__)
#define cr_expect(truth, ...)      MACHINE_CHECK(truth, false, #truth, __VA_ARGS__)
#define cr_expect_not(truth, ...)  MACHINE_CHECK(!(truth), false, "not " #truth, __VA_ARGS__)
#define cr_expect_eq(a, b, ...)    MACHINE_CHECK((a) == (b), false, #a " == " #b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...)   MACHINE_CHECK((a) != (b), false, #a " != " #b, __VA_ARGS__)
#define cr_expect_leq(a, b, ...)   MACHINE_CHECK((a) <= (b), false, #a " <= " #b, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...)                                                                \
    MACHINE_CHECK(strcmp(a, b) == 0, false, #a " == " #b, __VA_ARGS__)
#define cr_expect_gt(a, b, ...)    MACHINE_CHECK((a) > (b), false, #a " > " #b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...)   MACHINE_CHECK((a) >= (b), false, #a " >= " #b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...)    MACHINE_CHECK((a) < (b), false, #a " < " #b, __VA_ARGS__)
#define cr_expect_not_null(a, ...) MACHINE_CHECK((a) != NULL, false, #a, __VA_ARGS__)
#define cr_log_warn(...)           machine_warn(__VA_ARGS__)

#endif
