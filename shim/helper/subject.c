#include "helper/subject.h"

#include "base/sys.h"

static int process;
static __thread int thread __attribute__((tls_model("initial-exec")));

void subject_set_process(int pid)
{
    process = pid;
}

void subject_set_thread(int tid)
{
    thread = tid;
}

int subject_of(int pid)
{
    return process != 0 ? process : pid;
}

int subject_process(void)
{
    return process != 0 ? process : sys_getpid();
}

int subject_thread(void)
{
    return thread != 0 ? thread : sys_gettid();
}
