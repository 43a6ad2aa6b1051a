/* SETTLE_RULES: each rule is read or complained about, and none is half read. */
#include "config/rules.h"

#include "base/glob.h"
#include "fuzz.h"

static unsigned complaints;
static unsigned left_out; /* rules */
static unsigned too_many;

static void complain(const char *message)
{
    complaints++;
    CHECK(is_shown(message));
    CHECK(begins_with(message, "SETTLE_RULES"));
    CHECK(strstr(message, "expected ") != NULL);
    too_many += str_ends_with(message, "all behind it are ignored");
    left_out += str_ends_with(message, "the rule is ignored");
}

static void is_valid(const struct rule *rule, const struct settings *s)
{
    const uint64_t day = 86400000000000;
    CHECK(memchr(rule->name, '\0', sizeof rule->name) != NULL);
    CHECK(strpbrk(rule->name, " \t\r\n") == NULL);
    CHECK(rule->max_wait <= day && rule->check_interval <= day);
    CHECK(rule->until >= UNTIL_UNLOCKED && rule->until <= UNTIL_CLOSED);
    CHECK(rule->trigger == TRIGGER_LAST || rule->trigger == TRIGGER_EVERY);
    CHECK(rule->max_wait <= rules_longest_wait() && s->max_wait <= rules_longest_wait());
}

static void has_glob(uint32_t number)
{
    const char *glob = rules_glob(number);
    CHECK(memchr(glob, '\0', PATH_MAX) != NULL);
    CHECK(glob[0] == '/' || glob[0] == '\0');
}

/* Without options a rule is as the settings are. */
static void is_plain(const struct rule *rule, const struct settings *s)
{
    CHECK(rule->max_wait == s->max_wait && rule->check_interval == s->check_interval);
    CHECK(rule->until == s->until && rule->trigger == s->trigger && rule->name[0] == '\0');
}

/* What semicolons separate, without what is blank. */
static unsigned count_pieces(const char *text)
{
    unsigned pieces = 0;
    for (const char *at = text; *at != '\0';) {
        size_t length = strcspn(at, ";");
        pieces += strspn(at, " \t\r\n") < length;
        at += length + (at[length] == ';');
    }
    return pieces;
}

static void finds_the_first(const char *primary, unsigned count)
{
    uint32_t expected = 0;
    for (uint32_t i = count; i > 0; i--)
        if (glob_covers(rules_glob(i), primary))
            expected = i;
    CHECK(rules_find(primary) == expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct settings s;
    struct input in = {data, data + size};
    char *text = take_text(&in, 2);
    char *primary = take_text(&in, '\0');
    settings_set_defaults(&s);
    s.max_wait = strlen(primary);
    complaints = left_out = 0;
    too_many = 0;
    rules_read(text, &s, complain);
    unsigned pieces = strlen(text) < 16384 ? count_pieces(text) : 0;
    CHECK(complaints > 0 || pieces <= RULES_MOST);
    CHECK(too_many <= 1);
    unsigned count = too_many == 1 ? RULES_MOST : pieces - left_out;
    CHECK(count <= RULES_MOST && complaints >= left_out);
    for (uint32_t i = 0; i <= count; i++) {
        is_valid(rules_get(i), &s);
        if (i > 0)
            has_glob(i);
        if (strchr(text, '=') == NULL)
            is_plain(rules_get(i), &s);
    }
    finds_the_first(primary, count);
    free(primary);
    free(text);
    return 0;
}
