/* The places of descriptors whose close is put off (keep.h), and whose each is: the library's as
 * long as it is busy or put off, then the program's again.
 *
 * What follows is called at home (process_thread_at_home) and with signals held.
 */
#ifndef SETTLE_PLACES_H
#define SETTLE_PLACES_H

#include "track/handle.h"

enum { PLACES_MOST = 64 };

struct place {
    /* PLACE_FREE, PLACE_BUSY or PLACE_PUT_OFF. Whoever makes it busy, by a compare-and-swap, owns
     * the rest until it makes it something else; others only look. */
    _Atomic uint32_t state;
    _Atomic int fd;
    _Atomic uint64_t dev;
    _Atomic uint64_t ino;
    _Atomic int flags;   /* fcntl(F_GETFL) */
    _Atomic bool shared; /* somebody else may have its description */
};
enum { PLACE_FREE, PLACE_BUSY, PLACE_PUT_OFF };

struct places_books {
    /* Those that are not free. Up when a place becomes busy, down after it has become free: where
     * it is 0, nothing that the calling thread closed is put off. */
    _Atomic uint32_t count;
    struct place all[PLACES_MOST];
};

/* A free place, busy from now on; NULL if the first `most` have none. */
struct place *place_new(unsigned most);

/* Fills it with a descriptor; has the table and fork children know; publishes it as put off. */
void place_fill(struct place *place, int fd, struct identity file);
void place_enter(struct place *place);
void place_publish(struct place *place);

/* What is put off becomes busy: false where it was not, or not any more. */
bool place_claim(struct place *place);

/* Claims what is put off under this number; waits while another thread has it, which is for some
 * system calls. NULL if there is nothing. */
struct place *place_claim_number(int fd);

struct identity place_identity(struct place *place);

/* Whether the number is still that file's: a close by a system call of the program's own is not
 * seen. */
bool place_is_still(struct place *place);

/* Of a place that is busy: the number is the program's again, open as it is; or the close is done
 * at last. */
void place_empty(struct place *place);
void place_close(struct place *place);

/* Closes all that is put off on that file and that nobody else is at. */
void places_close(struct identity file);

/* A new one is not needed after all. */
void place_give_back(struct place *place);

/* The number is not put off any more, but may be again (place_enter, place_publish). */
void place_withdraw(struct place *place);

/* What the library has open in the program's table for some microseconds (beside.c), each of them
 * once at a time. */
enum lent { LENT_ROOT, LENT_COLLECTION, LENT_FILE, LENT_KINDS };

/* Has a fork child that is made meanwhile close its copy; -1: no more. */
void place_lend(enum lent lent, int fd);

/* In a fork child of `parent`: closes its copies. Neither at home nor with signals held. */
void place_forked(int parent);

#endif
