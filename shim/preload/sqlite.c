#include "preload/sqlite.h"

#include "base/elf_lookup.h"
#include "base/elf_object.h"
#include "base/sys.h"
#include "base/text.h"
#include "helper/log.h"
#include "preload/real.h"
#include "preload/sqlite_lookup.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>

/* What was found for the addresses of one object. Entries are written once per generation and
 * published by `ready`; a full cache costs a search for each call and nothing else. All of an entry
 * is atomic, since it may be given away while it is read. */
enum { REMEMBERED = 32 };
static struct remembered {
    _Atomic unsigned ready; /* the generation in which it is valid; 0: free; or `claimed` */
    _Atomic uintptr_t low, high;
    void *_Atomic functions[SQLITE_SYMBOL_COUNT];
} by_caller[REMEMBERED] SYS_SELDOM_TOUCHED, by_object[REMEMBERED] SYS_SELDOM_TOUCHED;
static const unsigned claimed = ~0u; /* it is being written */
static _Atomic unsigned generation = 1;

/* The function, if it is remembered; an entry that was given away while it was read is no answer.
 */
static void *recall(struct remembered *cache, enum sqlite_symbol symbol, uintptr_t address)
{
    unsigned now = atomic_load(&generation);
    for (int i = 0; i < REMEMBERED; i++) {
        struct remembered *r = &cache[i];
        if (atomic_load(&r->ready) != now || address < atomic_load(&r->low) ||
            address >= atomic_load(&r->high))
            continue;
        void *function = atomic_load(&r->functions[symbol]);
        if (function != NULL && atomic_load(&r->ready) == now)
            return function;
    }
    return NULL;
}

static void remember(struct remembered *cache, uintptr_t low, uintptr_t high,
                     void *const *functions, unsigned now)
{
    for (int i = 0; i < REMEMBERED; i++) {
        struct remembered *r = &cache[i];
        unsigned ready = atomic_load(&r->ready);
        /* Never back to an earlier generation, nor by way of one: whoever reads an entry knows by
         * its generation that it is still the same. (An entry that is claimed has the last.) */
        if (ready >= now || !atomic_compare_exchange_strong(&r->ready, &ready, claimed))
            continue;
        atomic_store(&r->low, low);
        atomic_store(&r->high, high);
        for (int s = 0; s < SQLITE_SYMBOL_COUNT; s++)
            atomic_store(&r->functions[s], functions[s]);
        atomic_store(&r->ready, now);
        return;
    }
}

static bool is_loaded(const struct remembered *r)
{
    struct elf_object object = {.name = ""};
    uintptr_t low = atomic_load(&r->low);
    if (!elf_object_at(low, &object) || object.low != low || object.high != atomic_load(&r->high))
        return false;
    for (enum sqlite_symbol s = 0; s < SQLITE_SYMBOL_COUNT; s++) {
        void *function = atomic_load(&r->functions[s]);
        if (function != NULL && (!elf_object_at((uintptr_t)function, &object) ||
                                 elf_object_symbol(&object, sqlite_symbol_names[s]) != function))
            return false;
    }
    return true;
}

bool sqlite_is_loaded(const void *close_function)
{
    struct elf_object object = {.name = ""};
    return elf_object_at((uintptr_t)close_function, &object) &&
           elf_object_symbol(&object, "sqlite3_close") == close_function;
}

/* What is still loaded stays remembered: where calls are bound one by one, nothing tells later what
 * the first one reached. */
static void take_along(struct remembered *cache, unsigned from, unsigned to)
{
    for (int i = 0; i < REMEMBERED; i++) {
        unsigned ready = from;
        if (atomic_load(&cache[i].ready) == from && is_loaded(&cache[i]))
            atomic_compare_exchange_strong(&cache[i].ready, &ready, to);
    }
}

void sqlite_forget_unloaded(void)
{
    unsigned from = atomic_fetch_add(&generation, 1);
    take_along(by_caller, from, from + 1);
    take_along(by_object, from, from + 1);
}

static void tell(const struct elf_object *object, enum sqlite_symbol symbol, void *function)
{
    if (!log_wants(LOG_DEBUG))
        return;
    Dl_info info;
    struct log_line line;
    log_begin(&line, LOG_DEBUG);
    text_str(&line.text, sqlite_symbol_names[symbol]);
    text_str(&line.text, " of ");
    text_path(&line.text, object->name[0] == '\0' ? "the main program" : object->name);
    text_str(&line.text, " is in ");
    text_path(&line.text,
              function != NULL && real.dladdr(function, &info) != 0 ? info.dli_fname : "(nowhere)");
    log_end(&line);
}

/* Before glibc 2.34 these are in libdl, which a process need not have. */
static bool loader_answers(void)
{
    if (real.dlsym == NULL)
        real_resolve();
    return real.dlsym != NULL && real.dladdr != NULL && real.dlerror != NULL;
}

/* Where there is nobody else to ask, no SQLite can have been loaded but with the program. */
static void *find_behind(enum sqlite_symbol symbol)
{
    return elf_find_next_one(sqlite_symbol_names[symbol]);
}

typedef void finder(const struct elf_object *object, enum sqlite_symbol symbol, void **functions);

/* errno stays. */
static void *look_up(struct remembered *cache, finder *find, enum sqlite_symbol symbol,
                     const void *address)
{
    void *function = recall(cache, symbol, (uintptr_t)address);
    if (function != NULL)
        return function;

    if (!loader_answers())
        return find_behind(symbol);
    int saved = errno;
    unsigned now = atomic_load(&generation);
    struct elf_object object = {.name = ""};
    void *functions[SQLITE_SYMBOL_COUNT];
    /* Of no object is what was made at run time, or unloaded meanwhile. */
    bool known = elf_object_at((uintptr_t)address, &object);
    find(&object, symbol, functions);
    tell(&object, symbol, functions[symbol]);
    if (functions[symbol] != NULL && known)
        remember(cache, object.low, object.high, functions, now);
    errno = saved;
    return functions[symbol];
}

void *sqlite_real(enum sqlite_symbol symbol, const void *caller)
{
    return look_up(by_caller, sqlite_lookup_for_caller, symbol, caller);
}

void *sqlite_beside(enum sqlite_symbol symbol, const void *function)
{
    return look_up(by_object, sqlite_lookup_in_object, symbol, function);
}
