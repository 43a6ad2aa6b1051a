/* Waits in vain, all of a process together: a wait that ends with the store still held. Each costs
 * its whole max_wait, and a program that closes eight stores must not add them up to the SIGKILL
 * that its supervisor sends after ten seconds.
 *
 * They share a budget of two whole waits, counted in parts of a max_wait, since rules give each
 * store its own. A wait has its whole max_wait for as long as half a one is left, and else the
 * fixed delay. One that settles takes nothing. The budget refills with the time in which nothing is
 * waited for in vain, and is whole after 30 s. Waits at the same time count one by one.
 */
#ifndef SETTLE_VAIN_H
#define SETTLE_VAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vain_books {
    /* clock_now: when the budget is whole again, if nothing more is taken of it; in the past: it
     * is. Moved by vain_ended, by compare-and-swap. */
    _Atomic uint64_t whole_at;
    atomic_bool told; /* that it is spent: set by the one call of vain_tells that says so */
};

/* Whether a wait that begins at `now` (clock_now) has its whole max_wait. */
bool vain_has_whole(uint64_t now);

/* A wait has ended in vain at `now` that had its whole max_wait, and took `elapsed` of it (ns). */
void vain_ended(uint64_t now, uint64_t elapsed, uint64_t max_wait);

/* True the first time. */
bool vain_tells(void);

#endif
