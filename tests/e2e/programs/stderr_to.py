"""stderr_to.py WHERE COMMAND...: runs a command whose standard error leads somewhere odd."""
import os
import pty
import resource
import signal
import socket
import sys
import termios


def closed_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def full_pipe():
    reader, writer = os.pipe()
    return fill(reader, writer)


def closed_socket():
    ours, theirs = socket.socketpair()
    theirs.close()
    return ours.detach()


def full_socket():
    ours, theirs = socket.socketpair()
    return fill(theirs.detach(), ours.detach())


def fill(reader, writer):
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, bytes(4096))
    except BlockingIOError:
        pass
    os.set_blocking(writer, True)
    os.set_inheritable(reader, True)  # open, so that it could be read, for as long as the command lives
    return writer


def size_limit():
    """A file that no write may make larger; the kernel kills for it (setrlimit(2), RLIMIT_FSIZE)."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    return 2


def background():
    """A terminal that stops background processes that write to it (termios(3), TOSTOP). This process
    stays and says how the command ended; 128 + SIGTTOU if it was stopped."""
    stdin, stdout = os.dup(0), os.dup(1)
    session, terminal = pty.fork()
    if session != 0:
        os.close(stdin)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(session, 0)[1]))
    modes = termios.tcgetattr(2)
    modes[3] |= termios.TOSTOP
    termios.tcsetattr(2, termios.TCSANOW, modes)
    os.dup2(stdin, 0)
    os.dup2(stdout, 1)
    command = os.fork()
    if command == 0:
        os.setpgid(0, 0)
        return 2
    os.close(0)
    _, status = os.waitpid(command, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        os.kill(command, signal.SIGKILL)
        os._exit(128 + os.WSTOPSIG(status))
    os._exit(os.waitstatus_to_exitcode(status))


where = {
    "nowhere": lambda: os.open("/dev/null", os.O_RDONLY),
    "full-device": lambda: os.open("/dev/full", os.O_WRONLY),
    "closed-pipe": closed_pipe,
    "full-pipe": full_pipe,
    "closed-socket": closed_socket,
    "full-socket": full_socket,
    "size-limit": size_limit,
    "background": background,
}

os.dup2(where[sys.argv[1]](), 2)
for ignored in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGTTOU):  # by Python, or by who started it
    signal.signal(ignored, signal.SIG_DFL)
os.execvp(sys.argv[2], sys.argv[2:])
