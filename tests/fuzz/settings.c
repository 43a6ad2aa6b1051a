/* The environment: every variable by itself, and all of them together. */
#include "config/settings.h"

#include "config/profile.h"
#include "fuzz.h"

#include <unistd.h>

/* A row: what a variable sets, as the manual has it. */
static const struct variable {
    const char *name;
    size_t offset, size;
} variables[] = {
#define FIELD(field) offsetof(struct settings, field), sizeof(((struct settings *)0)->field)
    {"SETTLE_MAX_WAIT", FIELD(max_wait)},
    {"SETTLE_CHECK_INTERVAL", FIELD(check_interval)},
    {"SETTLE_FALLBACK_DELAY", FIELD(fallback_delay)},
    {"SETTLE_UNTIL", FIELD(until)},
    {"SETTLE_TRIGGER", FIELD(trigger)},
    {"SETTLE_AT_EXIT", FIELD(at_exit)},
    {"SETTLE_DEEPBIND", FIELD(deepbind)},
    {"SETTLE_LOG", FIELD(log)},
    {"SETTLE_MAX_COLLECTIONS", FIELD(max_collections)},
    {"SETTLE_MAX_FILES", FIELD(max_files)},
    {"SETTLE_STORES", FIELD(stores)},
    {"SETTLE_DIRS", FIELD(dirs)},
    {"SETTLE_LOG_FILE", FIELD(log_file)},
    {"SETTLE_TOTAL_WAIT", FIELD(total_wait)},
    {"SETTLE_RECORD", FIELD(record)},
    {"SETTLE_USED", FIELD(used)},
    {"SETTLE_RULES", 0, 0},
    {"SETTLE_DISABLE", 0, 0},
    {"SETTLE_LIBRARY", 0, 0},
#undef FIELD
};
enum { VARIABLES = sizeof variables / sizeof variables[0], LINES = 4 };

static unsigned complaints;
static char complaint[1024];

static void complain(const char *message)
{
    complaints++;
    CHECK(strlen(message) < sizeof complaint);
    CHECK(is_shown(message));
    strcpy(complaint, message);
}

static const struct variable *variable_of(const char *name)
{
    for (int i = 0; i < VARIABLES; i++)
        if (str_equal(variables[i].name, name))
            return &variables[i];
    return NULL;
}

static void is_valid(const struct settings *s)
{
    const uint64_t day = 86400000000000;
    CHECK(s->max_wait <= day && s->check_interval <= day && s->fallback_delay <= day);
    CHECK(s->total_wait <= day || s->total_wait == NO_LIMIT);
    CHECK(s->until >= UNTIL_UNLOCKED && s->until <= UNTIL_CLOSED);
    CHECK(s->trigger >= TRIGGER_LAST && s->trigger <= TRIGGER_EVERY);
    CHECK(s->at_exit >= AT_EXIT_PENDING && s->at_exit <= AT_EXIT_OFF);
    CHECK(s->deepbind >= DEEPBIND_KEEP && s->deepbind <= DEEPBIND_STRIP);
    CHECK(s->log >= LOG_OFF && s->log <= LOG_DEBUG);
    CHECK(s->max_collections <= 1000000 && s->max_files <= 1000000);
    CHECK(memchr(s->stores, '\0', sizeof s->stores) != NULL && profile_list_known(s->stores));
    CHECK(memchr(s->dirs, '\0', sizeof s->dirs) != NULL);
    CHECK(memchr(s->log_file, '\0', sizeof s->log_file) != NULL);
    CHECK(memchr(s->record, '\0', sizeof s->record) != NULL);
    CHECK(memchr(s->used, '\0', sizeof s->used) != NULL);
}

static bool same_but_for(const struct settings *a, const struct settings *b,
                         const struct variable *v)
{
    size_t behind = v->offset + v->size;
    return memcmp(a, b, v->offset) == 0 &&
           memcmp((const char *)a + behind, (const char *)b + behind, sizeof *a - behind) == 0;
}

