#include "commands/command_line.h"

#include "base/path.h"
#include "base/text.h"
#include "commands/option_table.h"
#include "commands/search_path.h"
#include "commands/shell_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FAILED = 125 };

/* What was read so far, for the shell; it is printed only if all is well. */
static FILE *words;
/* Whether nothing is to be run, and the rest of the line is of no interest. */
static bool shows;
/* Whether the command's children get the environment back that there was before. */
static bool releases_children;

/* --- refusals --- */

static __attribute__((format(printf, 1, 2))) bool fail(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vprintf(format, list);
    putchar('\n');
    va_end(list);
    return false;
}

/* One option of the line. */
struct given {
    const struct option_row *row;
    const char *value; /* NULL: there is none */
};

static void begin_refusal(const struct given *g)
{
    printf("--%s ", g->row->option);
    if (g->value == NULL)
        fputs("without a value", stdout);
    else
        printf("'%s'", g->value);
    fputs(": ", stdout);
}

static bool refuse(const struct given *g)
{
    begin_refusal(g);
    fputs("expected ", stdout);
    option_print_expected(stdout, g->row);
    putchar('\n');
    return false;
}

/* --- what is set --- */

static bool set(const char *variable, const char *value)
{
    return shell_export(words, variable, value);
}

/* --- values --- */

/* Whether the library would take it. */
static void say_nothing(const char *message)
{
    (void)message;
}

static bool is_taken(const char *variable, const char *value)
{
    static struct settings settings;
    return settings_take(&settings, variable, value, say_nothing);
}

/* The command may change its directory, and its children start in others. NULL where it cannot be
 * said, which is told. */
static char *make_absolute(const struct given *g)
{
    const char *path = g->value;
    char whole[PATH_MAX];
    if (path[0] == '/')
        return strdup(path);
    if (str_copy(whole, sizeof whole, path) && path_make_absolute(whole, sizeof whole))
        return strdup(whole);
    if (path_working(whole, sizeof whole))
        fail("--%s '%s': expected a path that, counted from %s, has less than %d bytes",
             g->row->option, path, whole, PATH_MAX);
    else
        fail("--%s '%s': expected a path from the root, since the current directory is gone",
             g->row->option, path);
    return NULL;
}

/* A ./data that will exist later the library could not match. So links are followed, as far as
 * everything exists but the last name. Takes the path over. */
static char *resolve(char *path)
{
    char parent[PATH_MAX];
    char whole[PATH_MAX];
    char *real = realpath(path, NULL);
    if (real == NULL) {
        size_t length = strlen(path);
        while (path[length - 1] == '/')
            path[--length] = '\0';
        const char *name = path_name(path);
        char *above = path_directory(parent, sizeof parent, path) ? realpath(parent, NULL) : NULL;
        if (above != NULL && !str_equal(name, "..") && path_join(whole, sizeof whole, above, name))
            real = strdup(whole);
        free(above);
    }
    if (real == NULL)
        return path;
    free(path);
    return real;
}

static bool take_file(const struct given *g)
{
    if (g->value[0] == '\0')
        return refuse(g);
    char *path = make_absolute(g);
    bool good = path != NULL && set(g->row->variable, path);
    free(path);
    return good;
}

static bool take_directory(const struct given *g)
{
    if (g->value[0] == '\0')
        return refuse(g);
    char *path = make_absolute(g);
    if (path != NULL && g->value[0] != '/')
        path = resolve(path);
    bool good = path != NULL;
    if (good && strchr(path, ':') != NULL)
        good = fail("--%s '%s': expected a path without a colon, which separates directories in "
                    "%s; it is '%s'",
                    g->row->option, g->value, g->row->variable, path);
    else if (good)
        shell_add(words, "export ", g->row->variable, ":", path);
    free(path);
    return good;
}

/* --- rules --- */

