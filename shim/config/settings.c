#include "config/settings.h"

#include "base/scratch.h"
#include "base/sys.h"
#include "base/text.h"
#include "config/profile.h"
#include "config/table.h"

#include <string.h>

const char *const until_names[] = {"unlocked", "unwritten", "closed", NULL};
const char *const trigger_names[] = {"last", "every", "use", NULL};
const char *const at_use_names[] = {"settled", "pending", "off", NULL};
const char *const keep_locks_names[] = {"on", "off", NULL};
const char *const at_exit_names[] = {"pending", "off", NULL};
const char *const summary_names[] = {"off", "on", NULL};
const char *const children_names[] = {"on", "off", NULL};
const char *const deepbind_names[] = {"keep", "strip", NULL};
const char *const log_names[] = {"off", "warn", "info", "debug", NULL};

struct row {
    char name[24]; /* not a pointer, which the loader would have to set at each start */
    enum setting_kind kind;
    size_t offset;
    size_t size;                /* of a string's buffer */
    const char *const *choices; /* the index is the value */
};

#define FIELD_OF(structure, field)                                                                 \
    offsetof(struct structure, field), sizeof((struct structure *)0)->field
#define DURATION(variable, option, field, ...)                                                     \
    {variable, KIND_DURATION, FIELD_OF(settings, field), NULL},
#define COUNT(variable, option, field, ...) {variable, KIND_COUNT, FIELD_OF(settings, field), NULL},
#define CHOICE(variable, option, placeholder, field, standard, names, ...)                         \
    {variable, KIND_CHOICE, FIELD_OF(settings, field), names},
#define STRING(variable, option, placeholder, kind, field, ...)                                    \
    {variable, kind, FIELD_OF(settings, field), NULL},
#define BESIDE(variable, ...) {variable, KIND_ELSEWHERE, 0, 0, NULL},
static const struct row rows[] = {SETTLE_SETTINGS(DURATION, COUNT, CHOICE, STRING, BESIDE)};
#undef DURATION
#undef CHOICE
#undef COUNT
#undef STRING
#undef BESIDE
enum { ROWS = sizeof rows / sizeof rows[0] };

#define DURATION(name, field)                   {name, KIND_DURATION, FIELD_OF(rule, field), NULL},
#define CHOICE(name, placeholder, field, names) {name, KIND_CHOICE, FIELD_OF(rule, field), names},
#define NAME(name, placeholder, field)          {name, KIND_NAME, FIELD_OF(rule, field), NULL},
static const struct row rule_rows[] = {SETTLE_RULE_OPTIONS(DURATION, CHOICE, NAME)};
#undef DURATION
#undef CHOICE
#undef NAME
enum { RULE_ROWS = sizeof rule_rows / sizeof rule_rows[0] };

#define NUMBER(variable, option, field, standard, ...)              s->field = (standard);
#define CHOICE(variable, option, placeholder, field, standard, ...) s->field = (standard);
#define STRING(variable, option, placeholder, kind, field, standard, ...)                          \
    if ((standard)[0] != '\0')                                                                     \
        str_copy(s->field, sizeof s->field, standard);
#define BESIDE(...)
SYS_AT_START void settings_set_defaults(struct settings *s)
{
    SETTLE_SETTINGS(NUMBER, NUMBER, CHOICE, STRING, BESIDE)
}
#undef NUMBER
#undef CHOICE
#undef STRING
#undef BESIDE

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

bool settings_duration(const char *text, uint64_t *ns)
{
    const uint64_t second = 1000000000u;
    const uint64_t longest = 86400u * second;
    const char *at = text;
    uint64_t whole = 0;
    uint64_t fraction = 0; /* of a unit, in 1e-9 */
    uint64_t weight = second;

    if (!digit(*at) && !(*at == '.' && digit(at[1])))
        return false;
    for (; digit(*at); at++) {
        whole = whole * 10 + (uint64_t)(*at - '0');
        if (whole > longest)
            return false;
    }
    if (*at == '.')
        for (at++; digit(*at); at++) {
            weight /= 10;
            fraction += weight * (uint64_t)(*at - '0');
        }

    uint64_t unit;
    if (str_equal(at, "") || str_equal(at, "s"))
        unit = second;
    else if (str_equal(at, "ms"))
        unit = second / 1000;
    else
        return false;
    /* whole is at most 8.64e13 here, and times a second would not fit */
    if (whole > longest / unit)
        return false;
    uint64_t value = whole * unit + fraction / (second / unit);
    if (value > longest)
        return false;
    *ns = value;
    return true;
}

