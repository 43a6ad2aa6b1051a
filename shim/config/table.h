/* The settings, each declared once: its variable, its option of the launcher, what stands for the
 * value in a synopsis, the field of struct settings, the default, the values, and a sentence.
 * config/settings.c makes of it what reads the variables; commands/option_table.c, which the
 * launcher asks, the options, their help and what completion offers. A test holds man pages and
 * README against it. Adding a setting is adding a row (shim/README.md).
 *
 *   DURATION(variable, option, field, default in ns, sentence)
 *   COUNT(variable, option, field, default, sentence)
 *   CHOICE(variable, option, placeholder, field, default, names, sentence)
 *       names: the values by their number, NULL-terminated. Placeholder NULL: the option takes no
 *       value and stands for the last name.
 *   STRING(variable, option, placeholder, kind, field, default, default in words, sentence)
 *       kind: KIND_STORES, KIND_LIST or KIND_PATH
 *   BESIDE(variable, option, placeholder, default in words, sentence)
 *       read by somebody else: rules.c, settings_disabled, scripts. Option NULL: it has none.
 */
#ifndef SETTLE_TABLE_H
#define SETTLE_TABLE_H

#define SETTLE_SETTINGS(DURATION, COUNT, CHOICE, STRING, BESIDE)                                   \
    DURATION("SETTLE_MAX_WAIT", "max-wait", max_wait, 2000000000u,                                 \
             "The longest that one wait takes.")                                                   \
    DURATION("SETTLE_CHECK_INTERVAL", "check-interval", check_interval, 50000000u,                 \
             "The longest sleep between two looks at a store that is held.")                       \
    DURATION("SETTLE_FALLBACK_DELAY", "fallback-delay", fallback_delay, 100000000u,                \
             "The fixed delay where a store cannot be examined.")                                  \
    DURATION("SETTLE_TOTAL_WAIT", "total-wait", total_wait, NO_LIMIT,                              \
             "A budget for all waits of a process together: once it is spent, nothing waits.")     \
    CHOICE("SETTLE_UNTIL", "until", "LEVEL", until, UNTIL_UNLOCKED, until_names,                   \
           "unlocked: wait until nobody holds a lock on the store. unwritten: and nobody has it "  \
           "open for writing. closed: and nobody has it open at all.")                             \
    CHOICE("SETTLE_TRIGGER", "trigger", "WHEN", trigger, TRIGGER_LAST, trigger_names,              \
           "last: the close of the program's last handle on a store waits. every: each close of "  \
           "the store's main file waits. use: closes return at once, and the next use of the "     \
           "files waits, or the end of the program.")                                              \
    CHOICE("SETTLE_AT_USE", "at-use", "WHAT", at_use, AT_USE_SETTLED, at_use_names,                \
           "What a use of a store's files other than by its engine waits for, such as a listing, " \
           "a copy, a rename. settled: for closes that are under way, then until the store is "    \
           "settled. pending: for closes that are under way. off: nothing.")                       \
    CHOICE("SETTLE_KEEP_LOCKS", "keep-locks", "WHETHER", keep_locks, KEEP_LOCKS_ON,                \
           keep_locks_names,                                                                       \
           "on: a close of a file that was opened beside SQLite does not drop the locks that "     \
           "SQLite has on it. off: it does, as without settle.")                                   \
    CHOICE("SETTLE_AT_EXIT", "at-exit", "WHAT", at_exit, AT_EXIT_PENDING, at_exit_names,           \
           "pending: the end of the program waits for closes that are under way. off: it does "    \
           "not.")                                                                                 \
    CHOICE("SETTLE_CHILDREN", "no-children", NULL, children, CHILDREN_ON, children_names,          \
           "Only the command itself runs under settle; whatever it starts, or becomes by exec, "   \
           "gets the environment that it would have had without.")                                 \
    CHOICE("SETTLE_DEEPBIND", "deepbind", "HOW", deepbind, DEEPBIND_KEEP, deepbind_names,          \
           "strip: clear RTLD_DEEPBIND in dlopen, which hides the program's modules from settle "  \
           "(most builds of PHP load their extensions so). keep: leave it alone.")                 \
    STRING("SETTLE_STORES", "stores", "LIST", KIND_STORES, stores, "chroma", NULL,                 \
           "The kinds of store to recognise, colon-separated.")                                    \
    STRING("SETTLE_DIRS", "dir", "DIR", KIND_LIST, dirs, "", "none",                               \
           "Track every file in this directory too, whatever its kind; may be given several "      \
           "times. A quoted glob stands for many: --dir '/srv/*'. No colons.")                     \
    BESIDE("SETTLE_RULES", "rule", "RULE", "none",                                                 \
           "Other settings for the stores in and below one directory: a directory or quoted "      \
           "glob, a colon, and any of max_wait=S check_interval=S "                                \
           "until=LEVEL trigger=WHEN name=WORD (for the log). May be given several times; the "    \
           "first that matches holds: --rule '/tmp/delta-*: max_wait=1 name=delta' "               \
           "--rule '/srv: max_wait=5'")                                                            \
    COUNT("SETTLE_MAX_COLLECTIONS", "max-collections", max_collections, 5,                         \
          "How many collections to check beside the main file; 0 is all.")                         \
    COUNT("SETTLE_MAX_FILES", "max-files", max_files, 3,                                           \
          "How many files to check in each collection; 0 is all.")                                 \
    CHOICE("SETTLE_LOG", "log", "LEVEL", log, LOG_WARN, log_names, "off, warn, info or debug.")    \
    CHOICE("SETTLE_SUMMARY", "summary", NULL, summary, SUMMARY_OFF, summary_names,                 \
           "At the end of each process, one line of what was done, whatever --log says; with "     \
           "--after, one for all processes together.")                                             \
    STRING("SETTLE_LOG_FILE", "log-file", "FILE", KIND_PATH, log_file, "", "standard error",       \
           "Where the log goes; %p becomes the process id.")                                       \
    STRING("SETTLE_RECORD", "record", "FILE", KIND_PATH, record, "", "none",                       \
           "Appends one JSON object a line to FILE for each store opened, handle opened and "      \
           "closed, wait begun and ended; %p becomes the process id.")                             \
    BESIDE("SETTLE_DISABLE", "disable", NULL, "not set",                                           \
           "Load the library, but let it pass everything through.")                                \
    STRING("SETTLE_USED", NULL, NULL, KIND_PATH, used, "", "none",                                 \
           "A file that gets the path of each store; settle-run names it.")                        \
    BESIDE("SETTLE_LIBRARY", NULL, NULL, "none", "The library; for the launcher and others.")      \
    BESIDE("SETTLE_AFTER", NULL, NULL, "none", "What settle-entrypoint does after the end.")

/* The options of a rule.
 *
 *   DURATION(name, field)
 *   CHOICE(name, placeholder, field, names)
 *   NAME(name, placeholder, field)
 */
#define SETTLE_RULE_OPTIONS(DURATION, CHOICE, NAME)                                                \
    DURATION("max_wait", max_wait)                                                                 \
    DURATION("check_interval", check_interval)                                                     \
    CHOICE("until", "LEVEL", until, until_names)                                                   \
    CHOICE("trigger", "WHEN", trigger, trigger_names)                                              \
    NAME("name", "WORD", name)

#endif
