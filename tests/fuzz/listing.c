/* The search for a store's index files: whatever the kernel's listing of its directories holds. */
#include "base/sys.h"

#include "fuzz.h"

#include <dirent.h>
#include <errno.h>

enum { DIRECTORIES = 6, FILES = 12, OPEN_MOST = 2 };

/* The directory of the store, and those in it: [0] is the store's own. */
static struct directory {
    char *name;
    unsigned type; /* as the listing says: DT_DIR, DT_REG, DT_UNKNOWN or another */
    char *files[FILES];
    unsigned count;
} directories[DIRECTORIES];
static unsigned directory_count;
static char *store_path; /* of its directory */
static bool listing_fails;

/* Open listings: a directory and how far it has been read. Descriptors are their indices. */
static struct {
    struct directory *directory;
    unsigned at;
} open_listings[OPEN_MOST];

static bool is_store(const char *path)
{
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] == '/')
        length--;
    return strncmp(path, store_path, length) == 0 &&
           strspn(store_path + length, "/") == strlen(store_path + length);
}

/* A collection, by its name in the open store. */
static struct directory *collection_at(int dir, const char *name)
{
    CHECK(dir >= 0 && dir < OPEN_MOST && open_listings[dir].directory == &directories[0]);
    for (unsigned i = 1; i < directory_count; i++)
        if (str_equal(directories[i].name, name))
            return &directories[i];
    return NULL;
}

static int open_directory(int dir, const char *path, int flags, unsigned mode)
{
    (void)mode;
    CHECK((flags & O_DIRECTORY) != 0);
    CHECK(dir != AT_FDCWD || is_store(path));
    struct directory *directory = dir == AT_FDCWD ? &directories[0] : collection_at(dir, path);
    CHECK(directory != NULL);
    if (directory != &directories[0] && directory->type == DT_UNKNOWN && directory->count == 0)
        return -ENOTDIR;
    for (int fd = 0; fd < OPEN_MOST; fd++) {
        if (open_listings[fd].directory != NULL)
            continue;
        open_listings[fd].directory = directory;
        open_listings[fd].at = 0;
        return fd;
    }
    CHECK(false);
    return -EMFILE;
}

static int close_directory(int fd)
{
    CHECK(fd >= 0 && fd < OPEN_MOST && open_listings[fd].directory != NULL);
    open_listings[fd].directory = NULL;
    return 0;
}

/* As many entries as fit, each a whole number of 8 bytes long (getdents64(2)). */
static long list_directory(int fd, void *buffer, size_t size)
{
    CHECK(fd >= 0 && fd < OPEN_MOST && open_listings[fd].directory != NULL);
    struct directory *directory = open_listings[fd].directory;
    bool top = directory == &directories[0];
    unsigned count = top ? directory_count - 1 : directory->count;
    size_t filled = 0;
    if (listing_fails)
        return -EIO;
    for (; open_listings[fd].at < count; open_listings[fd].at++) {
        unsigned i = open_listings[fd].at;
        const char *name = top ? directories[i + 1].name : directory->files[i];
        size_t head = offsetof(struct dirent64, d_name);
        uint16_t length = (uint16_t)((head + strlen(name) + 1 + 7) & ~(size_t)7);
        if (filled + length > size)
            break;
        struct dirent64 *entry = (void *)((char *)buffer + filled);
        memset(entry, 0, length);
        entry->d_reclen = length;
        entry->d_type = (unsigned char)(top ? directories[i + 1].type : DT_REG);
        strcpy((char *)entry + head, name);
        filled += length;
    }
    return (long)filled;
}

/* As on a file system that does not count a directory's links. */
static int stat_directory(const char *path, struct stat *st)
{
    CHECK(is_store(path));
    *st = (struct stat){.st_nlink = 1};
    return 0;
}

static bool has_file(const struct directory *d, const char *name)
{
    for (unsigned i = 0; i < d->count; i++)
        if (str_equal(d->files[i], name))
            return true;
    return false;
}

/* Of a file by the names of its collection and its own, in the open store. */
static int stat_file(int dir, const char *path, struct stat *st, int flags)
{
    char collection[NAME_MAX + 1];
    const char *slash = strchr(path, '/');
    CHECK(slash != NULL && slash - path <= NAME_MAX && (flags & AT_SYMLINK_NOFOLLOW) != 0);
    snprintf(collection, sizeof collection, "%.*s", (int)(slash - path), path);
    const struct directory *d = collection_at(dir, collection);
    CHECK(d != NULL);
    if (!has_file(d, slash + 1))
        return -ENOENT;
    *st = (struct stat){.st_mode = S_IFREG};
    return 0;
}

#define sys_stat     stat_directory
#define sys_fstatat  stat_file
#define sys_openat   open_directory
#define sys_close    close_directory
#define sys_getdents list_directory
#include "base/listing.c"
#include "wait/secondaries.c"

/* --- what is looked at, instead of the kernel's answers about it --- */

static struct {
    const struct directory *directory;
    char *name;
} asked[DIRECTORIES * FILES];
static unsigned asked_count;

struct probe probe_of(const char *path, struct identity expected)
{
    return (struct probe){.path = path, .expected = expected, .directory = AT_FDCWD, .fd = -1};
}

enum verdict probe_ask(struct probe *p)
{
    CHECK(asked_count < DIRECTORIES * FILES);
    CHECK(p->directory >= 0 && p->directory < OPEN_MOST);
    asked[asked_count].directory = open_listings[p->directory].directory;
    asked[asked_count++].name = strdup(p->path);
    return VERDICT_SETTLED;
}

