#include "commands/option_table.h"

#include "base/text.h"
#include "commands/about.h"
#include "config/profile.h"
#include "config/table.h"

#include <string.h>

#define DURATION(variable, option, field, standard, sentence)                                      \
    {option, "S", variable, KIND_DURATION, NULL, standard, "", "none", sentence, false},
#define COUNT(variable, option, field, standard, sentence)                                         \
    {option, "N", variable, KIND_COUNT, NULL, standard, "", "", sentence, false},
#define CHOICE(variable, option, placeholder, field, standard, names, sentence)                    \
    {option, placeholder, variable, KIND_CHOICE, names, standard, "", "", sentence, false},
#define STRING(variable, option, placeholder, kind, field, standard, in_words, sentence)           \
    {option, placeholder, variable, kind, NULL, 0, standard, in_words, sentence, false},
#define BESIDE(variable, option, placeholder, in_words, sentence)                                  \
    {option, placeholder, variable, KIND_ELSEWHERE, NULL, 0, "", in_words, sentence, false},
#define OWN(option, sentence)                                                                      \
    {                                                                                              \
        option, NULL, NULL, KIND_ELSEWHERE, NULL, 0, "", "", sentence, false                       \
    }
#define OWN_OPTIONAL(option, placeholder, sentence)                                                \
    {                                                                                              \
        option, placeholder, NULL, KIND_ELSEWHERE, NULL, 0, "", "", sentence, true                 \
    }

const struct option_row option_rows[] = {
    SETTLE_SETTINGS(DURATION, COUNT, CHOICE, STRING, BESIDE) /* each with its comma */
    OWN_OPTIONAL(
        "after", "[PATH ...]",
        "Stay, run the command as a child, and when it has ended wait for the stores it used, also "
        "where it was killed and closed nothing: for each from then on as --max-wait, "
        "--check-interval and --until say, or its rule. Passes signals on and ends as the command "
        "does. PATH, a store's directory or a file: wait for it, too, also where the library could "
        "not see it, as in static programs and those in Go. Then a '--' stands before the command: "
        "--after ./app.db -- ./server; without one the first word is the command."),
    OWN("checkpoint",
        "With --after: wait until nobody has these stores open, and let SQLite fold what is in a "
        "-wal only into the main file, so that it alone is the whole store. Needs libsqlite3."),
    OWN("supervise",
        "For programs that no preloaded library reaches, statically linked ones and those in Go: "
        "see their closes from outside, by a seccomp filter, instead. Sees closes alone, no uses. "
        "Needs Linux 5.19."),
    OWN("check", "Run nothing, but tell whether the command can run under settle, and why not. "
                 "Exits with 0 if it can, 1 if not."),
    OWN("settings", "Print these options for a program to read and exit: a line each, with tabs "
                    "between option, placeholder, variable, default, what is right for a value, "
                    "and what it does."),
};
const int option_count = sizeof option_rows / sizeof option_rows[0];

const struct option_row *option_find(const char *name)
{
    for (int i = 0; i < option_count; i++)
        if (option_rows[i].option != NULL && str_equal(option_rows[i].option, name))
            return &option_rows[i];
    return NULL;
}

/* --- what is right --- */

static const char a_duration[] = "seconds such as 2.0 or 500ms, from 0 to 86400";

static void print_names(FILE *out, const char *const *names, const char *between)
{
    for (int i = 0; names[i] != NULL; i++)
        fprintf(out, "%s%s", i == 0 ? "" : between, names[i]);
}

static void print_stores(FILE *out, const char *between)
{
    for (int i = 0; i < profile_count; i++)
        if (!profiles[i].by_directory)
            fprintf(out, "%s%s", profiles[i].name, between);
    fputs("all", out);
}

void option_print_expected(FILE *out, const struct option_row *row)
{
    if (row->optional) {
        fputs("the path of a store, a directory or a file", out);
        return;
    }
    switch (row->kind) {
    case KIND_DURATION:
        fputs(a_duration, out);
        break;
    case KIND_COUNT:
        fputs("a whole number from 0 (all) to 1000000", out);
        break;
    case KIND_CHOICE:
        fputs("one of: ", out);
        print_names(out, row->choices, " ");
        break;
    case KIND_STORES:
        fputs("a colon-separated list of: ", out);
        print_stores(out, " ");
        break;
    case KIND_LIST:
        fputs("a directory", out);
        break;
    case KIND_PATH:
        fputs("a file name", out);
        break;
    case KIND_ELSEWHERE:
        fputs("an absolute directory or glob, a colon and options, such as '/tmp/delta-*: "
              "max_wait=1.0'",
              out);
        break;
    case KIND_NAME:
        break;
    }
}

#undef DURATION
#undef CHOICE
#define DURATION(name, field)                   {name, "S", KIND_DURATION, NULL},
#define CHOICE(name, placeholder, field, names) {name, placeholder, KIND_CHOICE, names},
#define NAME(name, placeholder, field)          {name, placeholder, KIND_NAME, NULL},
static const struct rule_row {
    const char *name;
    const char *placeholder;
    enum setting_kind kind;
    const char *const *choices;
} rule_rows[] = {SETTLE_RULE_OPTIONS(DURATION, CHOICE, NAME)};
enum { RULE_ROWS = sizeof rule_rows / sizeof rule_rows[0] };

