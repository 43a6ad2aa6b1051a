/* Raw system calls.
 *
 * The library exports open, close, fcntl and syscall, so its own calls must not go through libc:
 * they would be counted as the program's. These return -errno instead of setting errno and touch no
 * thread-local state, so they also work on a thread that has none of its own (helper.c), in a
 * signal handler, and before libc is ready.
 */
#ifndef SETTLE_SYS_H
#define SETTLE_SYS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#if defined(__clang_analyzer__)
/* An analyser does not see what a system call writes through its arguments. */
long sys_call(long number, long a, long b, long c, long d, long e, long f);
int sys_fstat(int fd, struct stat *st);
#elif defined(__x86_64__)
static inline long sys_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
/* For the path of every open: sets no register for nothing, and has the compiler keep no address of
 * a local variable for a second look that nearly never comes. */
static inline int sys_fstat(int fd, struct stat *st)
{
    long result;
    __asm__ volatile("lea %1, %%rsi\n\tsyscall"
                     : "=a"(result), "=m"(*st)
                     : "0"((long)SYS_fstat), "D"((long)fd)
                     : "rsi", "rcx", "r11", "memory");
    return (int)result;
}
#elif defined(__aarch64__)
static inline long sys_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}

static inline int sys_fstat(int fd, struct stat *st)
{
    register long x8 __asm__("x8") = SYS_fstat;
    register long x0 __asm__("x0") = fd;
    register long x1 __asm__("x1") = (long)st;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
    return (int)x0;
}
#else
#error "settle knows the system calls of x86-64 and aarch64 only"
#endif

/* What older headers lack of close_range(2) and madvise(2). */
#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE (1U << 1)
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

/* A flag that the kernel sets by itself at each open, and F_GETFL tells: its O_LARGEFILE
 * (asm/fcntl.h), for which libc has 0. */
#ifdef __aarch64__
#define SYS_LARGE_FILE 0400000
#else
#define SYS_LARGE_FILE 0100000
#endif

/* For a function that is seldom called by one that is on the way of every open: its variables lie
 * on the stack only while it runs, and not in the other's frame. */
#define SYS_OWN_FRAME __attribute__((noinline))

/* For arrays that most processes never touch: the linker puts them behind the small variables,
 * which then share the few pages that every process touches. Each such page is a fault at its
 * start. */
#define SYS_SELDOM_TOUCHED __attribute__((section(".bss.seldom")))

/* For functions that run at the start of every process: the linker puts them together, beside what
 * the loader has read. Each page that is touched elsewhere brings 15 others with it
 * (fault_around_bytes in the kernel's mm/memory.c), which take longer than the start itself. */
#define SYS_AT_START __attribute__((section(".text.startup")))

/* Whether that may be an address of the program's memory; of what is none the kernel tells it
 * (EFAULT), and nobody reads it before. In one comparison: nothing lies in the first 64 KB
 * (/proc/sys/vm/mmap_min_addr) or in the kernel's half. */
static inline bool sys_is_address(const void *address)
{
    return (intptr_t)address > 0xffff;
}

static inline int sys_openat(int dir, const char *path, int flags, unsigned mode)
{
    return (int)sys_call(SYS_openat, dir, (long)path, flags, (long)mode, 0, 0);
}

/* Only where no component is a link or leads to another mount, and none above the directory. */
static inline int sys_openat_within(int dir, const char *path, int flags)
{
    const uint64_t within = 0x1 | 0x4 | 0x8; /* RESOLVE_NO_XDEV, _NO_SYMLINKS, _BENEATH */
    const struct {                           /* struct open_how, which older headers lack */
        uint64_t flags, mode, resolve;
    } how = {(uint64_t)flags, 0, within};
    return (int)sys_call(SYS_openat2, dir, (long)path, (long)&how, sizeof how, 0, 0);
}

static inline int sys_close(int fd)
{
    return (int)sys_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

static inline int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
    return (int)sys_call(SYS_close_range, first, last, flags, 0, 0, 0);
}

