#include "base/elf_lookup.h"

#include "base/elf_tables.h"
#include "base/sys.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Of this library, where it is one. */
extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden"), weak));

struct wanted {
    const char *text;
    size_t size;   /* with its NUL */
    uint32_t hash; /* of the GNU table */
};

enum { WANTED_MOST = 64 };

struct search {
    const struct elf_names *names;
    void **functions;
    bool found[WANTED_MOST];
    size_t missing;
    size_t set;
    bool behind; /* this library, which has been passed or needs not be */
    bool remembers;
};

static bool is_defined(const ElfW(Sym) * s)
{
    unsigned binding = ELF64_ST_BIND(s->st_info);
    return s->st_shndx != SHN_UNDEF && s->st_value != 0 &&
           (binding == STB_GLOBAL || binding == STB_WEAK);
}

/* A name that has several versions is what its default version says; the others are marked by the
 * highest bit. */
static bool is_hidden(const struct elf_tables *t, uint32_t i)
{
    return t->versions != NULL && (t->versions[i] & 0x8000) != 0;
}

static inline uint64_t eight_of(const char *at)
{
    uint64_t eight;
    memcpy(&eight, at, sizeof eight);
    return eight;
}

static inline uint32_t four_of(const char *at)
{
    uint32_t four;
    memcpy(&four, at, sizeof four);
    return four;
}

/* Both have `size` bytes, which are compared in words, the last one together with bytes that were
 * compared before: quicker than memcmp, byte by byte (string.c), for some dozens of names in a row.
 */
static inline bool is_same(const char *a, const char *b, size_t size)
{
    if (size >= 8) {
        for (size_t at = 0; at + 8 < size; at += 8)
            if (eight_of(a + at) != eight_of(b + at))
                return false;
        return eight_of(a + size - 8) == eight_of(b + size - 8);
    }
    if (size >= 4)
        return four_of(a) == four_of(b) && four_of(a + size - 4) == four_of(b + size - 4);
    return strcmp(a, b) == 0;
}

static inline const ElfW(Sym) *
    match(const struct elf_tables *t, uint32_t i, const struct wanted *w)
{
    const ElfW(Sym) *s = &t->symbols[i];
    return is_defined(s) && !is_hidden(t, i) && w->size <= t->strings_size - s->st_name &&
                   is_same(t->strings + s->st_name, w->text, w->size)
               ? s
               : NULL;
}

/* Numbers of buckets and of words of the filter, the first symbol, and the filter's shift; then the
 * filter, the buckets, and a hash of each symbol, whose lowest bit ends its bucket. Most libraries
 * lack most names, and the filter says so. */
struct gnu_table {
    uint32_t buckets, mask, first, shift;
    const ElfW(Addr) * filter;
    const uint32_t *bucket, *hashes;
};

static struct gnu_table gnu_table_of(const struct elf_tables *t)
{
    const uint32_t words = t->gnu[2];
    const ElfW(Addr) *filter = (const void *)(t->gnu + 4);
    const uint32_t *bucket = (const void *)(filter + words);
    return (struct gnu_table){.buckets = t->gnu[0],
                              .mask = words - 1,
                              .first = t->gnu[1],
                              .shift = t->gnu[3],
                              .filter = filter,
                              .bucket = bucket,
                              .hashes = bucket + t->gnu[0]};
}

static inline const ElfW(Sym) *
    find_gnu(const struct gnu_table *g, const struct elf_tables *t, const struct wanted *w)
{
    const uint32_t bits = 8 * sizeof *g->filter;
    const uint32_t h = w->hash;
    const ElfW(Addr) word = g->filter[h / bits & g->mask];
    if ((word >> h % bits & word >> (h >> g->shift) % bits & 1) == 0)
        return NULL;
    uint32_t i = g->bucket[h % g->buckets];
    if (i < g->first)
        return NULL;
    for (const uint32_t *hash = &g->hashes[i - g->first];; hash++, i++) {
        const ElfW(Sym) *s = ((*hash ^ h) | 1) == 1 ? match(t, i, w) : NULL;
        if (s != NULL || (*hash & 1) != 0)
            return s;
    }
}

static uint32_t sysv_hash(const char *name)
{
    uint32_t h = 0;
    for (; *name != '\0'; name++) {
        h = (h << 4) + (unsigned char)*name;
        h = (h ^ (h >> 24 & 0xf0)) & 0x0fffffff;
    }
    return h;
}

/* Numbers of buckets and of symbols; then the buckets, and the next of each symbol. */
static const ElfW(Sym) * find_sysv(const struct elf_tables *t, const struct wanted *w)
{
    const uint32_t buckets = t->sysv[0];
    const uint32_t *bucket = t->sysv + 2;
    const uint32_t *next = bucket + buckets;
    if (buckets == 0)
        return NULL;
    for (uint32_t i = bucket[sysv_hash(w->text) % buckets]; i != STN_UNDEF; i = next[i]) {
        const ElfW(Sym) *s = match(t, i, w);
        if (s != NULL)
            return s;
    }
    return NULL;
}

/* A function that is chosen when it is asked for (STT_GNU_IFUNC) is for dlsym. */
static bool is_function(const ElfW(Sym) * s)
{
    return s->st_shndx != SHN_ABS && ELF64_ST_TYPE(s->st_info) == STT_FUNC;
}

/* The tables of one object, read once for all names. */
struct object {
    struct elf_tables tables;
    struct gnu_table gnu; /* where it has that */
    bool has_names;
};

