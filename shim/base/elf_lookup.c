#include "base/elf_lookup.h"

#include "base/elf_tables.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Of this library, where it is one. */
extern ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden"), weak));

struct wanted {
    const char *name;
    uint32_t hash; /* of the GNU table */
    void **function;
    bool found;
};

enum { WANTED_MOST = 64 };

struct search {
    struct wanted wanted[WANTED_MOST];
    size_t count;
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

static const ElfW(Sym) * match(const struct elf_tables *t, uint32_t i, const char *name)
{
    const ElfW(Sym) *s = &t->symbols[i];
    return is_defined(s) && !is_hidden(t, i) && strcmp(t->strings + s->st_name, name) == 0 ? s
                                                                                           : NULL;
}

/* Numbers of buckets and of words of the filter, the first symbol, and the filter's shift; then the
 * filter, the buckets, and a hash of each symbol, whose lowest bit ends its bucket. Most libraries
 * lack most names, and the filter says so. */
static const ElfW(Sym) * find_gnu(const struct elf_tables *t, const struct wanted *w)
{
    const uint32_t buckets = t->gnu[0], first = t->gnu[1], words = t->gnu[2], shift = t->gnu[3];
    const ElfW(Addr) *filter = (const void *)(t->gnu + 4);
    const uint32_t *bucket = (const void *)(filter + words);
    const uint32_t *hashes = bucket + buckets;
    const uint32_t bits = 8 * sizeof *filter;
    const uint32_t h = w->hash;
    ElfW(Addr) word = filter[h / bits & (words - 1)];
    if (buckets == 0 || (word >> h % bits & word >> (h >> shift) % bits & 1) == 0)
        return NULL;
    for (uint32_t i = bucket[h % buckets]; i >= first; i++) {
        const ElfW(Sym) *s = ((hashes[i - first] ^ h) | 1) == 1 ? match(t, i, w->name) : NULL;
        if (s != NULL || (hashes[i - first] & 1) != 0)
            return s;
    }
    return NULL;
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
    for (uint32_t i = bucket[sysv_hash(w->name) % buckets]; i != STN_UNDEF; i = next[i]) {
        const ElfW(Sym) *s = match(t, i, w->name);
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

static const ElfW(Sym) * find_in_tables(const struct elf_tables *t, const struct wanted *w)
{
    if (t->symbols == NULL || t->strings == NULL)
        return NULL;
    if (t->gnu != NULL)
        return find_gnu(t, w);
    return t->sysv != NULL ? find_sysv(t, w) : NULL;
}

static void find_in(const struct elf_tables *t, struct search *search)
{
    for (size_t i = 0; i < search->count; i++) {
        struct wanted *w = &search->wanted[i];
        if (w->found)
            continue;
        const ElfW(Sym) *s = find_in_tables(t, w);
        if (s == NULL)
            continue;
        w->found = true;
        search->missing--;
        if (!is_function(s))
            continue;
        *w->function = (void *)(t->base + s->st_value);
        search->set++;
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

static int look_at(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct search *search = argument;
    struct elf_tables t = {.base = info->dlpi_addr};
    const ElfW(Dyn) *dynamic = elf_dynamic_of(info);
    (void)size;
    if (dynamic == _DYNAMIC) {
        search->behind = true;
    } else if (search->behind && dynamic != NULL) {
        elf_tables_read(&t, dynamic);
        find_in(&t, search);
        if (search->remembers)
            remember(t.base, dynamic);
    }
    return search->missing == 0;
}

/* Returns the name's end. */
static const char *gnu_hash(const char *name, uint32_t *hash)
{
    uint32_t h = 5381;
    for (; *name != '\0'; name++)
        h = h * 33 + (unsigned char)*name;
    *hash = h;
    return name;
}

static void begin(struct search *search, bool behind)
{
    search->count = search->missing = search->set = 0;
    search->behind = behind;
    search->remembers = false;
}

/* Returns the name's end. */
static const char *want(struct search *search, const char *name, void **function)
{
    struct wanted *w = &search->wanted[search->count++];
    *w = (struct wanted){.name = name, .function = function};
    search->missing++;
    return gnu_hash(name, &w->hash);
}

size_t elf_find_next(const char *names, void **functions, size_t count)
{
    struct search search;
    begin(&search, false);
    search.remembers = looked_at.count == 0;
    for (size_t i = 0; i < count && i < WANTED_MOST; i++)
        names = want(&search, names, &functions[i]) + 1;
    dl_iterate_phdr(look_at, &search);
    return search.set;
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

void *elf_find_anywhere(const char *name)
{
    void *function = NULL;
    struct search search;
    begin(&search, true);
    want(&search, name, &function);
    dl_iterate_phdr(look_at, &search);
    return function;
}

void *elf_find_in_object(uintptr_t base, const void *dynamic, const char *name)
{
    struct elf_tables t = {.base = base};
    struct wanted w = {.name = name};
    gnu_hash(name, &w.hash);
    elf_tables_read(&t, dynamic);
    const ElfW(Sym) *s = find_in_tables(&t, &w);
    return s == NULL || ELF64_ST_TYPE(s->st_info) == STT_GNU_IFUNC ? NULL
                                                                   : (void *)(base + s->st_value);
}

static const ElfW(Sym) * find_looked_at(const struct wanted *w, struct elf_tables *t)
{
    for (unsigned i = 0; i < looked_at.count; i++) {
        *t = (struct elf_tables){.base = looked_at.objects[i].base};
        elf_tables_read(t, looked_at.objects[i].dynamic);
        const ElfW(Sym) *s = find_in_tables(t, w);
        if (s != NULL)
            return s;
    }
    return NULL;
}

void *elf_find_later(const char *name)
{
    struct elf_tables t;
    struct wanted w = {.name = name};
    if (looked_at.count == 0 || looked_at.count > LOOKED_AT_MOST) {
        void *function = NULL;
        elf_find_next(name, &function, 1);
        return function;
    }
    gnu_hash(name, &w.hash);
    const ElfW(Sym) *s = find_looked_at(&w, &t);
    return s == NULL || !is_function(s) ? NULL : (void *)(t.base + s->st_value);
}
