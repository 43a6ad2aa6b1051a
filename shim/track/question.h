/* The question of a use, asked where the use is: has anybody a lock on a store that this process
 * has closed? By a descriptor of our own that is in the program's table for some microseconds; a
 * helper takes 30 and more, nearly all of it for the thread and its table.
 *
 * The trap: the close of that descriptor drops all POSIX locks that the process has on the file
 * (fcntl(2), "Record locks"). So it is really closed only where there are none to drop:
 *   - F_OFD_GETLK has just told of none, and it tells of this process's own, too; or there is one,
 *     and this process has no other descriptor of the file, without which it has no lock on it;
 *   - and none comes in between: there was no descriptor of the file in the books when the question
 *     began, and whoever locks by one that was opened since waits for its end (question_await).
 * Else its close is put off, as one of the program's own would be (keep.h).
 */
#ifndef SETTLE_QUESTION_H
#define SETTLE_QUESTION_H

#include "track/store.h"

enum { QUESTIONS = 16 };

struct question_books {
    /* Questions that are being asked, by the inode of the file. Up before the books are looked at,
     * down after the close; with signals held, so that nobody leaves in between. */
    _Atomic uint32_t asking[QUESTIONS];
    /* A question has had a number that is not to be spared (descriptor_is_spare); stays. */
    atomic_bool crowded;
};

enum answer {
    ANSWER_NONE, /* it cannot be asked so: a helper can tell */
    ANSWER_FREE,
    ANSWER_HELD,
};

/* number_is_due: the program's call is about to take a descriptor number anyway. Where it is not,
 * another thread could miss the one that the question has for some microseconds: so never again in
 * a process of several threads where that was of a standard stream or one of the last.
 * Keeps errno; at home; the caller has a pin on the store. */
enum answer question_ask(struct store *store, bool number_is_due);

/* Before a POSIX lock is taken through a descriptor that is in the table: until no question is
 * being asked about its file (the inode). For a second at most (base/patience). */
void question_await(uint64_t file);

#endif