SYS_AT_START static struct object object_of(uintptr_t base, const ElfW(Dyn) * dynamic)
{
    struct object o = {.tables.base = base};
    struct elf_tables *t = &o.tables;
    elf_tables_read(t, dynamic);
    if (t->gnu != NULL)
        o.gnu = gnu_table_of(t);
    o.has_names = t->symbols != NULL && t->strings != NULL &&
                  (t->gnu != NULL ? o.gnu.buckets > 0 : t->sysv != NULL);
    return o;
}

static inline const ElfW(Sym) * find_in_object(const struct object *o, const struct wanted *w)
{
    return o->tables.gnu != NULL ? find_gnu(&o->gnu, &o->tables, w) : find_sysv(&o->tables, w);
}

static inline struct wanted wanted_of(const struct elf_names *names, size_t i)
{
    const struct elf_name *name = &names->list[i];
    return (struct wanted){names->texts + name->at, name->size, name->hash};
}

static void note(struct search *search, size_t i, uintptr_t base, const ElfW(Sym) * s)
{
    search->found[i] = true;
    search->missing--;
    if (!is_function(s))
        return;
    search->functions[i] = (void *)(base + s->st_value);
    search->set++;
}

static void find_in(const struct object *o, struct search *search)
{
    for (size_t i = 0; i < search->names->count; i++) {
        const struct wanted w = wanted_of(search->names, i);
        const ElfW(Sym) *s = search->found[i] ? NULL : find_in_object(o, &w);
        if (s != NULL)
            note(search, i, o->tables.base, s);
    }
}

/* Where elf_find_next has looked, in that order; more than there is room for are counted. */
enum { LOOKED_AT_MOST = 16 };
static struct {
    unsigned count;
    struct {
        uintptr_t base;
        const void *dynamic;
    } objects[LOOKED_AT_MOST];
} looked_at;

static void remember(uintptr_t base, const void *dynamic)
{
    if (looked_at.count < LOOKED_AT_MOST) {
        looked_at.objects[looked_at.count].base = base;
        looked_at.objects[looked_at.count].dynamic = dynamic;
    }
    looked_at.count++;
}

SYS_AT_START static int look_at(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct search *search = argument;
    const ElfW(Dyn) *dynamic = elf_dynamic_of(info);
    (void)size;
    if (dynamic == _DYNAMIC) {
        search->behind = true;
    } else if (search->behind && dynamic != NULL) {
        const struct object o = object_of(info->dlpi_addr, dynamic);
        if (o.has_names)
            find_in(&o, search);
        if (search->remembers)
            remember(info->dlpi_addr, dynamic);
    }
    return search->missing == 0;
}

SYS_AT_START static size_t find(const struct elf_names *names, void **functions, bool behind,
                                bool remembers)
{
    struct search search = {.names = names,
                            .functions = functions,
                            .missing = names->count,
                            .behind = behind,
                            .remembers = remembers};
    if (names->count <= WANTED_MOST)
        dl_iterate_phdr(look_at, &search);
    return search.set;
}

SYS_AT_START size_t elf_find_next(const struct elf_names *names, void **functions)
{
    return find(names, functions, false, looked_at.count == 0);
}

uint32_t elf_hash(const char *name)
{
    uint32_t h = 5381;
    for (; *name != '\0'; name++)
        h = h * 33 + (unsigned char)*name;
    return h;
}

static void *find_one(const char *text, bool behind)
{
    void *function = NULL;
    const struct elf_name name = {.hash = elf_hash(text), .size = (uint16_t)(strlen(text) + 1)};
    const struct elf_names names = {.texts = text, .list = &name, .count = 1};
    find(&names, &function, behind, false);
    return function;
}

void *elf_find_next_one(const char *name)
{
    return find_one(name, false);
}

void *elf_find_anywhere(const char *name)
{
    return find_one(name, true);
}

void *elf_find_in_image(const void *image, const char *name)
{
    const ElfW(Ehdr) *header = image;
    const ElfW(Phdr) *segments = (const void *)((const char *)image + header->e_phoff);
    const struct dl_phdr_info info = {
        .dlpi_addr = (ElfW(Addr))image, .dlpi_phdr = segments, .dlpi_phnum = header->e_phnum};
    const ElfW(Dyn) *dynamic = elf_dynamic_of(&info);
    return dynamic == NULL ? NULL : elf_find_in_object((uintptr_t)image, dynamic, name);
}

void *elf_find_in_object(uintptr_t base, const void *dynamic, const char *name)
{
    const struct object o = object_of(base, dynamic);
    const struct wanted w = {name, strlen(name) + 1, elf_hash(name)};
    const ElfW(Sym) *s = o.has_names ? find_in_object(&o, &w) : NULL;
    return s == NULL || ELF64_ST_TYPE(s->st_info) == STT_GNU_IFUNC ? NULL
                                                                   : (void *)(base + s->st_value);
}

void *elf_find_later(const char *name)
{
    if (looked_at.count == 0 || looked_at.count > LOOKED_AT_MOST)
        return elf_find_next_one(name);
    const struct wanted w = {name, strlen(name) + 1, elf_hash(name)};
    for (unsigned i = 0; i < looked_at.count; i++) {
        const struct object o = object_of(looked_at.objects[i].base, looked_at.objects[i].dynamic);
        const ElfW(Sym) *s = o.has_names ? find_in_object(&o, &w) : NULL;
        if (s != NULL)
            return is_function(s) ? (void *)(o.tables.base + s->st_value) : NULL;
    }
    return NULL;
}