/* The value with each %p replaced by the pid is what the log file is called. */
static void is_expanded(const char *log_file, const char *value)
{
    char pid[24];
    size_t digits = (size_t)snprintf(pid, sizeof pid, "%d", (int)getpid());
    for (; *value != '\0'; value++) {
        bool expand = begins_with(value, "%p");
        CHECK(expand ? begins_with(log_file, pid) : *log_file == *value);
        log_file += expand ? digits : 1;
        value += expand;
    }
    CHECK(*log_file == '\0');
}

static void names_variable_and_value(const char *name, const char *value)
{
    char shown[256];
    struct text t = text_in(shown, 120); /* the beginning, if it is long */
    text_str(&t, name);
    text_str(&t, "='");
    text_path(&t, value);
    CHECK(begins_with(complaint, shown));
    CHECK(strstr(complaint, "': expected ") != NULL);
    CHECK(str_ends_with(complaint, "; the default is used"));
}

static const struct settings *defaults(void)
{
    static struct settings s;
    static bool made;
    if (!made)
        settings_set_defaults(&s);
    made = true;
    return &s;
}

/* Takes a variable by itself. Returns the number of complaints. */
static unsigned take_one(const char *name, const char *value)
{
    static struct settings s;
    const struct variable *v = variable_of(name);
    memcpy(&s, defaults(), sizeof s);
    complaints = 0;
    bool taken = settings_take(&s, name, value, complain);
    is_valid(&s);
    CHECK(taken || memcmp(&s, defaults(), sizeof s) == 0);
    CHECK(complaints == (v != NULL && !taken ? 1 : 0));
    if (v == NULL) {
        CHECK(!taken);
    } else if (taken) {
        CHECK(same_but_for(&s, defaults(), v));
        if (str_equal(name, "SETTLE_LOG_FILE"))
            is_expanded(s.log_file, value);
        if (str_equal(name, "SETTLE_RECORD"))
            is_expanded(s.record, value);
        if (str_equal(name, "SETTLE_DIRS"))
            CHECK(str_equal(s.dirs, value));
        if (str_equal(name, "SETTLE_STORES"))
            CHECK(str_equal(s.stores, value));
    } else {
        names_variable_and_value(name, value);
    }
    return complaints;
}

/* A line of the input as an entry of an environment: a first byte of A, B, C ... stands for the
 * name of a variable and its equals sign. */
static char *take_entry(struct input *in)
{
    char *line = take_line(in);
    unsigned number = (unsigned)line[0] - 'A';
    if (number >= VARIABLES)
        return line;
    const char *name = variables[number].name;
    size_t size = strlen(name) + strlen(line) + 1;
    char *entry = malloc(size);
    snprintf(entry, size, "%s=%s", name, line + 1);
    free(line);
    return entry;
}

/* A misspelt variable is complained about; one whose name is no variable's at all is not ours. */
static unsigned complaints_due(const char *entry)
{
    const char *equals = strchr(entry, '=');
    if (!begins_with(entry, "SETTLE_") || equals == NULL || equals - entry >= 64)
        return 0;
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(equals - entry), entry);
    return variable_of(name) == NULL ? 1 : take_one(name, equals + 1);
}

static bool is_disabled(char *const *environment)
{
    for (; *environment != NULL; environment++)
        if (begins_with(*environment, "SETTLE_DISABLE="))
            return strlen(*environment) > 15 && !str_equal(*environment + 15, "0");
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    static struct settings s;
    char *environment[LINES + 1];
    unsigned count = 0;
    unsigned due = 0;
    while (count < LINES && has_more(&in)) {
        environment[count] = take_entry(&in);
        due += complaints_due(environment[count++]);
    }
    environment[count] = NULL;

    memcpy(&s, defaults(), sizeof s);
    complaints = 0;
    settings_read(&s, environment, complain);
    CHECK(complaints == due);
    is_valid(&s);
    CHECK(settings_disabled(environment) == is_disabled(environment));
    while (count > 0)
        free(environment[--count]);
    return 0;
}
