"""closer.py CELL WAY THREADS FILE: sets a scene in which somebody may hold FILE, opens and closes it, and prints
"held" where the close waited and "free" where it did not; "lost" if a lock of its own on another file of the store is
gone afterwards. What the scene needs of other processes it makes by fork;
what the library is not to see it does by raw system calls."""

import contextlib
import ctypes
import fcntl
import mmap
import os
import platform
import socket
import sqlite3
import struct
import sys
import threading
import time

OFD_SETLK = 37
LONG = 30
OWN, OTHERS = 7, 100  # bytes
# Not in Python's modules.
OPENAT, CLOSE = {"x86_64": (257, 3), "aarch64": (56, 57)}[platform.machine()]
SYSCALL = ctypes.CDLL(None, use_errno=True).syscall

way, threads, path = sys.argv[2], int(sys.argv[3]), sys.argv[4]
# Opened as SQLite opens it, or as programs do.
prefix, _, rest = sys.argv[1].partition(": ")
cell, flags = (rest, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC) if prefix == "SQLite" else (sys.argv[1], os.O_RDWR)
index = os.path.join(os.path.dirname(path), "1b4e28ba-2fa1-11d2-883f-0016d3cca427", "header.bin")
ready, told = os.pipe()


def whole_file(kind):
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 0, 0)


def one_byte(kind, at):
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, at, 1, 0)


def posix_lock(kind, at=None):
    return lambda fd: fcntl.fcntl(fd, fcntl.F_SETLK, whole_file(kind) if at is None else one_byte(kind, at))


def ofd_lock(kind):
    return lambda fd: fcntl.fcntl(fd, OFD_SETLK, whole_file(kind))


def flock(kind):
    return lambda fd: fcntl.flock(fd, kind)


def nothing(_):
    pass


