/* addresses FILE: calls with what is no address of any memory, and says which error each makes;
 * first in a process without a store, then in one that has FILE open as SQLite has it. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void say(const char *what, long result)
{
    int error = errno;
    printf("%s: %ld %d\n", what, result, result < 0 ? error : 0);
}

/* That is what UBSan would trap, in a build with it. */
#define GIVES_NONE __attribute__((no_sanitize("undefined")))

GIVES_NONE static void give_names(const char *none)
{
    say("unlink", unlink(none));
    say("unlinkat", unlinkat(AT_FDCWD, none, 0));
    say("rmdir", rmdir(none));
    say("remove", remove(none));
    say("rename from", rename(none, "x"));
    say("rename to", rename("x", none));
    say("renameat", renameat(AT_FDCWD, none, AT_FDCWD, none));
    say("renameat2", renameat2(AT_FDCWD, none, AT_FDCWD, none, 0));
    say("mkdir", mkdir(none, 0700));
    say("open to read", open(none, O_RDONLY));
    say("open to write", open(none, O_RDWR));
    say("open to empty", open(none, O_WRONLY | O_TRUNC));
    say("creat", creat(none, 0600));
}

GIVES_NONE static void give_others(void *none, int locked, int socket)
{
    static char name[] = "true";
    char *arguments[] = {name, NULL};
    say("F_SETLK", fcntl(locked, F_SETLK, none));
    say("F_SETLKW", fcntl(locked, F_SETLKW, none));
    say("F_OFD_SETLK", fcntl(locked, F_OFD_SETLK, none));
    say("sendmsg", sendmsg(socket, none, 0));
    say("sendmmsg", sendmmsg(socket, none, 2, 0));
    say("sendmmsg on no descriptor", sendmmsg(-1, none, 2, 0));
    say("recvmsg", recvmsg(socket, none, MSG_DONTWAIT));
    say("execve of a name", execve(none, arguments, arguments));
    say("execve with arguments", execve("/nonexistent", none, arguments));
    say("execve with an environment", execve("/nonexistent", arguments, none));
}

int main(int argc, char **argv)
{
    const intptr_t none[] = {0, 8, -1};
    int ends[2];
    if (argc != 2 || socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0)
        return 1;
    for (int engine = 0; engine < 2; engine++) {
        int fd = open(argv[1], O_RDWR | (engine ? O_NOFOLLOW | O_CLOEXEC : 0));
        for (unsigned i = 0; i < sizeof none / sizeof none[0]; i++) {
            give_names((const char *)none[i]);
            give_others((void *)none[i], fd, ends[0]);
        }
        close(fd);
    }
    return 7;
}
