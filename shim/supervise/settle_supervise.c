/* settle-supervise: runs a program whose closes no preloaded library can see, under a supervisor
 * that sees them in the kernel (seccomp_unotify(2)). For `settle --supervise`.
 *
 *   settle-supervise [--] COMMAND [ARGUMENT...]
 *   settle-supervise --help | --version
 *
 * Settings are those of the library, from the environment. This process becomes the command: its
 * exit status, stops and signals are its own. The supervisor is a child of it that wait(2) does not
 * count, with a session of its own:
 *
 *   guard        (guard.h)      stands by
 *   dispatcher   (dispatch.h)   answers each call
 *   workers      (worker.h)     one for each process of the program that closes stores
 *
 * Exit codes: 125 settle itself failed, 126 the command cannot be run, 127 there is none. */
#include "base/sys.h"
#include "base/text.h"
#include "config/rules.h"
#include "helper/log.h"
#include "helper/seccomp.h"
#include "supervise/filter.h"
#include "supervise/guard.h"
#include "supervise/peek.h"
#include "supervise/slots.h"
#include "track/begin.h"
#include "track/books.h"
#include "track/process.h"
#include "track/sum.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <settle.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAILED = 125, NOT_EXECUTABLE = 126, NOT_FOUND = 127 };

static struct settings settings;

static __attribute__((format(printf, 1, 2))) int fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("settle: --supervise: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return FAILED;
}

/* --- the two that stay --- */

/* A byte with one descriptor. */
struct message {
    struct msghdr header;
    struct iovec data;
    char byte;
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

static struct msghdr *header_of(struct message *m)
{
    *m = (struct message){.data = {&m->byte, 1}};
    m->header = (struct msghdr){.msg_iov = &m->data,
                                .msg_iovlen = 1,
                                .msg_control = m->control,
                                .msg_controllen = sizeof m->control};
    return &m->header;
}

static bool send_listener(int to, int listener)
{
    struct message message;
    struct msghdr *header = header_of(&message);
    struct cmsghdr *c = CMSG_FIRSTHDR(header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &listener, sizeof listener);
    return sendmsg(to, header, MSG_NOSIGNAL) == 1;
}

static int receive_listener(int from)
{
    struct message message;
    struct msghdr *header = header_of(&message);
    int listener = -1;
    if (recvmsg(from, header, MSG_CMSG_CLOEXEC) != 1 || CMSG_FIRSTHDR(header) == NULL)
        return -1;
    memcpy(&listener, CMSG_DATA(CMSG_FIRSTHDR(header)), sizeof listener);
    return listener;
}

/* Nothing of the program's is kept: who waits for the end of a pipe must get it. Only standard
 * error, for the log, as long as the program is there. Both may have been given the numbers of
 * standard streams that were closed. */
static void keep_only(int socket, int program)
{
    enum { OUT_OF_THE_WAY = 10 };
    socket = fcntl(socket, F_DUPFD, OUT_OF_THE_WAY);
    program = fcntl(program, F_DUPFD, OUT_OF_THE_WAY);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    if (fcntl(2, F_GETFD) < 0)
        dup2(null, 2);
    dup2(socket, 3);
    dup2(program, 4);
    sys_close_range(5, ~0u, 0);
}

/* Only SIGKILL ends the supervisor: what the terminal, a container's runtime or a service manager
 * sends to all is for the program to answer. */
static void ignore_signals(void)
{
    static const int ignored[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGPIPE,   SIGUSR1, SIGUSR2,
                                  SIGALRM, SIGTSTP, SIGTTIN, SIGTTOU, SIGVTALRM, SIGPROF, SIGXFSZ};
    sigset_t none;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* To what the program could give itself. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static _Noreturn void supervise(int socket, int program, bool exits)
{
    static struct service service;
    setsid();
    ignore_signals();
    raise_limit();
    keep_only(socket, program);
    service = (struct service){.settings = &settings, .ready = 3, .program = 4, .exits = exits};
    fcntl(3, F_SETFD, FD_CLOEXEC);
    int listener = receive_listener(3);
    if (listener < 0 || chdir("/") < 0 || !slots_start(listener))
        _exit(1);
    guard_run(&service);
}

/* --- the one that becomes the program --- */

/* A child that no wait of the program counts, since it has no signal for its end (wait(2),
 * __WCLONE); nor does the program get that. */
static int make_supervisor(int socket, bool exits)
{
    int self = (int)sys_call(SYS_pidfd_open, getpid(), 0, 0, 0, 0, 0);
    if (self < 0)
        return -1;
    long pid = sys_call(SYS_clone, 0, 0, 0, 0, 0, 0);
    if (pid == 0)
        supervise(socket, self, exits);
    close(self);
    errno = pid < 0 ? (int)-pid : 0;
    return (int)pid;
}

static int start(char **command)
{
    int ends[2];
    char byte;
    const char *why;
    const bool exits = settings.at_exit != AT_EXIT_OFF || sum_wanted();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return fail("no socket (%s)", strerror(errno));
    int supervisor = make_supervisor(ends[1], exits);
    if (supervisor < 0)
        return fail("no process for the supervisor (%s)", strerror(errno));
    close(ends[1]);
    prctl(PR_SET_PTRACER, supervisor, 0, 0, 0); /* where Yama wants to know */
    int listener = filter_install(exits, &why);
    if (listener < 0)
        return fail("%s (seccomp: %s)", why, strerror(-listener));
    if (!send_listener(ends[0], listener) || recv(ends[0], &byte, 1, 0) != 1)
        return fail("the supervisor did not start");
    execvp(command[0], command);
    int error = errno;
    fail("'%s': %s", command[0], strerror(error));
    return error == ENOENT || error == ENOTDIR ? NOT_FOUND : NOT_EXECUTABLE;
}

/* What the library does at the start of a program, here before it. */
static bool begin(void)
{
    settings_set_defaults(&settings);
    begin_log(&settings, environ);
    settings_read(&settings, environ, begin_complain);
    rules_read(settings_variable(environ, "SETTLE_RULES"), &settings, begin_complain);
    begin_record(&settings, environ);
    process_start(pthread_self, pthread_getcpuclockid);
    if (!books_ready())
        return false;
    begin_books(&settings);
    peek_start(&settings);
    return true;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("settle-supervise " SETTLE_VERSION) < 0 ? FAILED : 0;
    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        return puts("usage: settle-supervise [--] COMMAND [ARGUMENT...], see 'settle --help', "
                    "--supervise") < 0
                   ? FAILED
                   : 0;
    char **command = argv + 1;
    if (argc > 1 && strcmp(argv[1], "--") == 0)
        command++;
    if (command[0] == NULL)
        return fail("no command: expected settle-supervise [--] COMMAND [ARGUMENT...]");
    if (settings_disabled(environ)) {
        execvp(command[0], command);
        return errno == ENOENT || errno == ENOTDIR ? NOT_FOUND : NOT_EXECUTABLE;
    }
    if (!begin())
        return fail("this kernel cannot keep the books (Linux 4.14 can)");
    if (settings.trigger == TRIGGER_USE)
        return fail("SETTLE_TRIGGER='use': the supervisor sees closes alone, no uses; expected "
                    "last or every");
    return start(command);
}
