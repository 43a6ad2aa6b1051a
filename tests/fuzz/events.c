/* The events of a watch: which of them are about the file that is waited for. */
#include "base/sys.h"

#include "fuzz.h"

#include <errno.h>
#include <sys/inotify.h>

enum { FILE_WATCH = 1, DIRECTORY_WATCH = 2, OTHER_WATCH = 3, OVERFLOW = -1 };

static struct input events; /* lines: a byte that tells which watch, and a name */
static unsigned read_most;  /* events in one read */
static const char *awaited;
static bool about_it; /* one of those that were read */

/* One event, its name padded with zeros (inotify(7)); 0 if it does not fit or there is none. */
static size_t put_event(char *buffer, size_t size)
{
    static const int watches[] = {FILE_WATCH, DIRECTORY_WATCH, OTHER_WATCH, OVERFLOW};
    struct input before = events;
    if (!has_more(&events))
        return 0;
    int wd = watches[take_byte(&events) % 4];
    char *name = take_line(&events);
    name[strnlen(name, NAME_MAX)] = '\0';
    if (wd == FILE_WATCH || wd == OVERFLOW)
        name[0] = '\0';
    struct inotify_event event = {.wd = wd};
    event.len = name[0] == '\0' ? 0 : (uint32_t)((strlen(name) / 16 + 1) * 16);
    size_t length = sizeof event + event.len;
    if (length > size) {
        events = before;
        length = 0;
    } else {
        memset(buffer, 0, length);
        memcpy(buffer, &event, sizeof event);
        if (event.len > 0)
            strcpy(buffer + sizeof event, name);
        about_it |=
            wd == FILE_WATCH || wd == OVERFLOW || (name[0] != '\0' && begins_with(name, awaited));
    }
    free(name);
    return length;
}

static long read_events(int fd, void *buffer, size_t size)
{
    size_t filled = 0;
    size_t length;
    CHECK(fd == 7);
    for (unsigned i = 0; i < read_most; i++) {
        length = put_event((char *)buffer + filled, size - filled);
        if (length == 0)
            break;
        filled += length;
    }
    return filled > 0 ? (long)filled : -EAGAIN;
}

#define sys_read read_events
#include "wait/watch.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    read_most = 1 + take_byte(&in);
    char *name = take_line(&in);
    struct watch w = {.fd = 7, .file = FILE_WATCH, .directory = DIRECTORY_WATCH, .name = name};
    awaited = name;
    events = in;
    about_it = false;
    bool relevant = false;
    do { /* one call takes only so many */
        const uint8_t *before = events.at;
        relevant |= watch_take(&w) > 0;
        CHECK(relevant == about_it);
        CHECK(!has_more(&events) || events.at > before);
    } while (has_more(&events));
    free(name);
    return 0;
}