static bool take_rule_part(const struct given *g, char *part)
{
    struct rule rule;
    char *equals = strchr(part, '=');
    if (equals != NULL)
        *equals = '\0';
    if (equals != NULL && settings_take_option(&rule, part, equals + 1, say_nothing))
        return true;
    begin_refusal(g);
    if (equals != NULL && option_in_rule(part))
        printf("%s '%s': expected ", part, equals + 1);
    else
        printf("'%s%s%s': expected ", part, equals == NULL ? "" : "=",
               equals == NULL ? "" : equals + 1);
    option_print_expected_in_rule(stdout, equals == NULL ? "" : part);
    putchar('\n');
    return false;
}

static bool take_rule(const struct given *g)
{
    const char *colon = strrchr(g->value, ':');
    if (strchr(g->value, ';') != NULL)
        return fail("--%s '%s': expected one rule, without a semicolon", g->row->option, g->value);
    if (g->value[0] != '/' || colon == NULL)
        return refuse(g);
    char *parts = strdup(colon + 1);
    char *rest = NULL;
    bool good = parts != NULL;
    for (char *part = good ? strtok_r(parts, " \t\r\n", &rest) : NULL; part != NULL && good;
         part = strtok_r(NULL, " \t\r\n", &rest))
        good = take_rule_part(g, part);
    free(parts);
    return good && shell_add(words, "", "my_rules", "; ", g->value);
}

/* --- options --- */

static bool take_value(const struct given *g)
{
    if (g->value == NULL)
        return refuse(g);
    switch (g->row->kind) {
    case KIND_LIST:
        return take_directory(g);
    case KIND_PATH:
        return take_file(g);
    case KIND_ELSEWHERE:
        return take_rule(g);
    default:
        return is_taken(g->row->variable, g->value) ? set(g->row->variable, g->value) : refuse(g);
    }
}

/* An option that takes no value stands for one. */
static bool take_switch(const struct given *g)
{
    if (g->value != NULL)
        return fail("--%s '%s': expected no value", g->row->option, g->value);
    if (g->row->variable == NULL)
        return fprintf(words, "my_%s=yes\n", g->row->option) > 0;
    const char *const *last = g->row->choices;
    releases_children |= str_equal(g->row->variable, "SETTLE_CHILDREN");
    while (last != NULL && last[1] != NULL)
        last++;
    return set(g->row->variable, last == NULL ? "1" : *last);
}

/* --- paths to wait for --- */

static bool is_command(const char *name)
{
    char path[PATH_MAX];
    return strchr(name, '/') == NULL && search_path(name, path, sizeof path);
}

/* What is not there yet the command may make. But the name of a command stands here by mistake:
 * `settle --after git checkout -- file`. */
static bool take_path(const struct given *g)
{
    struct stat st;
    const char *path = g->value;
    const char *option = g->row->option;
    if (path[0] == '\0')
        return refuse(g);
    if (stat(path, &st) == 0) {
        if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
            return refuse(g);
    } else if (errno != ENOENT) {
        return fail("--%s '%s': %s", option, path, strerror(errno));
    } else if (is_command(path)) {
        return fail("--%s '%s': expected the path of a store before '--', and this is a command: "
                    "'settle --%s -- %s ...' runs it",
                    option, path, option, path);
    }
    return shell_add_words(words, "my_paths", "--path", path) || fail("no memory");
}

static bool is_option(const char *word)
{
    char name[64];
    return strncmp(word, "--", 2) == 0 &&
           path_part(name, sizeof name, word + 2, strcspn(word + 2, "=")) &&
           option_find(name) != NULL;
}

static bool holds_dashes(char *const *arguments)
{
    while (*arguments != NULL && !str_equal(*arguments, "--"))
        arguments++;
    return *arguments != NULL;
}

/* How many paths follow `--after`: up to the next option. Since what follows may be the command as
 * well, they are paths only where a `--` stands before that. */
