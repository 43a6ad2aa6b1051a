/* Takes the place of a program of another architecture: runs the file of its own name with .guest
 * behind it, under qemu. Linked statically, since LD_PRELOAD is meant for the guest.
 * SYSROOT: the directory with the guest's loader and libraries. */
#include <stdio.h>
#include <unistd.h>

enum { ARGUMENTS = 32 };

int main(int argc, char **argv)
{
    char guest[4096];
    char *command[ARGUMENTS + 1] = {"qemu-aarch64-static", "-L", SYSROOT, "-0", argv[0], guest};
    int count = 6;
    snprintf(guest, sizeof guest, "%s.guest", argv[0]);
    for (int i = 1; i < argc && count < ARGUMENTS; i++)
        command[count++] = argv[i];
    execvp(command[0], command);
    perror(command[0]);
    return 126;
}
