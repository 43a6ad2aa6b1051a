/* modules reload MODULE STORE: a host that has used the module, unloaded it, and loaded it again
 * with its SQLite at another address. modules both MODULE MODULE STORE: a host with a connection by
 * each module. Modules are libraries/connection.c, in its several builds. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* So that nothing else can be there. */
static void occupy(uintptr_t base)
{
    const size_t page = 4096, pages = 512;
    for (size_t i = 0; i < pages; i++)
        mmap((void *)(base + i * page), page, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

static struct module reload(struct module m, const char *path)
{
    uintptr_t module = base_of(*(void **)&m.open);
    uintptr_t sqlite = base_of(m.sqlite());
    dlclose(m.handle);
    occupy(sqlite);
    m = load(path);
    printf("the module %s, its SQLite %s\n",
           base_of(*(void **)&m.open) == module ? "stays" : "moves",
           base_of(m.sqlite()) == sqlite ? "stays" : "moves");
    return m;
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
