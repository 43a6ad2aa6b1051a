/* A -wal and a -shm with whatever in them. */
#include "base/sys.h"

#include "fuzz.h"

static struct input files[2]; /* the -wal and the -shm; their descriptors are their indices */
static unsigned open_files;

static int open_file(int dir, const char *path, int flags, unsigned mode)
{
    (void)dir, (void)flags, (void)mode;
    open_files++;
    return str_ends_with(path, "-shm") ? 1 : 0;
}

static long read_file(int fd, void *buffer, size_t size, long offset)
{
    CHECK(fd == 0 || fd == 1);
    size_t length = (size_t)(files[fd].end - files[fd].at);
    if ((size_t)offset >= length)
        return 0;
    size_t given = length - (size_t)offset < size ? length - (size_t)offset : size;
    memcpy(buffer, files[fd].at + offset, given);
    return (long)given;
}

static int close_file(int fd)
{
    CHECK(fd == 0 || fd == 1);
    open_files--;
    return 0;
}

#define sys_openat open_file
#define sys_pread  read_file
#define sys_close  close_file
#include "wait/wal.c"

enum { PAGE = 512, FRAMES_MOST = 64 };

static uint8_t wal[WAL_HEADER + FRAMES_MOST * (FRAME_HEADER + PAGE)];

static void put(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void begin_log(struct checksum *c)
{
    memset(wal, 0, sizeof wal);
    put(wal, 0x377f0682);
    put(wal + 8, PAGE);
    put(wal + 16, 11);
    put(wal + 20, 22);
    sum(c, wal, 24);
    put(wal + 24, c->s0);
    put(wal + 28, c->s1);
}

/* What a byte makes of a frame. */
enum { SPOILT = 1, ENDS_TRANSACTION = 2, OF_ANOTHER_ROUND = 4 };

static void add_frame(uint8_t *frame, unsigned kind, struct checksum *c)
{
    put(frame, 1);
    put(frame + 4, (kind & ENDS_TRANSACTION) != 0 ? 1 : 0);
    put(frame + 8, (kind & OF_ANOTHER_ROUND) != 0 ? 33 : 11);
    put(frame + 12, 22);
    frame[FRAME_HEADER + kind] = (uint8_t)kind;
    sum(c, frame, 8);
    sum(c, frame + FRAME_HEADER, PAGE);
    put(frame + 16, c->s0);
    put(frame + 20, c->s1);
    if ((kind & SPOILT) != 0)
        frame[FRAME_HEADER + 300] ^= 1;
}

/* What a recovery would find: up to the last transaction before the first frame that is wrong. */
static void check_frames(struct input in)
{
    struct checksum c = {.word = little_endian};
    long expected = 0;
    long n = 0;
    bool right = true;
    begin_log(&c);
    for (; has_more(&in) && n < FRAMES_MOST; n++) {
        unsigned kind = take_byte(&in);
        add_frame(wal + WAL_HEADER + n * (FRAME_HEADER + PAGE), kind, &c);
        right = right && (kind & (SPOILT | OF_ANOTHER_ROUND)) == 0;
        if (right && (kind & ENDS_TRANSACTION) != 0)
            expected = n + 1;
    }
    files[0] = (struct input){wal, wal + WAL_HEADER + n * (FRAME_HEADER + PAGE)};
    files[1] = (struct input){wal, wal}; /* none */
    CHECK(wal_frames_missing("/db", UINT64_MAX) == expected);
}

static void check_any_bytes(struct input in)
{
    size_t size = (size_t)(in.end - in.at);
    size_t index_size = size < INDEX_SIZE ? 0 : INDEX_SIZE;
    files[1] = (struct input){in.at, in.at + index_size};
    files[0] = (struct input){in.at + index_size, in.end};
    CHECK(wal_frames_missing("/db", UINT64_MAX) >= 0);
    files[0] = (struct input){wal, wal + WAL_HEADER};
    CHECK(wal_frames_missing("/db", UINT64_MAX) >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    check_frames(in);
    check_any_bytes(in);
    CHECK(open_files == 0);
    return 0;
}
