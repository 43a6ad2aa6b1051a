#include "track/books.h"

#include "base/sys.h"

struct books_memory books_memory __attribute__((aligned(128))) SYS_SELDOM_TOUCHED;

bool books_start(void)
{
    char *first = (char *)((uintptr_t)&BOOKS & ~(uintptr_t)(BOOKS_PAGE - 1));
    char *end = (char *)&BOOKS + sizeof BOOKS;
    size_t size = ((size_t)(end - first) + BOOKS_PAGE - 1) & ~(size_t)(BOOKS_PAGE - 1);
    if (sys_madvise(first, size, MADV_WIPEONFORK) < 0)
        return false;
    atomic_store(&BOOKS.process.home, sys_getpid());
    return true;
}
