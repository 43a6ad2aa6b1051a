/* The system calls that wait for an answer, in memory that all processes of the supervisor share.
 *
 * The kernel writes a notification straight into it. So whoever of them is killed, and when:
 * another one knows which calls are left without an answer, and lets them go on. */
#ifndef SETTLE_SLOTS_H
#define SETTLE_SLOTS_H

#include <linux/seccomp.h>
#include <stdbool.h>

/* Makes the memory; before any of the processes is. listener: of filter_install. False: errno. */
bool slots_start(int listener);

int slots_listener(void);

/* Takes the next notification; -1 where there is none, with errno. Only one process receives. */
int slots_receive(void);

/* What a slot has. Valid until it is answered. */
const struct seccomp_notif *slots_get(int slot);

/* Another process answers it from now on; returns its new number, -1 where all are in use. */
int slots_hand_over(int slot, int process);

/* Whether the call still waits: its thread may have been killed, and its number be another's. */
bool slots_waits(int slot);

/* Puts a descriptor of ours in the place of one of the program's, which is closed by that. */
bool slots_replace(int slot, int fd, int ours);

/* The call goes on, in the kernel. Ends the slot. */
void slots_continue(int slot);

/* The same for all calls of processes that have ended, whoever's children they were. Whether others
 * are still with a process other than this one. */
bool slots_continue_lost(void);

#endif
