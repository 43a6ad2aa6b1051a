/* What a descriptor is: its name, whatever its number. */
#include "base/descriptor.h"

#include "unit.h"

TestSuite(descriptor, .init = dir_begin, .fini = dir_end, .timeout = 10);

Test(descriptor, its_path_is_told_whatever_its_number)
{
    static const int numbers[] = {0, 9, 10, 90, 99, 100, 909, 1000};
    const char *path = a_file("file");
    int fd = open(path, O_RDONLY);
    cr_assert_geq(fd, 0);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char told[PATH_MAX], by_thread[PATH_MAX];
        int copy = fcntl(fd, F_DUPFD, numbers[i]);
        cr_assert_geq(copy, numbers[i]);
        descriptor_path(copy, told, sizeof told);
        descriptor_path_in_helper(copy, by_thread, sizeof by_thread);
        cr_expect_str_eq(told, path, "%d: %s", copy, told);
        cr_expect_str_eq(by_thread, path, "%d: %s", copy, by_thread);
    }
}

Test(descriptor, what_is_not_open_has_no_path)
{
    char told[PATH_MAX] = "before";
    descriptor_path(1023, told, sizeof told);
    cr_expect_str_eq(told, "");
    descriptor_path(INT_MAX, told, sizeof told);
    cr_expect_str_eq(told, "");
}