void probe_end(struct probe *p)
{
    p->fd = -1;
}

/* --- what should have been --- */

static bool is_index_file(const char *name)
{
    return name[0] != '.' ? str_ends_with(name, ".bin") || str_ends_with(name, ".pickle")
                          : str_ends_with(name + 1, ".bin") || str_ends_with(name + 1, ".pickle");
}

static unsigned expected;

static void expect_asked(const struct directory *directory, const char *name)
{
    CHECK(expected < asked_count && asked[expected].directory == directory &&
          str_equal(asked[expected].name, name));
    expected++;
}

/* By the usual names, if no more files than these are wanted; returns how many. */
static unsigned look_for_usual(const struct wait_request *request, const struct directory *d)
{
    unsigned files = 0;
    const char *name;
    char there[NAME_MAX + 1 + NAME_MAX + 1];
    while (request->max_files <= 3 && files < request->max_files &&
           (name = profile_usual(request->profile, (int)files)) != NULL && has_file(d, name)) {
        snprintf(there, sizeof there, "%s/%s", d->name, name);
        expect_asked(&directories[0], there);
        files++;
    }
    return files;
}

static bool is_one_of_usual(const struct wait_request *request, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (str_equal(profile_usual(request->profile, (int)i), name))
            return true;
    return false;
}

static void look_slowly(const struct wait_request *request)
{
    unsigned collections = 0;
    expected = 0;
    for (unsigned i = 1; i < directory_count && !listing_fails; i++) {
        const struct directory *d = &directories[i];
        /* A store's directory may be named with a slash at its end; its collections are not with
         * two. */
        const char *slash = str_ends_with(store_path, "/") ? "" : "/";
        size_t length = strlen(store_path) + strlen(slash) + strlen(d->name);
        if ((d->type != DT_DIR && d->type != DT_UNKNOWN) || d->name[0] == '.' || length >= PATH_MAX)
            continue;
        if (request->max_collections != 0 && collections == request->max_collections)
            break;
        const unsigned usual = look_for_usual(request, d);
        unsigned files = usual;
        for (unsigned k = 0; k < d->count; k++) {
            if (!is_index_file(d->files[k]) || is_one_of_usual(request, usual, d->files[k]))
                continue;
            if (request->max_files != 0 && files == request->max_files)
                break;
            expect_asked(d, d->files[k]);
            files++;
        }
        collections += files > 0;
    }
    CHECK(expected == asked_count);
}

/* A name as a directory can hold it; NULL where the line is none, or there already. */
static char *take_name(struct input *in, unsigned taken, char *const *(*name_at)(unsigned))
{
    char *line = take_line(in);
    bool good = line[0] != '\0' && strlen(line) <= NAME_MAX && strchr(line, '/') == NULL;
    for (unsigned i = 0; i < taken && good; i++)
        good = !str_equal(*name_at(i), line);
    if (good)
        return line;
    free(line);
    return NULL;
}

static char *const *directory_name(unsigned i)
{
    return &directories[i + 1].name;
}

static struct directory *current;
static char *const *file_name(unsigned i)
{
    return &current->files[i];
}

/* Lines of a kind each: a directory (0 to 3: its type), or else a file in the last directory. */
static void take_directories(struct input *in)
{
    static const unsigned types[] = {DT_DIR, DT_UNKNOWN, DT_LNK, DT_REG};
    directory_count = 1;
    while (has_more(in)) {
        unsigned kind = take_byte(in) - '0';
        current = &directories[directory_count - 1];
        if (kind < 4 && directory_count < DIRECTORIES) {
            char *name = take_name(in, directory_count - 1, directory_name);
            if (name != NULL)
                directories[directory_count++] =
                    (struct directory){.name = name, .type = types[kind]};
        } else if (directory_count > 1 && current->count < FILES) {
            char *name = take_name(in, current->count, file_name);
            if (name != NULL)
                current->files[current->count++] = name;
        } else {
            free(take_line(in));
        }
    }
}

static void free_all(void)
{
    while (asked_count > 0)
        free(asked[--asked_count].name);
    while (--directory_count > 0) {
        struct directory *d = &directories[directory_count];
        while (d->count > 0)
            free(d->files[--d->count]);
        free(d->name);
    }
    free(store_path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wait_request request;
    static struct wait_result result;
    struct input in = {data, data + size};
    request.profile = &profiles[0];
    request.max_collections = take_byte(&in) % 5;
    request.max_files = take_byte(&in) % 5;
    listing_fails = take_byte(&in) == 'e';
    char *line = take_line(&in);
    line[strnlen(line, PATH_MAX - 20)] = '\0';
    store_path = malloc(strlen(line) + 2);
    sprintf(store_path, "%s%s", *line == '\0' ? "" : "/", line);
    free(line);
    take_directories(&in);

    snprintf(request.path, sizeof request.path, "%s/chroma.sqlite3", store_path);
    result = (struct wait_result){.outcome = OUTCOME_SETTLED_AT_ONCE};
    secondaries_wait(&request, &result);
    look_slowly(&request);
    CHECK(result.secondaries == asked_count && result.secondaries_held == 0);
    for (int fd = 0; fd < OPEN_MOST; fd++)
        CHECK(open_listings[fd].directory == NULL);
    free_all();
    return 0;
}
