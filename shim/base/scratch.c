#include "base/scratch.h"

#include "base/sys.h"

#include <stdatomic.h>

/* Taken by exchange, given by compare-and-swap: each is in one hand only. */
enum { KEPT = 8 };
static void *_Atomic kept[KEPT];

void *scratch_take(void)
{
    for (int i = 0; i < KEPT; i++) {
        void *memory = atomic_load_explicit(&kept[i], memory_order_relaxed);
        if (memory != NULL && (memory = atomic_exchange(&kept[i], NULL)) != NULL)
            return memory;
    }
    return sys_mmap(SCRATCH_SIZE);
}

void scratch_give(void *memory)
{
    if (memory == NULL)
        return;
    for (int i = 0; i < KEPT; i++) {
        void *none = NULL;
        if (atomic_compare_exchange_strong(&kept[i], &none, memory))
            return;
    }
    sys_munmap(memory, SCRATCH_SIZE);
}

SYS_AT_START void scratch_drop(void)
{
    for (int i = 0; i < KEPT; i++) {
        void *memory = atomic_load_explicit(&kept[i], memory_order_relaxed);
        if (memory != NULL && (memory = atomic_exchange(&kept[i], NULL)) != NULL)
            sys_munmap(memory, SCRATCH_SIZE);
    }
}
