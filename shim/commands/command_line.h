/* The launcher's command line (scripts/settle), which it has read here. */
#ifndef SETTLE_COMMAND_LINE_H
#define SETTLE_COMMAND_LINE_H

/* Reads the options at the beginning of an argument list, NULL-terminated, and prints what they
 * mean as text for a POSIX shell to evaluate: the variables that they set are exported; my_after,
 * my_checkpoint, my_check, my_before, my_show (help, version or settings), my_rules and my_paths
 * (words for settle-run, quoted) are set; at last it shifts the options away. Returns 0; or 125,
 * and what is printed is one sentence that says what is wrong. */
int command_line_read(char *const *arguments);

#endif
