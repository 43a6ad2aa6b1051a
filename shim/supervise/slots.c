#include "supervise/slots.h"

#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Linux 6.6. Who asks and who answers then run on one processor, one after the other: to wake one
 * that sleeps takes longer than the answer. */
#ifndef SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* As many closes can wait at the same time; those beyond do not. */
enum { SLOTS = 1024, RECEIVER = 0 };

struct slot {
    _Atomic int owner; /* the process that answers; 0: the slot is free */
    struct seccomp_notif notif;
};

static struct slot *slots;
static int listener;

bool slots_start(int fd)
{
    void *memory = mmap(NULL, SLOTS * sizeof *slots, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    slots = memory;
    listener = fd;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
    return true;
}

int slots_listener(void)
{
    return listener;
}

int slots_receive(void)
{
    struct slot *s = &slots[RECEIVER];
    memset(&s->notif, 0, sizeof s->notif);
    atomic_store(&s->owner, getpid());
    int result = ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &s->notif);
    if (result < 0)
        atomic_store(&s->owner, 0);
    return result < 0 ? -1 : RECEIVER;
}

const struct seccomp_notif *slots_get(int slot)
{
    return &slots[slot].notif;
}

int slots_hand_over(int slot, int process)
{
    for (int i = RECEIVER + 1; i < SLOTS; i++) {
        int none = 0;
        if (!atomic_compare_exchange_strong(&slots[i].owner, &none, process))
            continue;
        slots[i].notif = slots[slot].notif;
        atomic_store(&slots[slot].owner, 0);
        return i;
    }
    return -1;
}

bool slots_waits(int slot)
{
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &slots[slot].notif.id) == 0;
}

bool slots_replace(int slot, int fd, int ours)
{
    struct seccomp_notif_addfd add = {
        .id = slots[slot].notif.id,
        .flags = SECCOMP_ADDFD_FLAG_SETFD,
        .srcfd = (unsigned)ours,
        .newfd = (unsigned)fd,
        .newfd_flags = O_CLOEXEC,
    };
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) >= 0;
}

/* The number first, since who is killed in between leaves a call that was answered, which does no
 * harm. Of a thread that was killed the kernel knows no such call (ENOENT). */
void slots_continue(int slot)
{
    struct seccomp_notif_resp answer = {
        .id = slots[slot].notif.id,
        .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE,
    };
    while (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0 && errno == EINTR)
        ;
    slots[slot].notif.id = 0;
    atomic_store(&slots[slot].owner, 0);
}

/* It may be dead and nobody has waited for it: who would have may be dead, too. */
static bool has_ended(int pid)
{
    struct pollfd end = {.fd = (int)sys_call(SYS_pidfd_open, pid, 0, 0, 0, 0, 0), .events = POLLIN};
    if (end.fd < 0)
        return end.fd == -ESRCH;
    const bool ended = poll(&end, 1, 0) > 0;
    close(end.fd);
    return ended;
}

bool slots_continue_lost(void)
{
    const int self = getpid();
    bool others = false;
    for (int i = 0; i < SLOTS; i++) {
        const int owner = atomic_load(&slots[i].owner);
        if (owner == 0 || owner == self)
            continue;
        if (has_ended(owner))
            slots_continue(i);
        else
            others = true;
    }
    return others;
}
