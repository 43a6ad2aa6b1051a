/* over_quota DIRECTORY: a FUSE file system mounted there, with one file, chroma.sqlite3. As NFS
 * does where a quota is full, it takes what is written, and says only at close or fsync that it
 * could not keep it. Says "ready", and serves until it is unmounted.
 *
 * The kernel's own protocol (linux/fuse.h), since that is all there is to it: a request is a header
 * and what belongs to its kind, an answer the header's number and an error, or what was asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ROOM = 1 << 20, ROOT = 1, DATABASE = 2 };
static const char name[] = "chroma.sqlite3";

static char content[ROOM];
static uint64_t size;
static bool lost; /* something was written, and nobody was told yet */
static int device;

static void answer(uint64_t unique, int error, const void *data, size_t length)
{
    struct fuse_out_header header = {
        .len = (uint32_t)(sizeof header + length), .error = -error, .unique = unique};
    struct iovec parts[] = {{&header, sizeof header}, {(void *)(uintptr_t)data, length}};
    if (writev(device, parts, 2) < 0 && errno != ENOENT) /* whoever asked has gone */
        perror("over_quota: answer");
}

static struct fuse_attr attributes(uint64_t node)
{
    struct fuse_attr attr = {.ino = node, .nlink = 1, .blksize = 4096};
    attr.mode = node == ROOT ? S_IFDIR | 0700 : S_IFREG | 0600;
    attr.size = node == ROOT ? 0 : size;
    attr.nlink = node == ROOT ? 2 : 1;
    return attr;
}

static void look_up(uint64_t unique, const char *wanted)
{
    const struct fuse_entry_out entry = {.nodeid = DATABASE, .attr = attributes(DATABASE)};
    if (strcmp(wanted, name) == 0)
        answer(unique, 0, &entry, sizeof entry);
    else
        answer(unique, ENOENT, NULL, 0);
}

static void tell_attributes(uint64_t unique, uint64_t node)
{
    const struct fuse_attr_out out = {.attr = attributes(node)};
    answer(unique, 0, &out, sizeof out);
}

static void take(uint64_t unique, const struct fuse_write_in *in)
{
    const struct fuse_write_out out = {.size = in->size};
    if (in->offset > ROOM || in->size > ROOM - in->offset) {
        answer(unique, EFBIG, NULL, 0);
        return;
    }
    memcpy(content + in->offset, in + 1, in->size);
    if (in->offset + in->size > size)
        size = in->offset + in->size;
    lost = true;
    answer(unique, 0, &out, sizeof out);
}

static void give(uint64_t unique, const struct fuse_read_in *in)
{
    const uint64_t from = in->offset < size ? in->offset : size;
    const uint64_t length = in->size < size - from ? in->size : size - from;
    answer(unique, 0, content + from, length);
}

static void serve(const struct fuse_in_header *request)
{
    static const struct fuse_init_out init = {
        .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_write = 65536};
    static const struct fuse_open_out opened = {.fh = 0};
    static const struct fuse_statfs_out statistics = {.st = {.bsize = 4096, .namelen = 255}};
    const uint64_t unique = request->unique;
    const void *argument = request + 1;
    switch (request->opcode) {
    case FUSE_INIT:
        answer(unique, 0, &init, sizeof init);
        break;
    case FUSE_LOOKUP:
        look_up(unique, argument);
        break;
    case FUSE_GETATTR:
    case FUSE_SETATTR:
        tell_attributes(unique, request->nodeid);
        break;
    case FUSE_OPEN:
    case FUSE_OPENDIR:
        answer(unique, 0, &opened, sizeof opened);
        break;
    case FUSE_READ:
        give(unique, argument);
        break;
    case FUSE_WRITE:
        take(unique, argument);
        break;
    case FUSE_FLUSH:
    case FUSE_FSYNC:
        answer(unique, lost ? EDQUOT : 0, NULL, 0);
        lost = false;
        break;
    case FUSE_STATFS:
        answer(unique, 0, &statistics, sizeof statistics);
        break;
    case FUSE_READDIR:
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
        answer(unique, 0, NULL, 0);
        break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT:
        break; /* nobody waits for an answer */
    default:
        answer(unique, ENOSYS, NULL, 0);
    }
}

int main(int argc, char **argv)
{
    static _Alignas(struct fuse_in_header) char request[ROOM];
    char options[64];
    char node[4096];
    if (argc != 2)
        return 2;
    snprintf(node, sizeof node, "%s.device", argv[1]); /* a bare root has no /dev/fuse */
    mknod(node, S_IFCHR | 0600, makedev(10, 229));
    device = open(node, O_RDWR | O_CLOEXEC);
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
    if (device < 0 || mount("over_quota", argv[1], "fuse", MS_NODEV | MS_NOSUID, options) != 0) {
        perror("over_quota: mount");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    while (read(device, request, sizeof request) > 0 || errno == EINTR || errno == ENOENT)
        serve((const struct fuse_in_header *)request);
    return errno == ENODEV ? 0 : 1;
}
