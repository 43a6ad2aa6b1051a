/* Lines of /proc: locks, mappings, flags, mounts, stat. */
#include "holders/proc.h"

#include "unit.h"

#include <sys/sysmacros.h>

TestSuite(proc, .init = dir_begin, .fini = dir_end, .timeout = 10);

static struct proc_lock lock;

static bool reads(const char *line)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", line);
    return proc_read_lock(&lock, copy);
}

Test(proc, a_line_of_locks_tells_kind_process_file_and_bytes)
{
    cr_expect(reads("17: POSIX  ADVISORY  WRITE 4242 fd:1f:10970274 1073741826 1073742335"));
    cr_expect_eq(lock.holder.hold, HOLD_POSIX_WRITE);
    cr_expect(lock.holder.exclusive);
    cr_expect_eq(lock.holder.pid, 4242);
    cr_expect_eq(lock.file.major, 0xfdu);
    cr_expect_eq(lock.file.minor, 0x1fu);
    cr_expect_eq(lock.file.ino, 10970274u);
    cr_expect_eq(lock.holder.start, 0x40000002u);
    cr_expect_eq(lock.holder.end, 0x400001ffu);
    cr_expect(reads("1: POSIX  ADVISORY  READ 1 00:100:18446744073709551615 0 EOF"));
    cr_expect_eq(lock.holder.hold, HOLD_POSIX_READ);
    cr_expect_not(lock.holder.exclusive);
    cr_expect_eq(lock.file.minor, 0x100u);
    cr_expect_eq(lock.file.ino, UINT64_MAX);
    cr_expect_eq(lock.holder.end, HOLDER_TO_END);
}

