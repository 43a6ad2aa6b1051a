/* The launcher's options as a table: one for each setting that has one (config/table.h), and those
 * that are the launcher's own. */
#ifndef SETTLE_OPTION_TABLE_H
#define SETTLE_OPTION_TABLE_H

#include "config/settings.h"

#include <stdio.h>

struct option_row {
    const char *option;      /* without the dashes */
    const char *placeholder; /* for the value; NULL: it takes none */
    const char *variable;    /* NULL: it is the launcher's own */
    enum setting_kind kind;
    const char *const *choices; /* of KIND_CHOICE */
    uint64_t number;            /* the default of durations, counts and choices */
    const char *text;           /* the default of others; "": it is none, but in words */
    const char *in_words;
    const char *sentence;
    bool optional; /* the value: it may have none, and several */
};

extern const struct option_row option_rows[];
extern const int option_count;

/* By the name without the dashes; NULL if there is none. */
const struct option_row *option_find(const char *name);

/* What is right for an option's value: "seconds such as 2.0 or 500ms, from 0 to 86400". */
void option_print_expected(FILE *out, const struct option_row *row);

/* Whether rules have an option of this name. */
bool option_in_rule(const char *name);

/* What is right for the value of this option of a rule; if there is no such option, which there
 * are. */
void option_print_expected_in_rule(FILE *out, const char *name);

/* The options for a person: option, variable and default, and below them the sentence, in lines of
 * at most 79 characters. */
void option_print_help(FILE *out);

/* The options for a program, a line each, with tabs between: option, placeholder, variable,
 * default, what is right for a value, sentence. Empty where there is none. */
void option_print_list(FILE *out);

#endif
