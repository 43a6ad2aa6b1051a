#!/usr/bin/python3
"""What stands for the reader's own programs in the blocks of the READMEs: called ingest.py, chroma, ..., it writes to
its store and closes it, and notes in /tmp/ran how it was called, whether the library was in it, and with which settings.

    programs.py hold DATABASE SECONDS    holds a write lock for so long, then leaves a row
    programs.py leave DATABASE           leaves a row in the -wal only, and closes nothing
"""

import json
import os
import sqlite3
import sys
import time

RAN = "/tmp/ran"
BUSY = 5  # seconds that it waits for other writers, so that it always gets its row in


def write(path):
    database = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
    database.execute("insert into t values ('a row')")
    return database


def note():
    with open("/proc/self/maps") as file:
        library = "libsettle.so" in file.read()
    settings = {name: value for name, value in os.environ.items() if name.startswith("SETTLE_")}
    with open(RAN, "a") as file:
        argv = [os.path.basename(sys.argv[0]), *sys.argv[1:]]
        file.write(json.dumps({"argv": argv, "library": library, "settings": settings}) + "\n")


def hold(path, seconds):
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("begin immediate")
    database.execute("insert into t values ('theirs')")
    print("held", flush=True)
    time.sleep(seconds)
    database.execute("commit")
    database.close()


def main():
    if sys.argv[1:2] == ["hold"]:
        return hold(sys.argv[2], float(sys.argv[3]))
    if sys.argv[1:2] == ["leave"]:
        write(sys.argv[2])
        os._exit(0)
    note()
    if "DOCS_LEAVE" in os.environ:  # as one that is killed
        write("vectors/chroma.sqlite3")
        os._exit(0)
    # It reads, so that it need not wait for who writes: its close does.
    database = sqlite3.connect("app.db" if "sqlite" in sys.argv[0] else "vectors/chroma.sqlite3")
    database.execute("select count(*) from sqlite_master").fetchall()
    database.close()


main()
