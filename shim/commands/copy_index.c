#include "commands/copy_index.h"

#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* header.bin: hnswalg.h of chroma-core/hnswlib, HEADER_FIELDS, each as it lies in memory. */
enum {
    HEADER_SIZE = 100,
    VERSION_AT = 0, /* int */
    VERSION = 1,
    COUNT_AT = 20,        /* size_t, and so are the next two: elements that there are */
    ELEMENT_SIZE_AT = 28, /* of each in data_level0.bin */
    LINKS_AT = 60,        /* most links of an element on the levels above */
};

static const char header_name[] = "header.bin";
static const char data_name[] = "data_level0.bin";
static const char lengths_name[] = "length.bin";
static const char links_name[] = "link_lists.bin";
static const char pickle_name[] = "index_metadata.pickle";

/* For so long after the header was written, an older pickle means that it is still to come. Later
 * it means that somebody has moved or restored the files in another order. */
enum { WRITING_SECONDS = 1 };

/* An index in the copy. */
struct index {
    int directory;
    uint64_t count, element_size, links;
    struct text *why;
};

static bool disagree(const struct index *x, const char *file, const char *what)
{
    text_str(x->why, file);
    text_str(x->why, what);
    return false;
}

static int open_in(const struct index *x, const char *name)
{
    return openat(x->directory, name, O_RDONLY | O_CLOEXEC);
}

static uint64_t size_of(const struct index *x, const char *name)
{
    struct stat st;
    return fstatat(x->directory, name, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

static uint64_t field(const char *header, size_t at)
{
    uint64_t value;
    memcpy(&value, header + at, sizeof value);
    return value;
}

/* Without a pickle Chroma begins the index anew, whatever else is there. Of another version nothing
 * is known here. */
static bool is_index(const struct index *x)
{
    return faccessat(x->directory, pickle_name, F_OK, 0) == 0 &&
           faccessat(x->directory, header_name, F_OK, 0) == 0;
}

static bool read_header(struct index *x, int *version)
{
    char header[HEADER_SIZE];
    int fd = open_in(x, header_name);
    bool read = fd >= 0 && pread(fd, header, sizeof header, 0) == (ssize_t)sizeof header;
    if (fd >= 0)
        close(fd);
    if (!read)
        return disagree(x, header_name, " is cut off");
    memcpy(version, header + VERSION_AT, sizeof *version);
    x->count = field(header, COUNT_AT);
    x->element_size = field(header, ELEMENT_SIZE_AT);
    x->links = field(header, LINKS_AT);
    return true;
}

/* Room is made ahead, so they may be longer. */
static bool elements_fit(const struct index *x)
{
    uint64_t room = x->element_size == 0 ? 0 : size_of(x, data_name) / x->element_size;
    if (room < x->count)
        return disagree(x, data_name, " has fewer elements than header.bin tells");
    if (size_of(x, lengths_name) / sizeof(float) < x->count)
        return disagree(x, lengths_name, " has fewer elements than header.bin tells");
    return true;
}

/* --- link_lists.bin: of each element the size of its links in bytes, and they --- */

/* A file that is read on from where one is. */
struct reader {
    int fd;
    size_t at, length;
    char buffer[65536];
};

static bool read_size(struct reader *r, uint32_t *size)
{
    if (r->length - r->at < sizeof *size) {
        memmove(r->buffer, r->buffer + r->at, r->length - r->at);
        r->length -= r->at;
        r->at = 0;
        ssize_t got = read(r->fd, r->buffer + r->length, sizeof r->buffer - r->length);
        r->length += got > 0 ? (size_t)got : 0;
        if (r->length < sizeof *size)
            return false;
    }
    memcpy(size, r->buffer + r->at, sizeof *size);
    r->at += sizeof *size;
    return true;
}

static void skip(struct reader *r, uint32_t size)
{
    size_t here = r->length - r->at;
    if (size <= here) {
        r->at += size;
        return;
    }
    r->at = r->length = 0;
    lseek(r->fd, (off_t)(size - here), SEEK_CUR);
}

static bool links_fit(const struct index *x)
{
    static struct reader reader;
    const uint64_t of_level = (x->links + 1) * sizeof(uint32_t);
    const uint64_t whole = size_of(x, links_name);
    uint64_t used = 0;
    bool good = true;
    reader = (struct reader){.fd = open_in(x, links_name)};
    for (uint64_t i = 0; good && i < x->count; i++) {
        uint32_t size = 0;
        good = read_size(&reader, &size) && size % of_level == 0;
        used += sizeof size + size;
        skip(&reader, size);
    }
    if (reader.fd >= 0)
        close(reader.fd);
    return (good && used <= whole) ||
           disagree(x, links_name, " has not the links of all elements that header.bin tells");
}

/* --- index_metadata.pickle --- */

/* Each pickle ends with its STOP. */
static bool pickle_ends(const struct index *x)
{
    char last = 0;
    int fd = open_in(x, pickle_name);
    if (fd < 0)
        return true;
    off_t end = lseek(fd, 0, SEEK_END);
    bool read = end > 1 && pread(fd, &last, 1, end - 1) == 1;
    close(fd);
    return (read && last == '.') || disagree(x, pickle_name, " is cut off");
}

static bool is_later(struct timespec a, struct timespec b)
{
    return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

static const struct tree_entry *original(const struct tree *files, const char *collection,
                                         const char *name)
{
    char path[PATH_MAX];
    return path_join(path, sizeof path, collection, name) ? tree_find(files, path) : NULL;
}

static bool pickle_is_last(const struct index *x, const char *collection, const struct tree *files,
                           struct timespec now)
{
    static const char *const before[] = {header_name, data_name, lengths_name, links_name};
    const struct tree_entry *pickle = original(files, collection, pickle_name);
    for (size_t i = 0; pickle != NULL && i < sizeof before / sizeof before[0]; i++) {
        const struct tree_entry *e = original(files, collection, before[i]);
        if (e != NULL && is_later(e->st.st_mtim, pickle->st.st_mtim) &&
            labs(now.tv_sec - e->st.st_mtim.tv_sec) <= WRITING_SECONDS)
            return disagree(x, pickle_name, " is still to be written");
    }
    return true;
}

bool index_is_whole(int copy, const char *collection, const struct tree *files, struct timespec now,
                    struct text *why)
{
    struct index x = {.why = why};
    x.directory = openat(copy, collection, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (x.directory < 0)
        return true;
    int version = 0;
    bool whole = !is_index(&x) || (read_header(&x, &version) && version != VERSION);
    if (!whole && version == VERSION)
        whole = elements_fit(&x) && links_fit(&x) && pickle_ends(&x) &&
                pickle_is_last(&x, collection, files, now);
    close(x.directory);
    return whole;
}
