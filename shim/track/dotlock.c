#include "track/dotlock.h"

#include "base/path.h"
#include "base/scratch.h"
#include "base/sys.h"
#include "track/locks.h"
#include "track/process.h"
#include "track/track.h"

/* The database that a dot-file's name is made of, pinned; NULL if it is no store. */
static struct store *store_of(const char *dotfile)
{
    struct stat st;
    struct store *store = NULL;
    char *path = scratch_take();
    if (path != NULL && path_part(path, PATH_MAX, dotfile, dotfile_stem(dotfile)) &&
        sys_stat(path, &st) == 0)
        store = store_find(identity_of(&st));
    scratch_give(path);
    return store;
}

void dotlock_note(const char *path, bool held)
{
    if (!track_is_on() || !process_at_home())
        return;
    struct store *store = store_of(path);
    if (store == NULL)
        return;
    if (store_profile(store)->engine == ENGINE_SQLITE)
        locks_dotfile(store, held);
    store_release(store);
}
