/* base/scratch with calls that ThreadSanitizer sees: memory that goes back to the kernel may come
 * back at the same place for another thread, which is no race. */
#include "base/sys.h"

#include <sys/mman.h>

static void *seen_mmap(size_t size)
{
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

#define sys_mmap   seen_mmap
#define sys_munmap munmap
#include "base/scratch.c"
