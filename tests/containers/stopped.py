"""stopped.py none|closes PATH: has a store open until it is stopped; closes: SIGTERM closes it and ends with 7."""
import signal
import sqlite3
import sys

connection = sqlite3.connect(sys.argv[2])
connection.execute("create table if not exists t(a)")


def close(*_):
    connection.close()
    sys.exit(7)


if sys.argv[1] == "closes":
    signal.signal(signal.SIGTERM, close)
print("open", flush=True)
while True:
    signal.pause()
