/* Memory for a moment: nobody has what another has. */
#include "base/scratch.h"

#include "unit.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

TestSuite(scratch, .timeout = 60);

Test(scratch, what_was_given_is_taken_again)
{
    void *memory = scratch_take();
    cr_assert_not_null(memory);
    memset(memory, 1, SCRATCH_SIZE);
    scratch_give(memory);
    cr_expect_eq(scratch_take(), memory);
    scratch_give(NULL);
}

Test(scratch, nobody_has_what_another_has)
{
    void *taken[20];
    for (int i = 0; i < 20; i++) {
        taken[i] = scratch_take();
        cr_assert_not_null(taken[i]);
        for (int k = 0; k < i; k++)
            cr_assert_neq(taken[i], taken[k]);
    }
    for (int i = 0; i < 20; i++)
        scratch_give(taken[i]);
}

static void *use(void *number)
{
    for (int i = 0; i < 20000; i++) {
        unsigned char *memory = scratch_take();
        cr_assert_not_null(memory);
        memset(memory, *(unsigned char *)number, 256);
        for (int k = 0; k < 256; k++)
            cr_assert_eq(memory[k], *(unsigned char *)number);
        scratch_give(memory);
    }
    return NULL;
}

Test(scratch, threads_share_none)
{
    pthread_t threads[8];
    unsigned char numbers[8];
    for (int i = 0; i < 8; i++) {
        numbers[i] = (unsigned char)i;
        cr_assert_eq(pthread_create(&threads[i], NULL, use, &numbers[i]), 0);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

Test(scratch, what_was_dropped_is_given_anew)
{
    void *kept = scratch_take();
    scratch_give(kept);
    cr_assert_eq(scratch_take(), kept);
    scratch_give(kept);
    scratch_drop();
    unsigned char resident;
    cr_expect_eq(mincore(kept, 1, &resident), -1, "its pages are unmapped");
    void *memory = scratch_take();
    cr_assert_not_null(memory);
    memset(memory, 1, SCRATCH_SIZE);
    scratch_give(memory);
}