static const struct rule_row *rule_find(const char *name)
{
    for (int i = 0; i < RULE_ROWS; i++)
        if (str_equal(rule_rows[i].name, name))
            return &rule_rows[i];
    return NULL;
}

static void print_rule_parts(FILE *out)
{
    for (int i = 0; i < RULE_ROWS; i++) {
        const char *between = i == 0 ? "" : i + 1 < RULE_ROWS ? ", " : " or ";
        fprintf(out, "%s%s=%s", between, rule_rows[i].name, rule_rows[i].placeholder);
    }
}

bool option_in_rule(const char *name)
{
    return rule_find(name) != NULL;
}

void option_print_expected_in_rule(FILE *out, const char *name)
{
    const struct rule_row *row = rule_find(name);
    if (row == NULL)
        print_rule_parts(out);
    else if (row->kind == KIND_NAME)
        fputs("a name of 1 to 63 bytes without blanks", out);
    else
        option_print_expected(out,
                              &(struct option_row){.kind = row->kind, .choices = row->choices});
}

/* --- the table, printed --- */

/* At least one decimal: 2.0, 0.05 */
static void print_seconds(FILE *out, uint64_t ns)
{
    char fraction[16];
    int length = snprintf(fraction, sizeof fraction, "%09u", (unsigned)(ns % 1000000000u));
    while (length > 1 && fraction[length - 1] == '0')
        fraction[--length] = '\0';
    fprintf(out, "%lu.%s", (unsigned long)(ns / 1000000000u), fraction);
}

static bool default_is_value(const struct option_row *row)
{
    return row->kind == KIND_DURATION
               ? row->number != NO_LIMIT
               : row->kind == KIND_COUNT || row->kind == KIND_CHOICE || row->text[0] != '\0';
}

static void print_default(FILE *out, const struct option_row *row)
{
    if (!default_is_value(row))
        fputs(row->in_words, out);
    else if (row->kind == KIND_DURATION)
        print_seconds(out, row->number);
    else if (row->kind == KIND_COUNT)
        fprintf(out, "%lu", (unsigned long)row->number);
    else if (row->kind == KIND_CHOICE)
        fputs(row->choices[row->number], out);
    else
        fputs(row->text, out);
}

/* The length of the next word; what begins with a quote is one to its other. */
static int word_length(const char *text)
{
    const char *quoted = text[0] == '\'' ? strchr(text + 1, '\'') : NULL;
    const char *from = quoted == NULL ? text : quoted;
    return (int)(from - text) + (int)strcspn(from, " ");
}

static void print_wrapped(FILE *out, const char *sentence)
{
    const int indent = 6;
    const int width = 79;
    int column = 0;
    while (*sentence != '\0') {
        int length = word_length(sentence);
        bool fits = column > 0 && column + 1 + length <= width;
        if (fits)
            fputc(' ', out);
        else
            fprintf(out, "%s%*s", column == 0 ? "" : "\n", indent, "");
        fprintf(out, "%.*s", length, sentence);
        column = (fits ? column + 1 : indent) + length;
        sentence += length + (sentence[length] == ' ');
    }
    fputc('\n', out);
}

/* A row's sentence; that of the kinds of store is made of their table. */
static const char *sentence_of(const struct option_row *row)
{
    static char all[2048];
    if (row->kind != KIND_STORES)
        return row->sentence;
    struct text t = text_in(all, sizeof all);
    text_str(&t, row->sentence);
    for (int i = 0; i < profile_count; i++) {
        const char *about = about_profile(&profiles[i]);
        if (about == NULL)
            continue;
        text_str(&t, " ");
        text_str(&t, profiles[i].name);
        text_str(&t, ": ");
        text_str(&t, about);
        text_str(&t, ".");
    }
    text_str(&t, " all: every one of these.");
    return all;
}

void option_print_help(FILE *out)
{
    for (int i = 0; i < option_count; i++) {
        const struct option_row *row = &option_rows[i];
        char name[64];
        if (row->option == NULL)
            continue;
        snprintf(name, sizeof name, "--%s%s%s", row->option, row->placeholder == NULL ? "" : " ",
                 row->placeholder == NULL ? "" : row->placeholder);
        if (row->variable == NULL) {
            fprintf(out, "  %s\n", name);
        } else {
            fprintf(out, "  %-21s %s%s", name, row->variable, default_is_value(row) ? "=" : ", ");
            print_default(out, row);
            fputc('\n', out);
        }
        print_wrapped(out, sentence_of(row));
    }
}

void option_print_list(FILE *out)
{
    for (int i = 0; i < option_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (row->option == NULL)
            continue;
        fprintf(out, "--%s\t%s\t%s\t", row->option,
                row->placeholder == NULL ? "" : row->placeholder,
                row->variable == NULL ? "" : row->variable);
        print_default(out, row);
        fputc('\t', out);
        if (row->placeholder != NULL)
            option_print_expected(out, row);
        fprintf(out, "\t%s\n", sentence_of(row));
    }
}
