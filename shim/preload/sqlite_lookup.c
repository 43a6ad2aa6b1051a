#include "preload/sqlite_lookup.h"

#include "base/sys.h"
#include "preload/real.h"

#include <link.h>
#include <string.h>

#define NAME(name) #name,
const char *const sqlite_symbol_names[SQLITE_SYMBOL_COUNT] = {SETTLE_SQLITE_SYMBOLS(NAME)
                                                                  SETTLE_SQLITE_ASKED(NAME)};
#undef NAME

static bool is_hooked(const char *name)
{
    static const char *const hooked[] = {
#define NAME(name) #name,
        SETTLE_SQLITE_SYMBOLS(NAME)
#undef NAME
    };
    for (size_t i = 0; i < sizeof hooked / sizeof hooked[0]; i++)
        if (strcmp(name, hooked[i]) == 0)
            return true;
    return false;
}

static bool is_complete(void *const *functions)
{
    for (enum sqlite_symbol s = 0; s < SQLITE_SYMBOL_COUNT; s++)
        if (functions[s] == NULL)
            return false;
    return true;
}

/* Where the linker has put this library, or the test that it is linked into. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _end[] __attribute__((visibility("hidden")));

static bool is_ours(const void *function)
{
    return (uintptr_t)function >= (uintptr_t)__ehdr_start && (uintptr_t)function < (uintptr_t)_end;
}

void sqlite_lookup_in_object(const struct elf_object *object, enum sqlite_symbol symbol,
                             void **functions)
{
    (void)symbol;
    for (enum sqlite_symbol s = 0; s < SQLITE_SYMBOL_COUNT; s++)
        functions[s] = elf_object_symbol(object, sqlite_symbol_names[s]);
}

/* --- what the caller's object is bound to --- */

enum { NO_REFERENCE, CALLS, POINTERS };

/* How the object names the hooked functions: by calls, or by pointers alone, or not at all. */
static bool note_kind(const struct elf_reference *reference, void *argument)
{
    int *kind = argument;
    if (is_hooked(reference->name))
        *kind = reference->is_call ? CALLS : POINTERS;
    return *kind != CALLS;
}

static int kind_of_references(const struct elf_object *object)
{
    int kind = NO_REFERENCE;
    elf_object_references(object, "sqlite3_", note_kind, &kind);
    return kind;
}

struct bound {
    void **functions;
    bool pointers_only;
    struct elf_object last; /* most references lead to the same object */
};

static bool fill_from_bound(const struct elf_reference *reference, void *argument)
{
    struct bound *bound = argument;
    uintptr_t address = reference->address;
    if (address == 0 || (bound->pointers_only && reference->is_call) ||
        is_hooked(reference->name) || (address >= bound->last.low && address < bound->last.high) ||
        !elf_object_at(address, &bound->last))
        return true;
    for (enum sqlite_symbol s = 0; s < SQLITE_SYMBOL_COUNT; s++)
        if (bound->functions[s] == NULL)
            bound->functions[s] = elf_object_symbol(&bound->last, sqlite_symbol_names[s]);
    return !is_complete(bound->functions);
}

static void find_bound(const struct elf_object *object, bool pointers_only, void **functions)
{
    struct bound bound = {.functions = functions, .pointers_only = pointers_only};
    elf_object_references(object, "sqlite3_", fill_from_bound, &bound);
}

/* An extension calls by a table that the SQLite which loaded it has handed over, under this name
 * (https://www.sqlite.org/loadext.html, SQLITE_EXTENSION_INIT1). The table's entries are pointers
 * of that SQLite, so they are bound as its others are. */
static void find_by_extension_table(const struct elf_object *object, void **functions)
{
    void *const *table = elf_object_symbol(object, "sqlite3_api");
    struct elf_object sqlite = {.name = ""};
    if (table != NULL && *table != NULL && elf_object_at((uintptr_t)*table, &sqlite))
        find_bound(&sqlite, true, functions);
}

