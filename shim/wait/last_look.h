/* What a descriptor tells of its file just before it is closed. A path is not the file: it may have
 * been renamed, lie below another root directory (chroot) or in another mount namespace, or not be
 * readable any more for a process that has dropped its privileges. The descriptor still leads to
 * it.
 */
#ifndef SETTLE_LAST_LOOK_H
#define SETTLE_LAST_LOOK_H

#include "wait/wait.h"

#include <sys/stat.h>

enum look {
    LOOK_NONE, /* it was not asked, or could not tell */
    LOOK_FREE, /* nobody had a POSIX or OFD lock */
    LOOK_HELD,
};

struct last_look {
    int pid;    /* of LOOK_HELD, as the kernel counts: 0 or -1 where it names none */
    short type; /* F_RDLCK or F_WRLCK */
    uint8_t look;
    bool exists : 1; /* the file had a name somewhere */
    bool alone : 1;  /* its engine had the store to itself until then: who has it now came later */
    bool free : 1;   /* the file has been asked for all that a wait would ask, and nobody has it */
};

/* Asks the descriptor; exists: it has a name. One system call, which changes nothing. A lock of
 * this process, which the close drops, hides those of others: then it could not tell. */
struct last_look last_look_at(int fd, bool exists);

/* What a wait for the file need not find out any more. */
void last_look_begin(const struct last_look *look, struct wait_request *wait);

/* Corrects the result of a wait for the file where its path does not lead to it any more, though it
 * had a name when it was closed: then what the descriptor told is all that is known. Free is
 * settled; else it is OUTCOME_UNEXAMINED, with the holder that there was. */
void last_look_apply(const struct last_look *l, const struct wait_request *wait,
                     struct wait_result *result);

#endif
