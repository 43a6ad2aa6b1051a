#include "preload/sqlite.h"

#include "base/elf_lookup.h"
#include "base/sys.h"
#include "base/text.h"
#include "helper/log.h"
#include "preload/real.h"

#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

static const char *const symbol_names[] = {
#define NAME(name) #name,
    SETTLE_SQLITE_SYMBOLS(NAME) SETTLE_SQLITE_ASKED(NAME)
#undef NAME
};

/* What was found for the addresses of one object. Entries are written once per generation and
 * published by `ready`; a full cache costs a search for each call and nothing else. All of an entry
 * is atomic, since it may be given away while it is read. */
enum { REMEMBERED = 64 };
static struct remembered {
    _Atomic unsigned
        ready; /* generation + 1 in which it is valid; 0: free; CLAIMED: being written */
    _Atomic uintptr_t low, high;
    void *_Atomic functions[SQLITE_SYMBOL_COUNT];
} by_caller[REMEMBERED] SYS_SELDOM_TOUCHED, by_object[REMEMBERED] SYS_SELDOM_TOUCHED;
static const unsigned claimed = ~0u;
static _Atomic unsigned generation = 1;

void sqlite_forget(void)
{
    atomic_fetch_add(&generation, 1);
}

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
        if (atomic_load(&r->ready) == now)
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

struct object {
    uintptr_t address; /* asked for */
    uintptr_t low, high;
    char path[PATH_MAX]; /* "" for the main program */
};

static int find_object(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct object *object = argument;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t low = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD || object->address < low ||
            object->address >= low + segment->p_memsz)
            continue;
        object->low = low;
        object->high = low + segment->p_memsz;
        str_copy(object->path, sizeof object->path, info->dlpi_name == NULL ? "" : info->dlpi_name);
        return 1;
    }
    return 0;
}

static bool is_ours(void *function)
{
    Dl_info info, own;
    return real.dladdr(function, &info) == 0 || real.dladdr((void *)is_ours, &own) == 0 ||
           info.dli_fbase == own.dli_fbase;
}

static void *look_in(void *scope, enum sqlite_symbol symbol)
{
    void *found = scope == NULL ? NULL : real.dlsym(scope, symbol_names[symbol]);
    return found == NULL || is_ours(found) ? NULL : found;
}

/* Fills in what is still missing. */
static void find_in(void *scope, void **functions)
{
    for (enum sqlite_symbol s = 0; s < SQLITE_SYMBOL_COUNT; s++)
        if (functions[s] == NULL)
            functions[s] = look_in(scope, s);
}

static void find_in_object(const char *path, void **functions)
{
    void *object = real.dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
    if (object == NULL)
        return;
    find_in(object, functions);
    real.dlclose(object);
}

static bool is_complete(void *const *functions)
{
    for (enum sqlite_symbol s = 0; s < SQLITE_SYMBOL_COUNT; s++)
        if (functions[s] == NULL)
            return false;
    return true;
}

struct numbered {
    unsigned number; /* counts down to the object that is wanted */
    char path[PATH_MAX];
};

static int find_numbered(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct numbered *wanted = argument;
    (void)size;
    if (wanted->number-- > 0)
        return 0;
    str_copy(wanted->path, sizeof wanted->path, info->dlpi_name == NULL ? "" : info->dlpi_name);
    return 1;
}

/* The path of a loaded object by its number; false behind the last. */
static bool loaded_object(unsigned number, struct numbered *object)
{
    object->number = number;
    return dl_iterate_phdr(find_numbered, object) != 0;
}

/* As the dynamic linker looks things up: what is loaded for all, behind the shim; then the caller's
 * own object with what it was linked with, since libsqlite3 may have come in through a module that
 * was loaded RTLD_LOCAL (CPython, Perl, Tcl). RTLD_DEFAULT would find the shim itself. The rest
 * serves callers whose return address belongs to somebody else, since they made a tail call: any
 * SQLite that is loaded, the one of the usual name first. */
static void find_for_caller(const struct object *object, void **functions)
{
    memset(functions, 0, SQLITE_SYMBOL_COUNT * sizeof *functions);
    find_in(RTLD_NEXT, functions);
    if (object->path[0] != '\0')
        find_in_object(object->path, functions);
    if (!is_complete(functions))
        find_in_object("libsqlite3.so.0", functions);
    struct numbered loaded;
    for (unsigned i = 1; !is_complete(functions) && loaded_object(i, &loaded); i++)
        if (loaded.path[0] != '\0')
            find_in_object(loaded.path, functions);
    real.dlerror();
}

/* The object's own functions and no others. */
static void find_in_itself(const struct object *object, void **functions)
{
    const char *path = object->path[0] == '\0' ? NULL : object->path;
    void *scope = real.dlopen(path, RTLD_LAZY | RTLD_NOLOAD);
    for (enum sqlite_symbol s = 0; s < SQLITE_SYMBOL_COUNT; s++) {
        uintptr_t found = scope == NULL ? 0 : (uintptr_t)real.dlsym(scope, symbol_names[s]);
        bool own = found >= object->low && found < object->high;
        functions[s] = own ? (void *)found : NULL;
    }
    if (scope != NULL)
        real.dlclose(scope);
    real.dlerror();
}

static void tell(const struct object *object, enum sqlite_symbol symbol, void *function)
{
    if (!log_wants(LOG_DEBUG))
        return;
    Dl_info info;
    struct log_line line;
    log_begin(&line, LOG_DEBUG);
    text_str(&line.text, symbol_names[symbol]);
    text_str(&line.text, " of ");
    text_path(&line.text, object->path[0] == '\0' ? "the main program" : object->path);
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
    void *function = NULL;
    next_find(symbol_names[symbol], &function, 1);
    return function;
}

typedef void finder(const struct object *object, void **functions);

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
    struct object object = {.address = (uintptr_t)address};
    void *functions[SQLITE_SYMBOL_COUNT];
    dl_iterate_phdr(find_object, &object);
    find(&object, functions);
    for (enum sqlite_symbol s = 0; s < SQLITE_SYMBOL_COUNT; s++)
        tell(&object, s, functions[s]);
    if (functions[symbol] != NULL && object.high != 0)
        remember(cache, object.low, object.high, functions, now);
    errno = saved;
    return functions[symbol];
}

void *sqlite_real(enum sqlite_symbol symbol, const void *caller)
{
    return look_up(by_caller, find_for_caller, symbol, caller);
}

void *sqlite_beside(enum sqlite_symbol symbol, const void *function)
{
    return look_up(by_object, find_in_itself, symbol, function);
}