static bool take_count(const char *text, unsigned *count)
{
    unsigned value = 0;
    if (!digit(*text))
        return false;
    for (; digit(*text); text++) {
        value = value * 10 + (unsigned)(*text - '0');
        if (value > 1000000)
            return false;
    }
    if (*text != '\0')
        return false;
    *count = value;
    return true;
}

static int choice_of(const char *const *choices, const char *value)
{
    for (int i = 0; choices[i] != NULL; i++)
        if (str_equal(choices[i], value))
            return i;
    return -1;
}

static bool take_path(char *out, size_t size, const char *value)
{
    struct text t = text_in(out, size);
    size_t lost = 0; /* for which there was no room */
    for (const char *at = value; *at != '\0'; at++) {
        size_t before = t.length;
        if (at[0] == '%' && at[1] == 'p') {
            text_int(&t, sys_getpid());
            at++;
        } else {
            text_bytes(&t, at, 1);
        }
        lost += t.length == before;
    }
    return t.length > 0 && lost == 0;
}

/* A name stands in log lines as it is. */
static bool take_name(char *out, size_t size, const char *value)
{
    for (const char *at = value; *at != '\0'; at++)
        if ((unsigned char)*at <= ' ' || *at == 0x7f)
            return false;
    return value[0] != '\0' && strlen(value) < size && str_copy(out, size, value);
}

static bool take(const struct row *row, void *field, const char *value)
{
    switch (row->kind) {
    case KIND_DURATION:
        return settings_duration(value, field);
    case KIND_COUNT:
        return take_count(value, field);
    case KIND_CHOICE: {
        int choice = choice_of(row->choices, value);
        if (choice >= 0)
            *(int *)field = choice;
        return choice >= 0;
    }
    case KIND_STORES:
        return strlen(value) < row->size && profile_list_known(value) &&
               str_copy(field, row->size, value);
    case KIND_LIST:
        return value[0] != '\0' && strlen(value) < row->size && str_copy(field, row->size, value);
    case KIND_PATH: {
        char *path = scratch_take(); /* a bad value leaves the field alone */
        const bool good =
            path != NULL && take_path(path, PATH_MAX, value) && str_copy(field, row->size, path);
        scratch_give(path);
        return good;
    }
    case KIND_NAME:
        return take_name(field, row->size, value);
    case KIND_ELSEWHERE:
        break;
    }
    return true;
}

static void say_expected(struct text *t, const struct row *row)
{
    switch (row->kind) {
    case KIND_DURATION:
        text_str(t, "seconds such as 2.0 or 500ms, from 0 to 86400");
        break;
    case KIND_COUNT:
        text_str(t, "a whole number from 0 (all) to 1000000");
        break;
    case KIND_CHOICE:
        for (int i = 0; row->choices[i] != NULL; i++) {
            text_str(t, i == 0 ? "" : row->choices[i + 1] == NULL ? " or " : ", ");
            text_str(t, row->choices[i]);
        }
        break;
    case KIND_STORES:
        profile_list_names(t);
        text_str(t, ", colon-separated");
        break;
    case KIND_LIST:
        text_str(t, "directories or globs, colon-separated, less than ");
        text_int(t, (long)(row->size / 1024));
        text_str(t, " KiB in all");
        break;
    case KIND_PATH:
        text_str(t, "the path of a file (%p becomes the pid)");
        break;
    case KIND_NAME:
        text_str(t, "a name of 1 to 63 bytes without blanks");
        break;
    case KIND_ELSEWHERE:
        break;
    }
}

static const struct row *find(const struct row *table, int count, const char *name)
{
    for (int i = 0; i < count; i++)
        if (str_equal(table[i].name, name))
            return &table[i];
    return NULL;
}

/* The beginning of what may be long. */
static void say_cut(struct text *t, const char *given)
{
    char shown[128];
    struct text s = text_in(shown, sizeof shown);
    text_path(&s, given);
    text_str(t, shown);
}

