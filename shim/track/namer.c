#include "track/namer.h"

#include "base/clock.h"
#include "base/sys.h"
#include "base/text.h"
#include "helper/helper.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* Nobody waits for the look, so that it has time on a busy machine, too. */
static const uint64_t longest_look = 500000000;

/* As many waits of a process at the same time are looked into. */
enum { SLOTS = 8 };

/* In the helper's memory, which a wait that ends first leaves to it. */
struct naming {
    char path[PATH_MAX];
    struct holders_question question;
    struct holder seen;
    struct wait_holders names;
    atomic_bool done;
};

/* A slot's memory is used again once its thread has ended. What a fork child inherits is nobody's:
 * its user is another process. */
struct naming_slot {
    _Atomic int user; /* the process with a wait that has it; 0: none */
    struct helper *helper;
};
static struct naming_slot slots[SLOTS];

static struct naming_slot *take_slot(void)
{
    int self = sys_getpid();
    for (int i = 0; i < SLOTS; i++) {
        int user = atomic_load(&slots[i].user);
        if (user == self || !atomic_compare_exchange_strong(&slots[i].user, &user, self))
            continue;
        if (slots[i].helper == NULL || !helper_is_running(slots[i].helper))
            return &slots[i];
        atomic_store(&slots[i].user, 0);
    }
    return NULL;
}

static void look(void *argument)
{
    struct naming *naming = argument;
    holders_find(&naming->names.found, &naming->question, &naming->seen);
    atomic_store(&naming->done, true);
}

static int begin(struct helper *helper, const struct wait_request *request,
                 const struct holder *seen)
{
    struct naming *naming = helper_request(helper);
    memset(naming, 0, sizeof *naming);
    str_copy(naming->path, sizeof naming->path, request->path);
    naming->names.found = (struct holders){
        .list = naming->names.list, .room = sizeof naming->names.list / sizeof(struct holder)};
    naming->seen = *seen;
    naming->question = (struct holders_question){
        .path = naming->path,
        .sidecars = true,
        .profile = request->profile,
        .until = request->until,
        .deadline = clock_now() + longest_look,
    };
    return helper_begin(helper, look);
}

void namer_begin(struct namer *n, const struct wait_request *request, const struct holder *seen)
{
    if (n->slot == NULL)
        n->slot = take_slot();
    struct naming_slot *slot = n->slot;
    if (slot == NULL || (slot->helper != NULL && helper_is_running(slot->helper)))
        return;
    if (slot->helper != NULL && begin(slot->helper, request, seen) != ESRCH)
        return;
    slot->helper = helper_new(sizeof(struct naming)); /* the first, or the first of a fork child */
    if (slot->helper != NULL)
        begin(slot->helper, request, seen);
}

void namer_end(struct namer *n, struct holders *found)
{
    if (n->slot == NULL)
        return;
    const struct naming *naming = n->slot->helper != NULL ? helper_request(n->slot->helper) : NULL;
    if (naming != NULL && atomic_load(&naming->done)) {
        const struct holders *named = &naming->names.found;
        found->count = named->count < found->room ? named->count : found->room;
        for (unsigned i = 0; i < found->count; i++)
            found->list[i] = named->list[i];
    }
    atomic_store(&n->slot->user, 0);
    n->slot = NULL;
}
