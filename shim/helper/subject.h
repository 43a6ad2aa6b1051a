/* Whom the log and the record speak of: the process and thread that write, or those that they work
 * for (supervise/). */
#ifndef SETTLE_SUBJECT_H
#define SETTLE_SUBJECT_H

/* Another process than this one, from now on; and, of the calling thread, another thread. */
void subject_set_process(int pid);
void subject_set_thread(int tid);

/* The process; pid: what it is where it was not set. */
int subject_of(int pid);

int subject_process(void);
int subject_thread(void);

#endif