static void say_given(struct text *t, const char *name, const char *value)
{
    say_cut(t, name);
    text_str(t, "='");
    say_cut(t, value);
    text_str(t, "': ");
}

static bool take_or_complain(const struct row *row, void *field, const char *value,
                             settings_complain *complain)
{
    if (take(row, field, value))
        return true;
    char buffer[512];
    struct text t = text_in(buffer, sizeof buffer);
    say_given(&t, row->name, value);
    text_str(&t, "expected ");
    say_expected(&t, row);
    text_str(&t, "; the default is used");
    complain(buffer);
    return false;
}

bool settings_take(struct settings *s, const char *name, const char *value,
                   settings_complain *complain)
{
    const struct row *row = find(rows, ROWS, name);
    return row != NULL && take_or_complain(row, (char *)s + row->offset, value, complain);
}

bool settings_take_option(struct rule *rule, const char *name, const char *value,
                          settings_complain *complain)
{
    const struct row *row = find(rule_rows, RULE_ROWS, name);
    if (row != NULL)
        return take_or_complain(row, (char *)rule + row->offset, value, complain);
    char buffer[512];
    struct text t = text_in(buffer, sizeof buffer);
    say_given(&t, name, value);
    text_str(&t, "no such option, expected ");
    for (int i = 0; i < RULE_ROWS; i++) {
        text_str(&t, i == 0 ? "" : i + 1 == RULE_ROWS ? " or " : ", ");
        text_str(&t, rule_rows[i].name);
    }
    text_str(&t, "; it is ignored");
    complain(buffer);
    return false;
}

static bool is_ours(const char *variable)
{
    static const char prefix[] = "SETTLE_";
    /* of some dozens of variables each program has few with that letter */
    return variable[0] == prefix[0] && strncmp(variable, prefix, sizeof prefix - 1) == 0;
}

SYS_AT_START char *const *settings_environment(char *const *environment, char **room, size_t count)
{
    size_t used = 0;
    for (char *const *at = environment; at != NULL && *at != NULL; at++) {
        if (!is_ours(*at))
            continue;
        if (used + 1 >= count)
            return environment;
        room[used++] = *at;
    }
    room[used] = NULL;
    return room;
}

SYS_AT_START void settings_read(struct settings *s, char *const *environment,
                                settings_complain *complain)
{
    static const char before[] = "SETTLE_BEFORE";
    for (; environment != NULL && *environment != NULL; environment++) {
        if (!is_ours(*environment))
            continue;
        const char *equals = strchr(*environment, '=');
        char name[64];
        if (equals == NULL || (size_t)(equals - *environment) >= sizeof name)
            continue;
        struct text t = text_in(name, sizeof name);
        text_bytes(&t, *environment, (size_t)(equals - *environment));
        if (strncmp(name, before, sizeof before - 1) == 0)
            continue; /* for those who restore it (preload/children.h) */
        if (find(rows, ROWS, name) != NULL) {
            settings_take(s, name, equals + 1, complain);
            continue;
        }
        char buffer[256];
        struct text message = text_in(buffer, sizeof buffer);
        text_path(&message, name);
        text_str(&message, ": no such setting (settle --help lists them); it is ignored");
        complain(buffer);
    }
}

SYS_AT_START const char *settings_variable(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; environment != NULL && *environment != NULL; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

SYS_AT_START bool settings_disabled(char *const *environment)
{
    const char *value = settings_variable(environment, "SETTLE_DISABLE");
    return value != NULL && value[0] != '\0' && !str_equal(value, "0");
}

bool settings_disabled_oddly(char *const *environment, settings_complain *complain)
{
    static const char name[] = "SETTLE_DISABLE";
    static const char *const opposites[] = {"off", "no", "false", NULL};
    const char *value = settings_variable(environment, name);
    if (value == NULL || choice_of(opposites, value) < 0)
        return false;
    if (complain == NULL)
        return true;
    char buffer[128];
    struct text t = text_in(buffer, sizeof buffer);
    say_given(&t, name, value);
    text_str(&t, "expected 1 or 0; it is taken for 1, and nothing waits");
    complain(buffer);
    return true;
}
