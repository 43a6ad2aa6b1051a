#include "commands/interrupt.h"

#include <stddef.h>

static volatile sig_atomic_t caught;

static void catch (int number)
{
    caught = number;
}

void interrupt_catch(sigset_t *before)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction now;
        struct sigaction ours = {.sa_handler = catch};
        if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN) {
            sigaction(numbers[i], &ours, NULL);
            sigaddset(&set, numbers[i]);
        }
    }
    sigprocmask(SIG_BLOCK, &set, before);
}

int interrupt_seen(void)
{
    return caught;
}

void interrupt_end(const sigset_t *mask)
{
    signal(caught, SIG_DFL);
    raise(caught);
    sigprocmask(SIG_SETMASK, mask, NULL);
}
