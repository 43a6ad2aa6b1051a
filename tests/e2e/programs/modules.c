/* modules reload MODULE STORE: a host that has used the module, unloaded it, and loaded it again
 * with its SQLite at another address. modules unseen MODULE STORE: one that opens by the module and
 * closes by a function that it has asked its SQLite for, and after such a reload the other way
 * round, with a connection at the same address. modules both MODULE MODULE STORE: a host with a
 * connection by each module. Modules are libraries/connection.c, in its several builds. */
#include <dlfcn.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct extent {
    uintptr_t base;
    size_t size;
};

struct module {
    void *handle;
    void *(*open)(const char *path);
    int (*close)(void *connection);
    long long (*memory)(void);
    const void *(*sqlite)(void);
    void *connection;
};

static struct module load(const char *path)
{
    struct module m = {.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
    if (m.handle == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        _exit(1);
    }
    *(void **)&m.open = dlsym(m.handle, "module_open");
    *(void **)&m.close = dlsym(m.handle, "module_close");
    *(void **)&m.memory = dlsym(m.handle, "module_memory");
    *(void **)&m.sqlite = dlsym(m.handle, "module_sqlite");
    return m;
}

static void open_store(struct module *m, const char *store)
{
    m->connection = m->open(store);
    printf("memory %lld\n", m->memory());
}

static int close_store(struct module *m)
{
    int result = m->close(m->connection);
    printf("result %d, memory %lld\n", result, m->memory());
    return result;
}

static uintptr_t base_of(const void *address)
{
    Dl_info info;
    return dladdr(address, &info) == 0 ? 0 : (uintptr_t)info.dli_fbase;
}

static int measure(struct dl_phdr_info *info, size_t size, void *argument)
{
    struct extent *e = argument;
    (void)size;
    if (info->dlpi_addr != e->base)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        size_t end = info->dlpi_phdr[i].p_vaddr + info->dlpi_phdr[i].p_memsz;
        if (info->dlpi_phdr[i].p_type == PT_LOAD && end > e->size)
            e->size = end;
    }
    return 1;
}

static struct extent extent_at(const void *address)
{
    struct extent e = {.base = base_of(address)};
    dl_iterate_phdr(measure, &e);
    return e;
}

/* So that nothing else can be there. False if something is: musl unloads nothing. */
static int occupy(struct extent place)
{
    const size_t page = 4096;
    int free = 1;
    for (size_t at = 0; at < place.size; at += page)
        free &= mmap((void *)(place.base + at), page, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED;
    return free;
}

/* The kernel gives the highest place that is large enough: takes what is free above one, so that
 * this one is next, whatever a preloaded library has mapped and given back. */
static void leave_only(struct extent place)
{
    const size_t page = 4096;
    if (!occupy(place))
        return;
    for (int i = 0; i < 100000; i++) {
        void *pages = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if ((uintptr_t)pages > place.base)
            continue;
        munmap(pages, page);
        break;
    }
    munmap((void *)place.base, place.size);
}

static struct module reload(struct module m, const char *path)
{
    const struct extent module = extent_at(*(void **)&m.open);
    const struct extent sqlite = extent_at(m.sqlite());
    dlclose(m.handle);
    occupy(sqlite);
    leave_only(module);
    m = load(path);
    printf("the module %s, its SQLite %s\n",
           base_of(*(void **)&m.open) == module.base ? "stays" : "moves",
           base_of(m.sqlite()) == sqlite.base ? "stays" : "moves");
    return m;
}

/* As it is in the SQLite of the module: no preloaded library is asked. */
static void *own_function(const struct module *m, const char *name)
{
    Dl_info info = {.dli_fname = NULL};
    dladdr(m->sqlite(), &info);
    void *sqlite = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    void *function = dlsym(sqlite, name);
    dlclose(sqlite);
    return function;
}

static void close_unseen(const struct module *m, void *connection)
{
    int (*close)(void *);
    *(void **)&close = own_function(m, "sqlite3_close");
    close(connection);
}

/* Others are open meanwhile, so that each new one has an address of its own. */
static void *open_unseen_at(void *address, const struct module *m, const char *store)
{
    enum { MOST = 256 };
    void *opened[MOST];
    int (*open)(const char *, void **);
    int count = 0;
    *(void **)&open = own_function(m, "sqlite3_open");
    do
        open(store, &opened[count]);
    while (opened[count++] != address && count < MOST);
    for (int i = 0; i < count - 1; i++)
        close_unseen(m, opened[i]);
    return opened[count - 1];
}

static void await_word(void)
{
    char line[16];
    puts("open");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        _exit(1);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    const char *store = argv[argc - 1];
    int results = 0;
    struct module first = load(argv[2]);
    open_store(&first, store);
    if (strcmp(argv[1], "reload") == 0) {
        results += close_store(&first);
        first = reload(first, argv[2]);
        open_store(&first, store);
        await_word();
        results += close_store(&first);
    } else if (strcmp(argv[1], "unseen") == 0) {
        void *address = first.connection;
        close_unseen(&first, first.connection);
        first = reload(first, argv[2]);
        first.connection = open_unseen_at(address, &first, store);
        printf("at the same address: %d\n", first.connection == address);
        await_word();
        results += close_store(&first);
    } else {
        struct module second = load(argv[3]);
        open_store(&second, store);
        printf("the same SQLite: %d\n", base_of(first.sqlite()) == base_of(second.sqlite()));
        await_word();
        results += close_store(&first);
        results += close_store(&second);
    }
    puts("closed");
    return results;
}