def open_unseen(file=path):
    return SYSCALL(OPENAT, -100, file.encode(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def close_unseen(fd):
    SYSCALL(CLOSE, fd)


def child(work):
    """Runs until this program has been ended, and all of its group with it."""
    if os.fork() == 0:
        work()
        os.write(told, b"r")
        time.sleep(LONG)
        os._exit(0)
    os.read(ready, 1)


def other(lock, file=path):
    """A process that has the file open by itself."""
    def work():
        lock(os.open(file, os.O_RDWR | os.O_CREAT))
    return lambda: child(work)


def dotfile():
    """The lock of SQLite's unix-dotfile."""
    os.mkdir(path + ".lock")


def dotfile_and_journal():
    dotfile()
    with open(path + "-journal", "wb"):
        pass


def index_file():
    """One of a collection, and as many as are asked for behind it."""
    os.mkdir(os.path.dirname(index))
    for name in "header.bin", "data_level0.bin", "index_metadata.pickle":
        with open(os.path.join(os.path.dirname(index), name), "wb") as file:
            file.write(bytes(100))


def of_index(lock):
    def early():
        index_file()
        other(lock, index)()
    return early


def own_of_index(lock):
    """Of which nothing may be lost by the close of another file."""
    def late(_):
        index_file()
        lock(open_unseen(index))
    return late


def own(lock, file):
    return lambda _: lock(open_unseen(file))


def is_locked(file):
    """As another process sees it: the byte that nobody else has locked."""
    pid = os.fork()
    if pid == 0:
        fd = os.open(file, os.O_RDWR)
        answer = fcntl.fcntl(fd, fcntl.F_GETLK, one_byte(fcntl.F_WRLCK, OWN))
        os._exit(struct.unpack("hhqqi4x", answer)[0] != fcntl.F_UNLCK)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def wal(*statements, ends=False):
    """Of a connection in WAL mode. ends: it is gone, and has left what it had in the -wal."""
    def work():
        os.truncate(path, 0)
        connection = sqlite3.connect(path, isolation_level=None)
        for statement in ("pragma journal_mode=wal", "create table t(a)", *statements):
            connection.execute(statement)
        globals()["kept"] = connection

    def early():
        if not ends:
            child(work)
            return
        pid = os.fork()
        if pid == 0:
            work()
            os._exit(0)
        os.waitpid(pid, 0)
    return early


def mapped_by_other():
    def work():
        fd = os.open(path, os.O_RDWR)
        mapping = mmap.mmap(fd, 512)
        fcntl.flock(fd, fcntl.LOCK_EX)
        globals()["kept"] = mapping
        close_unseen(fd)
    child(work)


def shared_with_child(lock):
    return lambda fd: child(lambda: lock(fd))


def locked_then_shared(fd):
    fcntl.flock(fd, fcntl.LOCK_EX)
    child(lambda: None)


def spawned(_):
    """A child that executes a program, and closes then what SQLite has."""
    os.posix_spawnp("sleep", ["sleep", str(LONG)], os.environ)


def shared_with_orphan(fd):
    pid = os.fork()
    if pid == 0:
        child(lambda: fcntl.flock(fd, fcntl.LOCK_EX))
        os._exit(0)
    os.waitpid(pid, 0)


def passed_on(fd):
    """To a process that is no child of this one, which was there before the file was opened."""
    socket.send_fds(here, [b"x"], [fd])
    os.read(ready, 1)


def take_passed():
    fd = socket.recv_fds(there, 1, 1)[1][0]
    fcntl.flock(fd, fcntl.LOCK_EX)
    os.write(told, b"r")
    time.sleep(LONG)


def unseen_second(lock):
    return lambda _: lock(open_unseen())


def mapped_here(fd):
    """mmap keeps a copy of the descriptor, which is closed unseen: the mapping alone is left."""
    globals()["kept"] = mmap.mmap(fd, 512)
    fcntl.flock(fd, fcntl.LOCK_EX)
    for number in map(int, os.listdir("/proc/self/fd")):
        with contextlib.suppress(OSError):  # that of the listing
            if number != fd and os.path.samestat(os.fstat(number), os.fstat(fd)):
                close_unseen(number)


READ, WRITE = fcntl.F_RDLCK, fcntl.F_WRLCK
SHARED, EXCLUSIVE = fcntl.LOCK_SH, fcntl.LOCK_EX
# Before the file is opened here, and after.
EARLY = {
    "nobody": lambda: None,
    "other: open": other(nothing),
    "other: POSIX read": other(posix_lock(READ)),
    "other: POSIX write": other(posix_lock(WRITE)),
    "other: OFD read": other(ofd_lock(READ)),
    "other: OFD write": other(ofd_lock(WRITE)),
    "other: flock shared": other(flock(SHARED)),
    "other: flock exclusive": other(flock(EXCLUSIVE)),
    "other: flock of -wal": other(flock(EXCLUSIVE), path + "-wal"),
    "other: POSIX read of -shm": other(posix_lock(READ), path + "-shm"),
    "other: OFD write of -journal": other(ofd_lock(WRITE), path + "-journal"),
    "other: -journal open": other(nothing, path + "-journal"),
    "other: dot-file": dotfile,
    "other: dot-file, and -journal": dotfile_and_journal,
    "other: WAL, idle": wal(),
    "other: WAL, reading": wal("begin", "select * from t"),
    "other: WAL, writing": wal("begin immediate"),
    "nobody: WAL left": wal("insert into t values(1)", ends=True),
    "nobody: index": index_file,
    "other: index open": of_index(nothing),
    "other: POSIX write of index": of_index(posix_lock(WRITE)),
    "other: OFD read of index": of_index(ofd_lock(READ)),
    "other: flock shared of index": of_index(flock(SHARED)),
    "other: flock of a mapping": mapped_by_other,
    "both: POSIX read of index": of_index(posix_lock(READ, OTHERS)),
    "both: POSIX read of -journal": other(posix_lock(READ, OTHERS), path + "-journal"),
}
LATE = {
    "child: shares it": shared_with_child(nothing),
    "child: shares it, flock before": locked_then_shared,
    "child: spawned": spawned,
    "child: spawned, flock before": lambda fd: (fcntl.flock(fd, EXCLUSIVE), spawned(fd)),
    "child: shares it, its flock": shared_with_child(flock(EXCLUSIVE)),
    "child: shares it, its OFD write": shared_with_child(ofd_lock(WRITE)),
    "child: shares it, its POSIX write": shared_with_child(posix_lock(WRITE)),
    "orphan: shares it, its flock": shared_with_orphan,
    "stranger: got it, its flock": passed_on,
    "self: POSIX write": posix_lock(WRITE),
    "self: OFD write": ofd_lock(WRITE),
    "self: flock": flock(EXCLUSIVE),
    "self: flock of a second": unseen_second(flock(EXCLUSIVE)),
    "self: POSIX write of a second": unseen_second(posix_lock(WRITE)),
    "self: OFD write of a second": unseen_second(ofd_lock(WRITE)),
    "self: flock of a mapping": mapped_here,
    "self: POSIX write of index": own_of_index(posix_lock(WRITE)),
    "self: POSIX read of -journal": own(posix_lock(READ), path + "-journal"),
    "both: POSIX read of index": own(posix_lock(READ, OWN), index),
    "both: POSIX read of -journal": own(posix_lock(READ, OWN), path + "-journal"),
}
# What this process has locked elsewhere, and must have still.
KEPT = {"self: POSIX write of index": index, "both: POSIX read of index": index,
        "self: POSIX read of -journal": path + "-journal", "both: POSIX read of -journal": path + "-journal"}


def close_stream(fd):
    stream = LIBC.fdopen(fd, b"r+")
    LIBC.fclose(ctypes.c_void_p(stream))


LIBC = ctypes.CDLL(None)
LIBC.fdopen.restype = ctypes.c_void_p
WAYS = {
    "close": os.close,
    "fclose": close_stream,
    "dup2": lambda fd: os.dup2(0, fd),
    "close_range": lambda fd: LIBC.close_range(fd, fd, 0),
}

if cell.startswith("stranger"):
    here, there = socket.socketpair()
    if os.fork() == 0:
        if os.fork() == 0:
            take_passed()
        os._exit(0)
    os.wait()
for _ in range(threads):
    threading.Thread(target=time.sleep, args=(LONG,), daemon=True).start()
EARLY.get(cell, lambda: None)()
descriptor = os.open(path, flags)
LATE.get(cell, nothing)(descriptor)
began = time.monotonic()
WAYS[way](descriptor)
took = time.monotonic() - began
lost = cell in KEPT and not is_locked(KEPT[cell])
print("lost" if lost else "held" if took > float(os.environ["HELD_FROM"]) else "free", flush=True)
os._exit(0)
