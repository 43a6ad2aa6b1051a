/* scopes FILE: a process of several SQLites (libraries/scope_sqlite.c, scope_module.c), which
 * loads, uses and unloads what the lines of a file say, and prints what each call reached:
 *   load SLOT LIBRARY local|global
 *   unload SLOT
 *   give SLOT LIBRARY     to the SQLite in that slot
 *   open SLOT WAY
 *   exec SLOT
 *   close SLOT WAY
 * A line that is for nothing is passed over: the lines come from dice. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 16 };
static struct slot {
    void *handle;
    void *db;
} slots[SLOTS];

static void *find(const struct slot *slot, const char *name)
{
    return slot->handle == NULL ? NULL : dlsym(slot->handle, name);
}

static void load(struct slot *slot, const char *file, const char *scope)
{
    if (slot->handle == NULL)
        slot->handle = dlopen(file, RTLD_LAZY | (scope[0] == 'g' ? RTLD_GLOBAL : RTLD_LOCAL));
    printf("load %s\n", slot->handle == NULL ? dlerror() : file);
}

static void unload(struct slot *slot)
{
    if (slot->handle != NULL && slot->db == NULL) {
        dlclose(slot->handle);
        slot->handle = NULL;
    }
}

static void give(const struct slot *slot, const char *file)
{
    int (*give_to)(void *, const char *);
    *(void **)&give_to = find(slot, "sqlite3_load_extension");
    if (give_to != NULL)
        printf("give %d\n", give_to(NULL, file));
}

static void open_in(struct slot *slot, int way)
{
    void *(*open)(int);
    *(void **)&open = find(slot, "module_open");
    if (open != NULL && slot->db == NULL)
        slot->db = open(way);
}

static void exec_in(const struct slot *slot)
{
    int (*exec)(void *);
    *(void **)&exec = find(slot, "module_exec");
    if (exec != NULL && slot->db != NULL)
        exec(slot->db);
}

static void close_in(struct slot *slot, int way)
{
    int (*close)(void *, int);
    *(void **)&close = find(slot, "module_close");
    if (close == NULL || slot->db == NULL)
        return;
    close(slot->db, way);
    slot->db = NULL;
}

static void obey(const char *what, struct slot *slot, const char *word, const char *scope)
{
    if (strcmp(what, "load") == 0)
        load(slot, word, scope);
    else if (strcmp(what, "unload") == 0)
        unload(slot);
    else if (strcmp(what, "give") == 0)
        give(slot, word);
    else if (strcmp(what, "open") == 0)
        open_in(slot, atoi(word));
    else if (strcmp(what, "exec") == 0)
        exec_in(slot);
    else if (strcmp(what, "close") == 0)
        close_in(slot, atoi(word));
}

int main(int count, char **words)
{
    char line[512];
    FILE *lines = count == 2 ? fopen(words[1], "r") : NULL;
    if (lines == NULL)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    while (fgets(line, sizeof line, lines) != NULL) {
        char what[16] = "", word[256] = "", scope[16] = "";
        unsigned slot = 0;
        sscanf(line, "%15s %u %255s %15s", what, &slot, word, scope);
        obey(what, &slots[slot % SLOTS], word, scope);
    }
    return 0;
}
