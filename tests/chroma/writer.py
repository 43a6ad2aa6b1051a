"""Another process that writes to a store, with SQLite alone. It is told what to do by lines:

    hold PATH SECONDS   takes the write lock and inserts ROWS rows; says "locked"; commits and closes after
                        so long, and says when, by the monotonic clock
    count PATH          how many of the rows are in a copy, or "-" and why that cannot be said"""

import sqlite3
import sys
import time

ROWS = 200


def say(*words):
    print(*words, flush=True)


def hold(path, seconds):
    connection = sqlite3.connect(path, isolation_level=None, timeout=20)
    connection.execute("create table theirs(a)")
    connection.execute("begin immediate")
    connection.executemany("insert into theirs values (?)", [("theirs" * 40,)] * ROWS)
    say("locked")
    time.sleep(float(seconds))
    connection.execute("commit")
    released = time.monotonic()
    connection.close()
    say(released)


def count(path):
    try:
        connection = sqlite3.connect(path)
        found = connection.execute("select count(*) from theirs").fetchone()[0]
        connection.close()
        say(found)
    except sqlite3.Error as error:
        say("-", error)


def main():
    for line in sys.stdin:
        what, *arguments = line.rstrip("\n").split("\t")
        {"hold": hold, "count": count}[what](*arguments)


if __name__ == "__main__":
    main()