static inline int sys_fstatat(int dir, const char *path, struct stat *st, int flags)
{
    return (int)sys_call(SYS_newfstatat, dir, (long)path, (long)st, flags, 0, 0);
}

static inline int sys_stat(const char *path, struct stat *st)
{
    return sys_fstatat(AT_FDCWD, path, st, 0);
}

/* As makedev(3) has it, which glibc makes a call of a function that musl lacks where nothing is
 * inlined. The layout is the kernel's (new_encode_dev in include/linux/kdev_t.h). */
static inline uint64_t sys_device(unsigned major, unsigned minor)
{
    return (uint64_t)(minor & 0xff) | (uint64_t)(major & 0xfff) << 8 |
           (uint64_t)(minor & ~0xffu) << 12;
}

/* statx(2)'s answer. A struct of our own: not every libc has one, and <linux/stat.h> clashes with
 * those that do. */
struct sys_statx {
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, unused;
    uint64_t ino, size, blocks, attributes_mask;
    struct {
        int64_t seconds;
        uint32_t nanoseconds, unused;
    } times[4];
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mnt_id;
    uint64_t more[13];
};
_Static_assert(sizeof(struct sys_statx) == 256, "as the kernel has it");

enum {
    SYS_STATX_MNT_ID = 0x1000
}; /* STATX_MNT_ID, Linux 5.8; in sys_statx.mask where it is known */

static inline int sys_statx(int dir, const char *path, int flags, struct sys_statx *st)
{
    const long mask = 0x7ff | SYS_STATX_MNT_ID; /* STATX_BASIC_STATS */
    return (int)sys_call(SYS_statx, dir, (long)path, flags, mask, (long)st, 0);
}

/* What the kernel knows without asking another host, which may never answer. */
static inline int sys_statx_cached(int dir, const char *path, int flags, struct sys_statx *st)
{
    const int dont_sync = 0x4000;                 /* AT_STATX_DONT_SYNC */
    const long mask = 0x2 | 0x100 | 0x1000 | 0x1; /* STATX_MODE, _INO, _MNT_ID, _TYPE */
    return (int)sys_call(SYS_statx, dir, (long)path, flags | dont_sync, mask, (long)st, 0);
}

static inline int sys_fstatfs(int fd, struct statfs *fs)
{
    return (int)sys_call(SYS_fstatfs, fd, (long)fs, 0, 0, 0, 0);
}

static inline int sys_fcntl(int fd, int command, long argument)
{
    return (int)sys_call(SYS_fcntl, fd, command, argument, 0, 0, 0);
}

static inline int sys_flock(int fd, int operation)
{
    return (int)sys_call(SYS_flock, fd, operation, 0, 0, 0, 0);
}

static inline long sys_read(int fd, void *buffer, size_t size)
{
    return sys_call(SYS_read, fd, (long)buffer, (long)size, 0, 0, 0);
}

static inline long sys_pread(int fd, void *buffer, size_t size, long offset)
{
    return sys_call(SYS_pread64, fd, (long)buffer, (long)size, offset, 0, 0);
}

static inline long sys_write(int fd, const void *buffer, size_t size)
{
    return sys_call(SYS_write, fd, (long)buffer, (long)size, 0, 0, 0);
}

static inline long sys_readlink(const char *path, char *buffer, size_t size)
{
    return sys_call(SYS_readlinkat, AT_FDCWD, (long)path, (long)buffer, (long)size, 0, 0);
}

/* readlink(2) of one byte: -EINVAL where the last component of a path is no symbolic link, -ENOENT
 * where it is nothing. For the path of many opens: sets no register for nothing, and takes the
 * path where it is. */