static int paths_behind(char *const *arguments)
{
    int count = 0;
    while (arguments[count] != NULL && arguments[count][0] != '-')
        count++;
    char *const *rest = arguments + count;
    return holds_dashes(rest) && (str_equal(*rest, "--") || is_option(*rest)) ? count : 0;
}

/* Returns as take_option does. */
static int take_paths(struct given *g, char *const *arguments)
{
    int count = g->value == NULL ? paths_behind(arguments + 1) : 0;
    fprintf(words, "my_%s=yes\n", g->row->option);
    if (g->value != NULL && !take_path(g))
        return 0;
    for (int i = 1; i <= count; i++) {
        g->value = arguments[i];
        if (!take_path(g))
            return 0;
    }
    return 1 + count;
}

/* Those after which nothing is run. */
static const char *shown_by(const char *name)
{
    static const struct {
        const char *name;
        const char *shown;
    } all[] = {
        {"--help", "help"}, {"-h", "help"}, {"--version", "version"}, {"--settings", "settings"}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (str_equal(all[i].name, name))
            return all[i].shown;
    return NULL;
}

/* Takes one option; returns how many arguments it had, 0 where it is refused. */
static int take_option(char *const *arguments)
{
    char name[64];
    const char *argument = arguments[0];
    const char *equals = strncmp(argument, "--", 2) == 0 ? strchr(argument, '=') : NULL;
    int length = (int)(equals == NULL ? strlen(argument) : (size_t)(equals - argument));
    snprintf(name, sizeof name, "%.*s", length, argument);

    const char *shown = shown_by(name);
    if (shown != NULL && equals != NULL)
        return fail("%s '%s': expected no value", name, equals + 1);
    if (shown != NULL) {
        shows = true;
        fprintf(words, "my_show=%s\n", shown);
        return 1;
    }
    struct given g = {.row = strncmp(name, "--", 2) == 0 ? option_find(name + 2) : NULL,
                      .value = equals == NULL ? NULL : equals + 1};
    if (g.row == NULL)
        return fail("unknown option '%.*s': 'settle --help' lists the options", length, argument);
    if (g.row->placeholder == NULL)
        return take_switch(&g) ? 1 : 0;
    if (g.row->optional)
        return take_paths(&g, arguments);
    if (equals != NULL)
        return take_value(&g) ? 1 : 0;
    g.value = arguments[1];
    return take_value(&g) ? 2 : 0;
}

/* What the variables hold now, for the library to restore. LD_PRELOAD is the launcher's to add. */
static void print_before(void)
{
    const char *const ours = "SETTLE_";
    const char *const before = "SETTLE_BEFORE";
    for (char **at = environ; *at != NULL; at++) {
        const char *equals = strchr(*at, '=');
        if (equals == NULL || strncmp(*at, ours, strlen(ours)) != 0 ||
            strncmp(*at, before, strlen(before)) == 0)
            continue;
        char *name = NULL;
        if (asprintf(&name, "%s_%.*s", before, (int)(equals - *at), *at) > 0)
            set(name, equals + 1);
        free(name);
    }
    fputs("my_before=yes\n", words);
}

static bool read_all(char *const *arguments)
{
    int taken = 0;
    while (!shows && arguments[taken] != NULL && arguments[taken][0] == '-') {
        if (str_equal(arguments[taken], "--")) {
            taken++;
            break;
        }
        int count = take_option(arguments + taken);
        if (count == 0)
            return false;
        taken += count;
    }
    const char *children = getenv("SETTLE_CHILDREN");
    if (releases_children || (children != NULL && str_equal(children, "off")))
        print_before();
    return fprintf(words, "shift %d\n", taken) > 0;
}

int command_line_read(char *const *arguments)
{
    char *text = NULL;
    size_t size;
    words = open_memstream(&text, &size);
    if (words == NULL || !read_all(arguments)) /* which has said why */
        return FAILED;
    fclose(words);
    fwrite(text, 1, size, stdout);
    free(text);
    return 0;
}
