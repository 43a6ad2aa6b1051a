/* Numbers in /proc/PID/status. */
#include "base/status.h"

#include "unit.h"

TestSuite(status, .init = dir_begin, .fini = dir_end, .timeout = 10);

static const char *a_status(const char *text)
{
    const char *path = in_dir("status");
    write_file(path, text);
    return path;
}

Test(status, numbers_are_found_by_their_name_in_any_order)
{
    static const char *const names[] = {"Seccomp:", "Pid:", "Seccomp_filters:"};
    long values[3];
    const char *path = a_status("Name:\tx\nPid:\t42\nSeccomp:\t2\nSeccomp_filters:\t3\n");
    cr_expect(status_read(path, names, values, 3));
    cr_expect_eq(values[0], 2);
    cr_expect_eq(values[1], 42);
    cr_expect_eq(values[2], 3, "a name is the whole name");
}

Test(status, of_several_numbers_it_is_the_last)
{
    static const char *const name = "NSpid:";
    long value;
    cr_expect(status_read(a_status("NSpid:\t4242\t17\t7\n"), &name, &value, 1));
    cr_expect_eq(value, 7);
}

Test(status, what_is_not_told_is_none)
{
    static const char *const names[] = {"Seccomp:", "Pid:"};
    long values[2] = {5, 5};
    cr_expect(status_read(a_status("Seccomp_filters:\t3\nPid:\n"), names, values, 2));
    cr_expect_eq(values[0], -1);
    cr_expect_eq(values[1], -1);
}

Test(status, a_file_that_is_not_there_tells_nothing)
{
    static const char *const name = "Pid:";
    long value = 5;
    cr_expect_not(status_read(in_dir("missing"), &name, &value, 1));
    cr_expect_eq(value, -1);
}

Test(status, it_reads_what_the_kernel_writes)
{
    static const char *const name = "Pid:";
    long value;
    cr_expect(status_read("/proc/self/status", &name, &value, 1));
    cr_expect_eq(value, getpid());
}

Test(status, a_set_is_hexadecimal_and_no_name_of_a_program_stands_for_one)
{
    static const char text[] = "Name:\tSigPnd:\tff\nSigPnd:\t0000000000004002\nSigBlk:\t0\n";
    cr_expect_eq(status_set(text, "\nSigPnd:"), 0x4002);
    cr_expect_eq(status_set(text, "\nSigBlk:"), 0);
    cr_expect_eq(status_set(text, "\nSigIgn:"), 0);
}
