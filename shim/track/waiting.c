#include "track/waiting.h"

#include "base/clock.h"

static __thread uint64_t until __attribute__((tls_model("initial-exec")));

uint64_t waiting_begin(uint64_t deadline)
{
    const uint64_t before = until;
    until = deadline;
    return before;
}

void waiting_end(uint64_t before)
{
    until = before;
}

bool waiting_now(void)
{
    return until != 0 && clock_now() < until;
}
