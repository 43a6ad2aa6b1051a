/* The books of this process: what its modules must forget in a fork child. Each module declares its
 * own in its header, with who writes it when and in which order; here they are put together in
 * pages that have nothing else in them, which the kernel empties in a child. What is larger comes
 * from process_publish when it is needed.
 *
 * Orders: sequentially consistent where nothing is said. The books change at opens and closes of
 * stores' files only, which cost system calls; what every close of the program asks is read
 * relaxed, and says so.
 */
#ifndef SETTLE_BOOKS_H
#define SETTLE_BOOKS_H

#include "track/beside.h"
#include "track/block.h"
#include "track/budget.h"
#include "track/closed.h"
#include "track/crossing.h"
#include "track/handle.h"
#include "track/later.h"
#include "track/opened.h"
#include "track/outlasted.h"
#include "track/places.h"
#include "track/process.h"
#include "track/question.h"
#include "track/readers.h"
#include "track/seen.h"
#include "track/store.h"
#include "track/sum.h"
#include "track/vain.h"

/* Small ones first: a process touches one page for them. */
struct books {
    struct process_books process;
    struct store_books stores;
    struct seen_books seen;
    struct closed_books closes;
    struct beside_books beside;
    struct question_books question;
    struct crossing_books crossings;
    struct block_books waits;
    struct budget_books budget;
    struct vain_books vain;
    struct outlasted_books outlasted;
    struct sum_books sum;
    struct later_books later;
    struct handle_books handles;
    struct opened_books opens;
    struct places_books places;
    struct readers_books readers;
};

/* The pages of the books have nothing else in them, wherever they begin. */
enum { BOOKS_PAGE = 4096 };
extern struct books_memory {
    char before[BOOKS_PAGE];
    struct books books;
    char behind[BOOKS_PAGE];
} books_memory __attribute__((visibility("hidden")));
#define BOOKS (books_memory.books)

/* Whether the kernel empties the books in a fork child, which it is asked for once, before the
 * first word is written: that splits a mapping, which a process without a store need not pay for at
 * its start. False if it cannot (Linux before 4.14), which is said once: nothing is tracked then.
 */
bool books_ready(void);

/* Whether anything can stand in them: not before. */
bool books_are_begun(void);

/* As books_ready, and they are this process's. */
bool books_start(void);

#endif
