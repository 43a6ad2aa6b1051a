#include "track/books.h"

#include "base/sys.h"
#include "base/text.h"
#include "helper/log.h"

struct books_memory books_memory __attribute__((aligned(128))) SYS_SELDOM_TOUCHED;

/* A fork child inherits what the kernel was told, and so this. */
enum readiness { UNASKED, READY, REFUSED };
static _Atomic int readiness; /* enum readiness */

static int ask_kernel(void)
{
    char *first = (char *)((uintptr_t)&BOOKS & ~(uintptr_t)(BOOKS_PAGE - 1));
    char *end = (char *)&BOOKS + sizeof BOOKS;
    size_t size = ((size_t)(end - first) + BOOKS_PAGE - 1) & ~(size_t)(BOOKS_PAGE - 1);
    return sys_madvise(first, size, MADV_WIPEONFORK);
}

static void say_refused(int error)
{
    char message[160];
    struct text t = text_in(message, sizeof message);
    text_str(&t, "off: this kernel cannot keep a table from fork children (Linux 4.14 can): ");
    text_error(&t, error);
    log_say(LOG_WARN, message);
}

bool books_ready(void)
{
    int now = atomic_load(&readiness);
    if (now == UNASKED) {
        const int error = -ask_kernel();
        now = error == 0 ? READY : REFUSED;
        if (atomic_exchange(&readiness, now) == UNASKED && now == REFUSED)
            say_refused(error);
    }
    return now == READY;
}

SYS_AT_START bool books_are_begun(void)
{
    return atomic_load_explicit(&readiness, memory_order_relaxed) != UNASKED;
}

bool books_start(void)
{
    if (books_ready())
        atomic_store(&BOOKS.process.home, sys_getpid());
    return books_ready();
}
