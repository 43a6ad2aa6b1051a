"""Keeps a POSIX lock on a store's file while a server that uses the store is told to end.

Usage: lock_holder.py PID FILE SECONDS

Takes the lock, sends SIGINT to PID, releases the lock after SECONDS, waits for the end of PID and
prints as JSON whether it ended while the lock was held, and how long after the release it ended.
The lock is on byte 0, which SQLite never locks: the server does not meet it.
"""
import fcntl
import json
import select
import signal
import sys
import time
from os import pidfd_open

GIVE_UP = 20.0  # seconds for the server to end after the release

pid, path, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])

# A pidfd becomes readable when the process ends, before its parent knows of it.
server = pidfd_open(pid)
end = select.poll()
end.register(server, select.POLLIN)

with open(path, "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)
    release = time.monotonic() + seconds
    signal.pidfd_send_signal(server, signal.SIGINT)
    ended_while_held = bool(end.poll(seconds * 1000))
    time.sleep(max(0.0, release - time.monotonic()))
    fcntl.lockf(file, fcntl.LOCK_UN, 1, 0)
    released = time.monotonic()

if not end.poll(GIVE_UP * 1000):
    sys.exit(f"process {pid} has not ended {GIVE_UP} s after the release")
print(json.dumps({"endedWhileHeld": ended_while_held, "secondsAfterRelease": time.monotonic() - released}))
