#include "config/summary.h"

#include <string.h>

static void say_number(struct text *t, const char *before, uint32_t number, const char *one,
                       const char *many)
{
    text_str(t, before);
    text_int(t, (long)number);
    text_str(t, " ");
    text_str(t, number == 1 ? one : many);
}

static void say_what_was_done(struct text *t, const struct summary *s)
{
    say_number(t, "", s->closes, "close", "closes");
    say_number(t, " and ", s->uses, "use", "uses");
    text_str(t, " of stores: ");
    if (s->waited == 0) {
        text_str(t, "none had to wait");
    } else {
        say_number(t, "", s->waited, "waited", "waited");
        text_str(t, ", ");
        text_seconds(t, s->elapsed);
        text_str(t, " in all and ");
        text_seconds(t, s->longest);
        text_str(t, " at most");
    }
    if (s->timed_out > 0)
        say_number(t, ", ", s->timed_out, "timed out", "timed out");
    if (s->never_closed > 0)
        say_number(t, ", ", s->never_closed, "store was never closed", "stores were never closed");
}

static void say_what_was_looked_for(struct text *t, const char *looked_for, const char *in)
{
    text_str(t, "no store was opened; looked for: ");
    text_path(t, looked_for);
    text_str(t, " (SETTLE_STORES)");
    if (in[0] != '\0') {
        text_str(t, ", and files in ");
        text_path(t, in);
        text_str(t, " (SETTLE_DIRS)");
    }
}

void summary_words(struct text *t, const struct summary *s, const char *looked_for, const char *in)
{
    if (s->stores > 0) {
        say_what_was_done(t, s);
        return;
    }
    say_what_was_looked_for(t, looked_for, in);
    if (s->database[0] != '\0') {
        text_str(t, ". The SQLite database ");
        text_path(t, s->database);
        text_str(t, " was opened: --stores ");
        text_path(t, looked_for);
        text_str(t, ":sqlite tracks it");
    } else if (s->directory[0] != '\0') {
        text_str(t, ". A file in ");
        text_path(t, s->directory);
        text_str(t, " was opened to be written: --dir ");
        text_path(t, s->directory);
        text_str(t, " tracks it");
    }
}

/* --- for programs --- */

static const char mark = '='; /* no path of a store begins so */
static const char *const separator = "\n";

void summary_write(struct text *t, const struct summary *s)
{
    const uint64_t numbers[] = {s->stores,    s->closes,       s->uses,    s->waited,
                                s->timed_out, s->never_closed, s->elapsed, s->longest};
    text_bytes(t, &mark, 1);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        text_int(t, (long)numbers[i]);
        text_str(t, " ");
    }
    text_str(t, separator);
    text_str(t, s->database);
    text_str(t, separator);
    text_str(t, s->directory);
}

static uint64_t take_number(const char **at)
{
    uint64_t number = (uint64_t)text_number(*at);
    *at += strcspn(*at, " \n");
    *at += **at == ' ';
    return number;
}

/* The first that is told stays. */
static void take_path(char *out, const char **at)
{
    const size_t length = strcspn(*at, separator);
    if (out[0] == '\0') {
        struct text t = text_in(out, PATH_MAX);
        text_bytes(&t, *at, length);
    }
    *at += length + ((*at)[length] != '\0');
}

bool summary_add(struct summary *s, const char *line)
{
    if (line[0] != mark || strchr(line, '\n') == NULL)
        return false;
    const char *at = line + 1;
    s->stores += (uint32_t)take_number(&at);
    s->closes += (uint32_t)take_number(&at);
    s->uses += (uint32_t)take_number(&at);
    s->waited += (uint32_t)take_number(&at);
    s->timed_out += (uint32_t)take_number(&at);
    s->never_closed += (uint32_t)take_number(&at);
    s->elapsed += take_number(&at);
    uint64_t longest = take_number(&at);
    if (longest > s->longest)
        s->longest = longest;
    at += *at == '\n';
    take_path(s->database, &at);
    take_path(s->directory, &at);
    return true;
}
