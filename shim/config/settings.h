/* The settings: one table of SETTLE_* variables, read once at start. */
#ifndef SETTLE_SETTINGS_H
#define SETTLE_SETTINGS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum until { UNTIL_UNLOCKED, UNTIL_UNWRITTEN, UNTIL_CLOSED };
enum trigger { TRIGGER_LAST, TRIGGER_EVERY, TRIGGER_USE };
enum at_use { AT_USE_SETTLED, AT_USE_PENDING, AT_USE_OFF };
enum keep_locks { KEEP_LOCKS_ON, KEEP_LOCKS_OFF };
enum at_exit { AT_EXIT_PENDING, AT_EXIT_OFF };
enum summary_wanted { SUMMARY_OFF, SUMMARY_ON };
enum children { CHILDREN_ON, CHILDREN_OFF };
enum deepbind { DEEPBIND_KEEP, DEEPBIND_STRIP };
enum log_level { LOG_OFF, LOG_WARN, LOG_INFO, LOG_DEBUG };

enum { DIRS_SIZE = 2 * PATH_MAX, STORES_SIZE = 256, RULE_NAME_SIZE = 64 };

/* Without SETTLE_TOTAL_WAIT. */
#define NO_LIMIT UINT64_MAX

struct settings {
    uint64_t max_wait;       /* ns */
    uint64_t check_interval; /* ns */
    uint64_t fallback_delay; /* ns */
    uint64_t total_wait;     /* ns; NO_LIMIT: none */
    int until;               /* enum until, and so on below */
    int trigger;
    int at_use;
    int keep_locks;
    int at_exit;
    int children;
    int summary;
    int deepbind;
    int log;
    unsigned max_collections; /* 0: all */
    unsigned max_files;       /* 0: all */
    char stores[STORES_SIZE]; /* names of profiles, colon-separated */
    char dirs[DIRS_SIZE];     /* directory globs, colon-separated */
    char log_file[PATH_MAX];  /* "": standard error; %p already replaced */
    char record[PATH_MAX];    /* "": none; %p already replaced */
    char used[PATH_MAX];      /* "": none */
};

/* What waits for the stores below a directory obey: a rule of SETTLE_RULES (rules.h). */
struct rule {
    uint64_t max_wait;       /* ns */
    uint64_t check_interval; /* ns */
    int until;
    int trigger;
    char name[RULE_NAME_SIZE]; /* "": none */
};

/* Called with one complete sentence for each setting that was refused. */
typedef void settings_complain(const char *message);

/* The defaults (table.h), in memory of zeros. The long texts are left alone: at the start
 * of a process each page that is touched costs a fault. */
void settings_set_defaults(struct settings *s);

/* Takes one variable by its whole name (SETTLE_MAX_WAIT). On a bad value: complains, leaves the
 * default and returns false. An unknown name returns false silently. */
bool settings_take(struct settings *s, const char *name, const char *value,
                   settings_complain *complain);

/* Takes one option of a rule (max_wait), as settings_take does. An unknown name is complained
 * about, too. */
bool settings_take_option(struct rule *rule, const char *name, const char *value,
                          settings_complain *complain);

/* Of an environment block what begins with SETTLE_: in `room` if that is enough, whose last pointer
 * is for the NULL, and else the block as it is. A program has some dozens of variables, and each
 * question below walks through the whole block that it is given. */
char *const *settings_environment(char *const *environment, char **room, size_t count);

/* Takes all variables from an environment block (NULL-terminated, NAME=value). A SETTLE_ variable
 * that is no setting is complained about, so that a misspelt one does not pass unseen. */
void settings_read(struct settings *s, char *const *environment, settings_complain *complain);

/* True if SETTLE_DISABLE is set and not 0. */
bool settings_disabled(char *const *environment);

/* Where it is: whether by a value that reads as if it were not, such as "off", and complains of it;
 * complain: NULL for silence. */
bool settings_disabled_oddly(char *const *environment, settings_complain *complain);

/* The value of one variable in an environment block; NULL if it is not set. */
const char *settings_variable(char *const *environment, const char *name);

/* Parses a duration: a decimal number with an optional unit, s (default) or ms; 0 to 86400 s.
 * Sets *ns and returns true, or returns false and leaves *ns alone. */
bool settings_duration(const char *text, uint64_t *ns);

/* The kinds of value. */
enum setting_kind {
    KIND_DURATION,
    KIND_CHOICE,
    KIND_COUNT,
    KIND_STORES,
    KIND_LIST,
    KIND_PATH,
    KIND_NAME,
    KIND_ELSEWHERE
};

/* The values of choices by their number, NULL-terminated. */
extern const char *const until_names[];
extern const char *const trigger_names[];
extern const char *const at_use_names[];
extern const char *const keep_locks_names[];
extern const char *const at_exit_names[];
extern const char *const children_names[];
extern const char *const summary_names[];
extern const char *const deepbind_names[];
extern const char *const log_names[];

#endif
