"""database.py WORD PATH...: SQLite databases that this process has open.
  keep PATH...    idle WAL connections: says "held", and keeps them until its input ends; at a line it closes them
                  ("gone"), at the next one it opens them anew ("held")
  write PATH      an idle WAL connection that begins to write at a line of its input ("writing"), and ends that at
                  the next one ("written", with the moment before)
  requests PATH   a connection for each line of its input; says "took", the milliseconds of the close, and "closed"
                  with the moment after it
  dotfile PATH    as write, by the VFS unix-dotfile
  reader-last PATH  a connection in WAL mode that writes, and one that may only read and is closed last: says "open",
                  closes both at a line of its input ("closed"), and does so again for each further line
  service PATH... connections; says "open", and at SIGTERM writes a row into each and closes it: "closed NUMBER"
"""
import signal
import sqlite3
import sys
import time


def connect(path):
    connection = sqlite3.connect(path, isolation_level=None, timeout=20)
    connection.execute("pragma journal_mode=wal")
    connection.execute("create table if not exists t(a)")
    return connection


def connect_by_dotfile(path):
    connection = sqlite3.connect(f"file:{path}?vfs=unix-dotfile", uri=True, isolation_level=None, timeout=0)
    connection.execute("create table if not exists t(a)")
    return connection


def say(*words):
    print(*words, flush=True)


word, paths = sys.argv[1], sys.argv[2:]
if word == "keep":
    kept = [connect(path) for path in paths]
    say("held")
    for _ in sys.stdin:
        for connection in kept:
            connection.close()
        kept = [] if kept else [connect(path) for path in paths]
        say("held" if kept else "gone")
elif word in ("write", "dotfile"):
    connection = connect(paths[0]) if word == "write" else connect_by_dotfile(paths[0])
    say("held")
    sys.stdin.readline()
    connection.execute("begin immediate")
    connection.execute("insert into t values (1)")
    say("writing")
    sys.stdin.readline()
    moment = time.monotonic_ns()
    connection.execute("commit")
    say("released", moment)
    sys.stdin.read()
elif word == "requests":
    say("open")
    for _ in sys.stdin:
        connection = sqlite3.connect(paths[0])
        connection.execute("select count(*) from t").fetchone()
        began = time.monotonic()
        connection.close()
        say("took", round((time.monotonic() - began) * 1000))
elif word == "reader-last":
    while True:
        writer = connect(paths[0])
        reader = sqlite3.connect(f"file:{paths[0]}?mode=ro", uri=True)
        writer.execute("insert into t values (1)")
        reader.execute("select count(*) from t").fetchone()
        say("open")
        if not sys.stdin.readline():
            break
        writer.close()
        reader.close()
        say("closed")
elif word == "service":
    connections = [connect(path) for path in paths]

    def end(*_):
        for number, connection in enumerate(connections):
            connection.execute("insert into t values (42)")
            connection.close()
            say("closed", number)
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    say("open")
    while True:
        signal.pause()
else:
    sys.exit(2)
