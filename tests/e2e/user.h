/* A program that uses a store, as the tests tell it: programs/user.py, or programs/uses.c, which
 * answers in the same way. */
#ifndef SETTLE_E2E_USER_H
#define SETTLE_E2E_USER_H

#include "e2e.h"

enum { SOON = 200 }; /* ms: room for a busy machine; what waits does so for longer */

struct process user_with(const char *const *options);
struct process user(void);

/* What a statement took, in ms; what came of it is in `answer`. */
extern char answer[512];
long run(struct process *p, const char *statement);
void expect(struct process *p, const char *statement, const char *result);
void user_ends(struct process *p);

/* The store has a table, and a connection c of the program, which is idle. */
void open_store(struct process *p, const char *journal);

/* Another process that writes from now on, as SQLite does, for a time: as in hold. */
struct process writer(unsigned ms);

/* Whether a statement returns only once the lock is released, and soon then. */
void expect_waits(struct process *p, struct process *holder, const char *statement);
void expect_passes(struct process *p, const char *statement);

/* Whether it does nothing to the store before the lock is released, which it then does without an
 * error. Makes the directory anew afterwards. */
void expect_waits_before(struct process *p, const char *statement);

#endif