Test(proc, each_kind_of_lock_is_known)
{
    static const struct {
        const char *line;
        enum hold hold;
        bool exclusive;
    } cases[] = {
        {"1: OFDLCK ADVISORY  READ -1 fe:00:7 7 7", HOLD_OFD, false},
        {"1: OFDLCK ADVISORY  WRITE -1 fe:00:7 7 7", HOLD_OFD, true},
        {"1: FLOCK  ADVISORY  READ 5 fe:00:7 0 EOF", HOLD_FLOCK, false},
        {"1: FLOCK  ADVISORY  WRITE 5 fe:00:7 0 EOF", HOLD_FLOCK, true},
        {"1: LEASE  ACTIVE    READ 5 fe:00:7 0 EOF", HOLD_LEASE, false},
        {"1: LEASE  ACTIVE    WRITE 5 fe:00:7 0 EOF", HOLD_LEASE, true},
        {"1: LEASE  BREAKING  READ 5 fe:00:7 0 EOF", HOLD_LEASE, true},
        {"1: LEASE  BREAKING  UNLCK 5 fe:00:7 0 EOF", HOLD_LEASE, true},
        {"1: DELEG  ACTIVE    READ 5 fe:00:7 0 EOF", HOLD_LEASE, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect(reads(cases[i].line), "%s", cases[i].line);
        cr_expect_eq(lock.holder.hold, cases[i].hold, "%s", cases[i].line);
        cr_expect_eq(lock.holder.exclusive, cases[i].exclusive, "%s", cases[i].line);
    }
    cr_expect(reads("1: OFDLCK ADVISORY  READ -1 fe:00:7 7 7"));
    cr_expect_eq(lock.holder.pid, 0, "-1 is no process");
}

Test(proc, what_is_no_lock_is_none)
{
    cr_expect_not(reads("3: -> POSIX  ADVISORY  WRITE 5 fe:00:7 0 EOF"), "one who waits");
    cr_expect_not(reads("3: NOVEL  ADVISORY  WRITE 5 fe:00:7 0 EOF"));
    cr_expect_not(reads("3: POSIX  ADVISORY  WRITE 5"));
    cr_expect_not(reads(""));
}

Test(proc, a_line_of_maps_tells_the_file)
{
    struct proc_mapping mapping;
    char line[] = "7f0c87000-7f0c88000 r--s 00000000 fe:10 10970274                   /a b";
    cr_expect(proc_read_mapping(&mapping, line));
    cr_expect_eq(mapping.file.major, 0xfeu);
    cr_expect_eq(mapping.file.minor, 0x10u);
    cr_expect_eq(mapping.file.ino, 10970274u);
    cr_expect_str_eq(mapping.path, "/a b");
    char heap[] = "5581000-5582000 rw-p 00000000 00:00 0                          [heap]";
    cr_expect_not(proc_read_mapping(&mapping, heap));
    char anonymous[] = "5581000-5582000 rw-p 00000000 00:00 0";
    cr_expect_not(proc_read_mapping(&mapping, anonymous));
}

/* Where the process may not be asked, the mapping's own permissions tell. */
Test(proc, a_mapping_that_can_write_was_made_from_a_descriptor_that_could)
{
    struct proc_mapping mapping = {.range = "00400000-00452000", .permissions = "rw-s"};
    cr_expect(proc_mapping_writes(&mapping, "/nowhere"));
    mapping.permissions = "rw-p";
    cr_expect_not(proc_mapping_writes(&mapping, "/nowhere"));
    mapping.permissions = "r--s";
    cr_expect_not(proc_mapping_writes(&mapping, "/nowhere"));
}

static struct identity identity_at(const char *path)
{
    struct stat st;
    cr_assert_eq(stat(path, &st), 0);
    return identity_of(&st);
}

Test(proc, of_a_mapping_the_path_tells_which_of_two_files_it_is)
{
    struct proc_mapping mapping = {.path = a_file("store")};
    const struct identity store = identity_at(mapping.path);
    const struct identity other = identity_at(a_file("snapshot"));
    mapping.path = in_dir("store");
    cr_expect(proc_mapping_is_of(&mapping, "/proc/self", store));
    cr_expect_not(proc_mapping_is_of(&mapping, "/proc/self", other));
    mapping.path = in_dir("gone");
    cr_expect(proc_mapping_is_of(&mapping, "/proc/self", other), "nothing is to be seen of it");
}

Test(proc, flags_are_octal)
{
    cr_expect_eq(proc_read_flags("0100002"), 0100002);
    cr_expect_eq(proc_read_flags("012000000"), O_PATH | O_CLOEXEC);
}

/* Of a file system whose files have its own device, as most have. */
Test(proc, a_mount_has_the_device_of_its_superblock)
{
    struct sys_statx st;
    struct proc_file file = {0, 0, 0};
    cr_assert_eq(sys_statx_cached(AT_FDCWD, "/proc", 0, &st), 0);
    proc_find_superblock(&file, st.mnt_id);
    cr_expect_eq(file.major, st.dev_major);
    cr_expect_eq(file.minor, st.dev_minor);
    file = (struct proc_file){7, 8, 9};
    proc_find_superblock(&file, ~0ull);
    cr_expect(file.major == 7 && file.minor == 8, "an unknown mount changes nothing");
}

Test(proc, this_process_is_known_by_name_and_pid)
{
    char command[32];
    prctl(PR_SET_NAME, "a name (x)");
    proc_read_command(getpid(), command, sizeof command);
    cr_expect_str_eq(command, "a name (x)");
    cr_expect_eq(proc_self(), getpid());
    cr_expect_eq(proc_inner_pid(getpid()), 0, "the namespace is the same");
    cr_expect(proc_exists(getpid()));
}

Test(proc, a_process_that_is_not_there_has_no_name)
{
    char command[32] = "x";
    const int nobody = 2000000000;
    proc_read_command(nobody, command, sizeof command);
    cr_expect_str_empty(command);
    cr_expect_eq(proc_inner_pid(nobody), 0);
    cr_expect_not(proc_exists(nobody));
}

Test(proc, an_open_inode_is_found_whatever_the_device)
{
    struct stat st;
    int fd = open(a_file("file"), O_RDONLY | O_CLOEXEC);
    cr_assert_eq(fstat(fd, &st), 0);
    cr_expect(proc_has_inode(getpid(), st.st_ino));
    close(fd);
    cr_expect_not(proc_has_inode(getpid(), st.st_ino));
}

Test(proc, devices_are_put_together_as_the_c_library_does)
{
    static const unsigned numbers[][2] = {{0, 0}, {8, 1}, {254, 255}, {259, 256}, {4095, 1048575}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        cr_expect_eq(sys_device(numbers[i][0], numbers[i][1]),
                     makedev(numbers[i][0], numbers[i][1]));
    }
}

/* --- what a process is doing --- */

/* In a child, which has one thread, as the test's process need not have. */
static int reads_stat_of(const char *name)
{
    struct proc_stat stat, parent;
    prctl(PR_SET_NAME, name);
    if (!proc_read_stat(&stat, getpid()) || !proc_read_stat(&parent, getppid()))
        return 1;
    return stat.parent == getppid() && stat.threads == 1 && stat.start >= parent.start &&
                   parent.start > 0
               ? 0
               : 2;
}

static const char *name;

static int reads_stat(void)
{
    return reads_stat_of(name);
}

Test(proc, the_stat_of_a_process_tells_its_parent_threads_and_start_whatever_its_name)
{
    static const char *const names[] = {"plain", "a b", "a) S 1 (b", ")))", "("};
    struct proc_stat stat;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        name = names[i];
        cr_expect_eq(in_child(reads_stat), 0, "%s", name);
    }
    cr_expect_not(proc_read_stat(&stat, 1 << 22));
}