static inline __attribute__((always_inline)) long sys_link(int dir, const char *path, char *byte)
{
#if defined(__x86_64__) && !defined(__clang_analyzer__)
    register long r10 __asm__("r10") = 1;
    long result;
    if (__builtin_constant_p(dir == AT_FDCWD) && dir == AT_FDCWD)
        __asm__ volatile("syscall"
                         : "=a"(result), "=m"(*byte)
                         : "0"((long)SYS_readlink), "D"(path), "S"(byte), "d"(1L)
                         : "rcx", "r11", "memory");
    else
        __asm__ volatile("syscall"
                         : "=a"(result), "=m"(*byte)
                         : "0"((long)SYS_readlinkat), "D"((long)dir), "S"(path), "d"(byte), "r"(r10)
                         : "rcx", "r11", "memory");
#else
    long result = sys_call(SYS_readlinkat, dir, (long)path, (long)byte, 1, 0, 0);
#endif
    return result;
}

static inline long sys_getcwd(char *out, size_t size)
{
    return sys_call(SYS_getcwd, (long)out, (long)size, 0, 0, 0, 0);
}

static inline long sys_getdents(int fd, void *buffer, size_t size)
{
    return sys_call(SYS_getdents64, fd, (long)buffer, (long)size, 0, 0, 0);
}

static inline int sys_getpid(void)
{
    return (int)sys_call(SYS_getpid, 0, 0, 0, 0, 0, 0);
}

static inline int sys_gettid(void)
{
    return (int)sys_call(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

static inline void *sys_mmap(size_t size)
{
    const long protection = 0x1 | 0x2; /* PROT_READ | PROT_WRITE */
    const long flags = 0x02 | 0x20;    /* MAP_PRIVATE | MAP_ANONYMOUS */
    long address = sys_call(SYS_mmap, 0, (long)size, protection, flags, -1, 0);
    return address < 0 && address > -4096 ? NULL : (void *)address;
}

/* The same, shared with the children of a fork. */
static inline void *sys_mmap_shared(size_t size)
{
    const long protection = 0x1 | 0x2;
    const long flags = 0x01 | 0x20; /* MAP_SHARED | MAP_ANONYMOUS */
    long address = sys_call(SYS_mmap, 0, (long)size, protection, flags, -1, 0);
    return address < 0 && address > -4096 ? NULL : (void *)address;
}

static inline int sys_munmap(void *address, size_t size)
{
    return (int)sys_call(SYS_munmap, (long)address, (long)size, 0, 0, 0, 0);
}

static inline int sys_madvise(void *address, size_t size, int advice)
{
    return (int)sys_call(SYS_madvise, (long)address, (long)size, advice, 0, 0, 0);
}

/* The kernel's signal set is one 64-bit word; libc's sigset_t is larger and hides two signals. */
typedef uint64_t sys_sigset;

static inline int sys_sigmask(int how, const sys_sigset *set, sys_sigset *old)
{
    return (int)sys_call(SYS_rt_sigprocmask, how, (long)set, (long)old, sizeof(sys_sigset), 0, 0);
}

static inline struct timespec sys_timespec(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / 1000000000u),
                             .tv_nsec = (long)(ns % 1000000000u)};
}

/* Sleeps ns, or until fd (-1: none) has something to read or a signal handler ran.
 * Returns > 0 if fd is readable, 0 at the time-out, -errno otherwise. */
static inline int sys_poll(int fd, short events, uint64_t ns)
{
    struct {
        int fd;
        short events, revents;
    } entry = {fd, events, 0};
    struct timespec timeout = sys_timespec(ns);
    return (int)sys_call(SYS_ppoll, (long)&entry, fd >= 0, (long)&timeout, 0, 0, 0);
}

/* The same of two descriptors; not ended by a signal's handler in a thread that has all blocked. */
static inline int sys_poll_either(int first, int second, short events, uint64_t ns)
{
    struct {
        int fd;
        short events, revents;
    } entries[] = {{first, events, 0}, {second, events, 0}}; /* a negative one is passed over */
    struct timespec timeout = sys_timespec(ns);
    return (int)sys_call(SYS_ppoll, (long)entries, 2, (long)&timeout, 0, 0, 0);
}

/* The threads of this process; 1 without /proc. */
static inline unsigned sys_threads(void)
{
    struct stat st;
    /* a directory for each thread, besides . and .. */
    return sys_stat("/proc/self/task", &st) < 0 ? 1 : (unsigned)st.st_nlink - 2;
}

#endif
