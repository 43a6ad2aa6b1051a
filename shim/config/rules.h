/* SETTLE_RULES: what waits obey, by the directory of the store.
 *
 *     /tmp/delta-*: max_wait=1.0 name=delta_processing; /srv: trigger=every
 *
 * A rule holds for every store in a directory that its glob matches, and below. The first rule that
 * matches is the store's; what it does not say is as in the settings. Semicolons separate rules, so
 * a glob has none; blanks and new lines separate options. A rule's last colon ends its glob.
 */
#ifndef SETTLE_RULES_H
#define SETTLE_RULES_H

#include "config/settings.h"

enum { RULES_MOST = 32 };

/* Reads the rules; text NULL: there are none. Each that is refused is complained about and left
 * out, each option that is refused is as in the settings; the others hold. Resolves symbolic links,
 * since stores are known without them. Once, at start. */
void rules_read(const char *text, const struct settings *settings, settings_complain *complain);

/* The number of the rule for a store with its primary there; 0 where none matches. */
uint32_t rules_find(const char *primary);

/* A rule by its number; 0 is what the settings say. */
const struct rule *rules_get(uint32_t number);

/* The glob of a rule, 1 and more, as stores are matched against it; "" is the root. */
const char *rules_glob(uint32_t number);

/* Whether any of them has that trigger. */
bool rules_any_trigger(enum trigger trigger);

/* The longest max_wait of all of them. */
uint64_t rules_longest_wait(void);

#endif
