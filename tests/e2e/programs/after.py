"""after.py STORE: a host that looks after its close for what the library may have left: children to
wait for, threads, descriptors, handlers of signals."""
import os
import signal
import sqlite3
import sys


def on_signal(number, frame):
    print("handled", signal.Signals(number).name, flush=True)


signal.signal(signal.SIGSYS, on_signal)
connection = sqlite3.connect(sys.argv[1])
connection.execute("create table if not exists t(a)")
connection.commit()
print("open", flush=True)
sys.stdin.readline()
connection.close()
print("closed", flush=True)

os.kill(os.getpid(), signal.SIGSYS)
ALL = 0x40000000  # __WALL (wait(2)): children without an exit signal, too
try:
    os.waitpid(-1, os.WNOHANG | ALL)
    print("a child")
except ChildProcessError:
    print("no child")
print("threads", len(os.listdir("/proc/self/task")))
print("descriptors", sorted(os.listdir("/proc/self/fd")))