/* --- what the linker would find now --- */

/* Fills in what is still missing. */
static void find_in(void *scope, void **functions)
{
    for (enum sqlite_symbol s = 0; s < SQLITE_SYMBOL_COUNT; s++) {
        if (functions[s] != NULL)
            continue;
        void *found = real.dlsym(scope, sqlite_symbol_names[s]);
        if (found != NULL && !is_ours(found))
            functions[s] = found;
    }
}

static void find_in_scope_of(const char *name, void **functions)
{
    void *scope = name[0] == '\0' ? NULL : real.dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
    if (scope == NULL)
        return;
    find_in(scope, functions);
    real.dlclose(scope);
}

/* On pages of its own, since the caller's stack may be a small one. */
enum { OBJECTS = 1024 };
struct loaded {
    struct elf_object objects[OBJECTS];
    size_t count;
    bool above[OBJECTS]; /* the caller's object, and those that need it, directly or not */
};

static bool needs_one_above(const struct loaded *loaded, size_t i)
{
    for (size_t k = 0; k < loaded->count; k++)
        if (loaded->above[k] && elf_object_needs(&loaded->objects[i], &loaded->objects[k]))
            return true;
    return false;
}

static void mark_above(struct loaded *loaded, const struct elf_object *object)
{
    for (size_t i = 0; i < loaded->count; i++)
        loaded->above[i] = loaded->objects[i].low == object->low;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < loaded->count; i++)
            if (!loaded->above[i] && needs_one_above(loaded, i))
                more = loaded->above[i] = true;
    }
}

static bool is_needed(const struct loaded *loaded, size_t i)
{
    for (size_t k = 0; k < loaded->count; k++)
        if (k != i && elf_object_needs(&loaded->objects[k], &loaded->objects[i]))
            return true;
    return false;
}

/* What dlopen loaded is looked through together with all that it needs: a library that names no
 * SQLite finds that of the module which needs both. */
static void find_in_roots(const struct loaded *loaded, void **functions)
{
    for (int needed = 0; needed < 2; needed++)
        for (size_t i = 0; i < loaded->count && !is_complete(functions); i++)
            if (loaded->above[i] && is_needed(loaded, i) == (needed != 0))
                find_in_scope_of(loaded->objects[i].name, functions);
}

static void find_now(const struct elf_object *object, void **functions)
{
    find_in(RTLD_NEXT, functions);
    struct loaded *loaded = is_complete(functions) ? NULL : sys_mmap(sizeof *loaded);
    if (loaded == NULL)
        return;
    loaded->count = elf_objects(loaded->objects, OBJECTS);
    mark_above(loaded, object);
    find_in_roots(loaded, functions);
    /* Callers whose return address belongs to somebody else, since they made a tail call: any
     * SQLite that is loaded, the one of the usual name first. */
    find_in_scope_of("libsqlite3.so.0", functions);
    for (size_t i = 0; i < loaded->count && !is_complete(functions); i++)
        find_in_scope_of(loaded->objects[i].name, functions);
    sys_munmap(loaded, sizeof *loaded);
}

static void find_one_now(const struct elf_object *object, enum sqlite_symbol symbol,
                         void **functions)
{
    void *found[SQLITE_SYMBOL_COUNT] = {NULL};
    find_now(object, found);
    functions[symbol] = found[symbol];
}

void sqlite_lookup_for_caller(const struct elf_object *object, enum sqlite_symbol symbol,
                              void **functions)
{
    memset(functions, 0, SQLITE_SYMBOL_COUNT * sizeof *functions);
    int kind = kind_of_references(object);
    if (kind == CALLS && elf_object_is_lazy(object)) {
        find_one_now(object, symbol, functions); /* this call is what would bind it */
    } else {
        if (kind == NO_REFERENCE)
            find_by_extension_table(object, functions);
        else
            find_bound(object, false, functions);
        if (functions[symbol] == NULL)
            find_now(object, functions);
    }
    real.dlerror();
}
