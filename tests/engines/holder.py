"""holder.py KIND PATH SECONDS: another process that keeps a database from being settled from "locked" until "released",
which is said with the time by the monotonic clock. KIND: sqlite writes in a transaction, flock has a lock of its own."""

import fcntl
import sqlite3
import sys
import time

kind, path, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
if kind == "sqlite":
    connection = sqlite3.connect(path, isolation_level=None, timeout=20)
    connection.execute("begin immediate")
    connection.execute("create table if not exists theirs(a)")
    connection.execute("insert into theirs values (1)")
else:
    file = open(path, "rb")
    fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(seconds)
print("released", time.monotonic(), flush=True)
if kind == "sqlite":
    connection.execute("commit")
else:
    file.close()
