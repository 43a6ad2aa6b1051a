/* The signals that end settle-wait from outside: caught only within calls that wait, so that what
 * is half done is undone first. */
#ifndef SETTLE_INTERRUPT_H
#define SETTLE_INTERRUPT_H

#include <signal.h>

/* Blocks SIGINT, SIGTERM and SIGHUP but for waiting. What is ignored stays ignored: the program
 * runs in the background, or under nohup. before: the mask to wait with (ppoll), and to go back to.
 */
void interrupt_catch(sigset_t *before);

/* The number of the signal that came; 0: none. */
int interrupt_seen(void);

/* Ends the process by that signal itself, so that whoever waits for it knows. mask: that before. */
void interrupt_end(const sigset_t *mask);

#endif
