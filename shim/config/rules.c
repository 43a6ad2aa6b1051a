#include "config/rules.h"

#include "base/glob.h"
#include "base/sys.h"
#include "base/text.h"

#include <string.h>

enum { RULES_SIZE = 16384 };

static struct rule everywhere; /* what the settings say */
static struct rule list[RULES_MOST] SYS_SELDOM_TOUCHED;
static char (*globs)[PATH_MAX]; /* of the rules; memory that a process without rules has not */
static uint32_t count;          /* of them */

static const char blanks[] = " \t\r\n";

/* --- complaints: they begin with the variable and the rule --- */

static settings_complain *tell;
static char rule_text[160];

static void complain(const char *message)
{
    char buffer[768];
    struct text t = text_in(buffer, sizeof buffer);
    text_str(&t, "SETTLE_RULES, rule '");
    text_str(&t, rule_text);
    text_str(&t, "': ");
    text_str(&t, message);
    tell(buffer);
}

static void complain_of(const char *part, const char *expected)
{
    char buffer[512];
    char shown[128];
    struct text t = text_in(buffer, sizeof buffer);
    struct text p = text_in(shown, sizeof shown);
    text_path(&p, part);
    text_str(&t, "'");
    text_str(&t, shown);
    text_str(&t, "': expected ");
    text_str(&t, expected);
    complain(buffer);
}

/* --- reading --- */

/* Cuts the next piece off, at any of the separators; NULL at the end. */
static char *next_piece(char **rest, const char *separators)
{
    char *piece = *rest + strspn(*rest, separators);
    if (*piece == '\0')
        return NULL;
    char *end = piece + strcspn(piece, separators);
    *rest = end + (*end != '\0');
    *end = '\0';
    return piece;
}

/* The text without blanks around it. */
static char *trim(char *text)
{
    text += strspn(text, blanks);
    size_t length = strlen(text);
    while (length > 0 && strchr(blanks, text[length - 1]) != NULL)
        text[--length] = '\0';
    return text;
}

/* Fills in the glob; "" for the root, which is above every directory. */
static bool read_glob(char *glob, char *text)
{
    if (text[0] != '/') {
        complain_of(text, "an absolute directory or glob, such as /tmp/delta-*; the rule is "
                          "ignored");
        return false;
    }
    if (!str_copy(glob, PATH_MAX, text)) {
        complain_of(text, "a directory or glob of less than 4096 bytes; the rule is ignored");
        return false;
    }
    glob_resolve(glob, PATH_MAX);
    size_t length = strlen(glob);
    while (length > 0 && glob[length - 1] == '/')
        glob[--length] = '\0';
    return true;
}

static void read_option(struct rule *rule, char *option)
{
    char *equals = strchr(option, '=');
    if (equals == NULL) {
        complain_of(option, "an option and its value, such as max_wait=1.0; it is ignored");
        return;
    }
    *equals = '\0';
    settings_take_option(rule, option, equals + 1, complain);
}

static bool read_rule(struct rule *rule, char *glob, char *text)
{
    char *colon = strrchr(text, ':');
    if (colon == NULL) {
        complain("expected a directory or glob, a colon and options, such as /tmp/delta-*: "
                 "max_wait=1.0; the rule is ignored");
        return false;
    }
    char *options = colon + 1;
    *colon = '\0';
    if (!read_glob(glob, trim(text)))
        return false;
    bool has_options = false;
    for (char *option; (option = next_piece(&options, blanks)) != NULL; has_options = true)
        read_option(rule, option);
    if (!has_options)
        complain(
            "expected options behind the colon, such as max_wait=1.0; without any the rule says "
            "what the settings say");
    return true;
}

static void defaults_of(const struct settings *settings)
{
    everywhere.max_wait = settings->max_wait;
    everywhere.check_interval = settings->check_interval;
    everywhere.until = settings->until;
    everywhere.trigger = settings->trigger;
    count = 0;
}

static void read_each(char *rest)
{
    for (char *piece; (piece = next_piece(&rest, ";")) != NULL;) {
        piece = trim(piece);
        if (piece[0] == '\0')
            continue;
        struct text t = text_in(rule_text, sizeof rule_text);
        text_path(&t, piece);
        if (count == RULES_MOST) {
            complain("expected 32 rules at most; this one and all behind it are ignored");
            return;
        }
        list[count] = everywhere;
        count += read_rule(&list[count], globs[count], piece);
    }
}

/* In memory of its own: a library that is loaded late begins on the stack of whichever thread loads
 * it. */
static void read_all(const char *text)
{
    char *copy = sys_mmap(RULES_SIZE);
    if (globs == NULL)
        globs = sys_mmap(RULES_MOST * sizeof *globs);
    if (copy == NULL || globs == NULL)
        tell("SETTLE_RULES is ignored: there is no memory for it");
    else if (!str_copy(copy, RULES_SIZE, text))
        tell("SETTLE_RULES: expected less than 16 KiB in all; it is ignored");
    else
        read_each(copy);
    if (copy != NULL)
        sys_munmap(copy, RULES_SIZE);
}

SYS_AT_START void rules_read(const char *text, const struct settings *settings,
                             settings_complain *to)
{
    tell = to;
    defaults_of(settings);
    if (text != NULL)
        read_all(text);
}

/* --- asking --- */

uint32_t rules_find(const char *primary)
{
    for (uint32_t i = 0; i < count; i++)
        if (glob_covers(globs[i], primary))
            return i + 1;
    return 0;
}

const struct rule *rules_get(uint32_t number)
{
    return number == 0 ? &everywhere : &list[number - 1];
}

const char *rules_glob(uint32_t number)
{
    return globs[number - 1];
}

SYS_AT_START bool rules_any_trigger(enum trigger trigger)
{
    bool found = false;
    for (uint32_t i = 0; i <= count; i++)
        found |= rules_get(i)->trigger == (int)trigger;
    return found;
}

uint64_t rules_longest_wait(void)
{
    uint64_t longest = 0;
    for (uint32_t i = 0; i <= count; i++)
        if (rules_get(i)->max_wait > longest)
            longest = rules_get(i)->max_wait;
    return longest;
}
