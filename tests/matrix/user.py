"""user.py open|closed PATH RECORD: a program under settle that has a database open by SQLite, or has closed it. Says
"ready", and answers each line of its input: it lists the database's directory, and settle's record tells what became of
that use. "held": another process was waited for, for no time here; "free": nobody was. Ends with its input."""

import json
import os
import sqlite3
import sys


def outcome(record):
    """Of the last use, which is the one."""
    with open(record, encoding="utf-8") as lines:
        used = [line for line in map(json.loads, lines) if line["event"] == "store used"]
    return used[-1] if used else {"outcome": "none"}


def look(connection, path):
    """So that the engine has the WAL's index open, as one that goes on working has."""
    if connection is not None and os.path.exists(path + "-shm"):
        connection.execute("select * from t").fetchall()


def main():
    how, path, record = sys.argv[1:]
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    connection.execute("select * from t").fetchall()
    if how == "closed":
        connection.close()
        connection = None
    print("ready", flush=True)
    was_held = False
    for line in sys.stdin:
        if line == "look and ask\n":
            look(connection, path)
        os.listdir(os.path.dirname(path))
        used = outcome(record)
        # What timed out is not waited for again until it has been seen free.
        was_held = used["outcome"] == "timed out" or (used["outcome"] == "not waited" and was_held)
        known = used["outcome"] in ("timed out", "not waited", "settled at once")
        print(("held" if was_held or used.get("frames") else "free") if known else used["outcome"], flush=True)


if __name__ == "__main__":
    main()
