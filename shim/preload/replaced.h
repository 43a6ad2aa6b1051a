/* Programs that are started without the library, since something between has set LD_PRELOAD anew
 * (fiu-run does): it is silent in them, so whoever starts them says so.
 */
#ifndef SETTLE_REPLACED_H
#define SETTLE_REPLACED_H

/* At start: whether LD_PRELOAD names the library, so that its absence means something. */
void replaced_start(char *const *environment);

/* Before a program gets that environment: a warning, once for a process and its fork children. One
 * from which LD_PRELOAD was taken away altogether (env -i, sudo) is meant so. Keeps errno; nothing
 * in a vfork child. path: of the program. */
void replaced_check(const char *path, char *const *environment);

/* Before a fork: what children say is said for all of them. */
void replaced_before_fork(void);

#endif
