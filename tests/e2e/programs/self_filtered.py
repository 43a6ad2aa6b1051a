"""self_filtered.py WAY SYSCALL ACTION STORE: a host that puts a seccomp filter on itself before it
closes its store. WAY: prctl, seccomp, syscall-prctl, or again (a second one is refused). ACTION: eperm
or kill."""
import ctypes
import errno
import os
import platform
import sqlite3
import struct
import sys

# linux/prctl.h, linux/seccomp.h, linux/filter.h, linux/audit.h
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP_SET_MODE_FILTER, SECCOMP_MODE_FILTER = 1, 2
ALLOW, REFUSE, KILL_PROCESS = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06

way, syscall, action = sys.argv[1:4]
machine = platform.machine()
numbers = {
    "x86_64": {"clone": 56, "close_range": 436, "inotify_init1": 294, "seccomp": 317, "prctl": 157},
    "aarch64": {"clone": 220, "close_range": 436, "inotify_init1": 26, "seccomp": 277, "prctl": 167},
}[machine]

program = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (LOAD, 0, 0, 0),  # the number of the system call
        (JUMP_IF_EQUAL, 0, 1, numbers[syscall]),
        (RETURN, 0, 0, {"eperm": REFUSE, "kill": KILL_PROCESS}[action]),
        (RETURN, 0, 0, ALLOW),
    )
)
libc = ctypes.CDLL(None, use_errno=True)
instructions = ctypes.create_string_buffer(program)
description = struct.pack("@HP", len(program) // 8, ctypes.addressof(instructions))


def install():
    null = ctypes.c_void_p(0)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, null, null, null) != 0:
        return -1
    if way in ("prctl", "again"):
        return libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, description, null, null)
    if way == "syscall-prctl":
        return libc.syscall(numbers["prctl"], PR_SET_SECCOMP, SECCOMP_MODE_FILTER, description, null, null)
    return libc.syscall(numbers["seccomp"], SECCOMP_SET_MODE_FILTER, 0, description)


connection = sqlite3.connect(sys.argv[4])
connection.execute("create table if not exists t(a)")
connection.commit()
print("open", flush=True)
sys.stdin.readline()
if install() != 0:
    sys.exit(os.strerror(ctypes.get_errno()))
if way == "again":
    print("again", libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, None, None, None))
connection.close()
print("closed", flush=True)
