/* SETTLE_CHILDREN=off: only the program that was started is under the library. */
#ifndef SETTLE_CHILDREN_H
#define SETTLE_CHILDREN_H

/* Gives the program, and so whatever it starts, the environment that it would have had without the
 * library: in place, in the program's own block, so that getenv(3), the third argument of main and
 * children agree. Once, at start, when the settings have been read.
 *
 * The launcher leaves the mark SETTLE_BEFORE, and what each variable of ours and LD_PRELOAD held
 * before in SETTLE_BEFORE_LD_PRELOAD and so on. Without the mark nobody knows what was there
 * before: then the library's own name is taken out of LD_PRELOAD, and every SETTLE_ variable goes.
 *
 * Nothing changes where the program is env(1), as in a script's first line: it becomes the program
 * that was meant. */
void children_release(char **environment);

#endif
