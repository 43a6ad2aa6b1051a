/* uring PATH: opens the store, closes it by io_uring, and closes what gets its number next. 0: each
 * as it should be; 77: there is no io_uring here. */
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The rings of io_uring_setup(2), as far as one request needs them. */
struct ring {
    int fd;
    char *rings;
    struct io_uring_sqe *requests;
    struct io_uring_params at;
};

static bool ring_open(struct ring *r)
{
    r->at = (struct io_uring_params){0};
    r->fd = (int)syscall(SYS_io_uring_setup, 1, &r->at);
    if (r->fd < 0)
        return false;
    const size_t page = 4096; /* holds both rings, of one and two entries */
    r->rings = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQ_RING);
    r->requests =
        mmap(NULL, sizeof *r->requests, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, IORING_OFF_SQES);
    return r->rings != MAP_FAILED && r->requests != MAP_FAILED;
}

static int ring_close(struct ring *r, int fd)
{
    unsigned *queue = (unsigned *)(void *)(r->rings + r->at.sq_off.array);
    _Atomic unsigned *tail = (_Atomic unsigned *)(void *)(r->rings + r->at.sq_off.tail);
    const struct io_uring_cqe *results = (void *)(r->rings + r->at.cq_off.cqes);
    *r->requests = (struct io_uring_sqe){.opcode = IORING_OP_CLOSE, .fd = fd};
    queue[0] = 0;
    atomic_fetch_add(tail, 1);
    if (syscall(SYS_io_uring_enter, r->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
        return -1;
    return results[0].res;
}

int main(int argc, char **argv)
{
    struct ring ring;
    if (argc < 2)
        return 2;
    if (!ring_open(&ring))
        return 77;
    int fd = open(argv[1], O_RDWR);
    if (fd < 0 || ring_close(&ring, fd) != 0)
        return 1;
    return open("/dev/null", O_RDONLY) == fd && close(fd) == 0 ? 0 : 1;
}
