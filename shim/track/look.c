#include "track/look.h"

#include "base/descriptor.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "base/text.h"
#include "config/rules.h"
#include "helper/lines.h"
#include "track/opened.h"
#include "track/possible.h"
#include "track/recognise.h"
#include "track/sum.h"
#include "track/track.h"
#include "track/use.h"

_Atomic uint32_t track_asks_more = 1;
char track_link[1];

static profile_set profiles_on;
static bool by_name;      /* what is called as a store's primary is one */
static bool by_content;   /* some kinds of file are, whatever they are called */
static bool by_lock_name; /* what is called as a lock file is, beside another file */
static bool by_directory; /* and what lies in a directory of SETTLE_DIRS */
static bool readers;      /* a link that is opened to be read is looked for, too */
static bool settings_ask;

/* Or nothing is tracked. */
static _Atomic uint32_t asks_all = 1;

void look_start(const struct settings *s)
{
    profiles_on = recognise_profiles();
    by_name = profile_by_name(profiles_on);
    by_content = profile_by_content(profiles_on);
    by_lock_name = profile_by_lock_name(profiles_on);
    by_directory = s->dirs[0] != '\0';
    readers = rules_any_trigger(TRIGGER_EVERY);
    settings_ask = by_content || by_lock_name || by_directory || readers || sum_wanted();
    atomic_store(&track_asks_more, settings_ask);
    look_go_on();
}

void look_stop(void)
{
    atomic_store(&asks_all, 1);
    atomic_store(&track_asks_more, 1);
}

void look_go_on(void)
{
    atomic_store(&asks_all, settings_ask);
}

/* --- by what a link leads to --- */

static SYS_OWN_FRAME bool is_link_to_store(int fd)
{
    char *target = scratch_take();
    if (target == NULL)
        return true; /* the look that follows says so */
    descriptor_path(fd, target, PATH_MAX);
    bool may_match = profile_may_match(profiles_on, target);
    scratch_give(target);
    return may_match;
}

static SYS_OWN_FRAME bool is_store_by_another_name(int fd, const struct stat *st, int dir,
                                                   const char *path, int flags)
{
    if (!by_name)
        return false;
    if ((flags & O_ACCMODE) == O_RDONLY && !readers && !seen_possible(st->st_ino))
        return false;
    return track_may_be_link(dir, path, flags) && is_link_to_store(fd);
}

/* --- by content --- */

/* Its files say that they have a page, and to read one is a call of some driver. */
static SYS_OWN_FRAME bool is_sysfs(int fd)
{
    struct statfs fs;
    return sys_fstatfs(fd, &fs) == 0 && fs.f_type == 0x62656572; /* SYSFS_MAGIC */
}

static bool has_content(int fd, const struct stat *st)
{
    return st->st_size != 0 && !(st->st_blocks == 0 && is_sysfs(fd)) &&
           recognise_content(fd, identity_of(st), st->st_size) != NULL;
}

/* --- the look --- */

static bool is_to_be_examined(int fd, const struct stat *st, int dir, const char *path, int flags)
{
    if (!S_ISREG(st->st_mode))
        return false;
    return (by_content && (profile_may_be_sidecar(profiles_on, path) || has_content(fd, st))) ||
           is_store_by_another_name(fd, st, dir, path, flags);
}

static bool may_become_store(const struct stat *st, int flags)
{
    return by_content && S_ISREG(st->st_mode) && st->st_size == 0 && (flags & O_ACCMODE) == O_RDWR;
}

static void examine(int fd, const struct stat *st, const char *path)
{
    lines_hold(&path);
    opened_examine(fd, st, path);
    use_opened(fd);
    lines_release(&path);
}

/* Of a file whose name says nothing, where that is not all that counts. */
static SYS_OWN_FRAME void look_into(int fd, int dir, const char *path, int flags)
{
    struct stat st;
    if (sys_fstat(fd, &st) < 0)
        return;
    if (is_to_be_examined(fd, &st, dir, path, flags))
        examine(fd, &st, path);
    else if (may_become_store(&st, flags))
        opened_examine_empty(fd, &st);
    else
        sum_stranger(fd, &st, path);
}

/* In memory of its own, since what is called next needs the stack; NULL if it is not open. */
static struct stat *standing_of(int fd)
{
    struct stat *st = scratch_take();
    if (st == NULL || sys_fstat(fd, st) == 0)
        return st;
    scratch_give(st);
    return NULL;
}

static SYS_OWN_FRAME void examine_closely(int fd, const char *path)
{
    struct stat *st = standing_of(fd);
    if (st != NULL)
        examine(fd, st, path);
    scratch_give(st);
}

/* A link that is opened to be read may lead to a store that is known: the file says so. */
bool track_deserves_look(int fd, int dir, const char *path, int flags)
{
    struct stat st;
    if (__builtin_expect(handle_possible(fd), 0) ||
        __builtin_expect(atomic_load_explicit(&asks_all, memory_order_relaxed), 0))
        return true;
    if ((flags & O_ACCMODE) != O_RDONLY)
        return track_may_be_link(dir, path, flags);
    return sys_fstat(fd, &st) == 0 && seen_possible(st.st_ino);
}

static SYS_OWN_FRAME void examine_regular(int fd, const char *path)
{
    struct stat *st = standing_of(fd);
    if (st != NULL && S_ISREG(st->st_mode))
        examine(fd, st, path);
    scratch_give(st);
}

void track_look(int fd, int dir, const char *path, int flags)
{
    if (!track_is_on())
        return;
    if (handle_possible(fd) || profile_may_match(profiles_on, path) ||
        (by_lock_name && profile_has_lock_name(profiles_on, path)))
        examine_closely(fd, path);
    else if (by_directory)
        examine_regular(fd, path);
    else
        look_into(fd, dir, path, flags);
}

void track_opened(int fd, int dir, const char *path, int flags)
{
    if (track_attentive())
        track_opened_attentively(fd, dir, path, flags);
    else
        track_opened_quietly(fd, dir, path, flags);
}

/* Only the kernel can say what it is called; of what is a store by its name alone, the main file is
 * a whole number of 512-byte pages. */
void track_received(int fd)
{
    struct stat st;
    if (fd < 0 || !track_is_on() || sys_fstat(fd, &st) < 0)
        return;
    if (handle_possible(fd) ||
        (S_ISREG(st.st_mode) && (by_directory || by_content || by_lock_name ||
                                 (st.st_size % 512 == 0 && is_link_to_store(fd)))))
        opened_examine(fd, &st, "");
}

/* errno stays: no call of libc. */
void track_reader_locked(int fd)
{
    if (!track_is_on())
        return;
    const int flags = sys_fcntl(fd, F_GETFL, 0);
    if (flags >= 0 && (flags & (O_ACCMODE | O_NOFOLLOW)) == O_RDONLY)
        track_received(fd);
}
