"""connections.py KIND PATH: holds a database by SQLite, says "held", and then does what it is told:
    ask      says what libsettle, under which it then runs, answers about PATH: "held" or "free"
    let go   ends what KIND says, and answers "free"
Ends with its input. A row of KINDS: what holds, and what lets go of it. Those that crash end at once."""

import ctypes
import os
import sqlite3
import sys


class Result(ctypes.Structure):
    _fields_ = [("settled", ctypes.c_int), ("error", ctypes.c_int), ("elapsed", ctypes.c_double)]


def ask(path):
    wait_file = ctypes.CDLL(None).settle_wait_file
    wait_file.restype = Result
    wait_file.argtypes = [ctypes.c_char_p, ctypes.c_double, ctypes.c_double]
    result = wait_file(path.encode(), 0, -1)
    return os.strerror(result.error) if result.error else "free" if result.settled else "held"


def connect(path, mode="delete"):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma journal_mode=" + mode)
    return connection


def idle(path, mode):
    connection = connect(path, mode)
    connection.execute("select * from t").fetchall()
    return connection.close


def reader(path, mode, end="close"):
    connection = connect(path, mode)
    connection.execute("begin")
    connection.execute("select * from t").fetchall()
    return connection.rollback if end == "rollback" else connection.close


def writer(path, mode, end="close"):
    connection = connect(path, mode)
    connection.execute("begin immediate")
    connection.execute("insert into t values (1)")
    return connection.rollback if end == "rollback" else connection.close


def other(path):
    """One connection is closed while another one reads."""
    closed = connect(path)
    let_go = reader(path, "delete")
    closed.close()
    return let_go


def by_dotfile(path):
    connection = sqlite3.connect(f"file:{path}?vfs=unix-dotfile", uri=True, isolation_level=None)
    connection.execute("begin immediate")
    return connection.rollback


def crash_in_wal(path):
    connect(path, "wal").execute("insert into t values (1)")
    return None


def crash_in_transaction(path):
    """With a cache so small that half of it is in the main file."""
    connection = connect(path)
    connection.execute("pragma cache_size=5")
    connection.execute("begin")
    connection.executemany("insert into t values (?)", [("x" * 3000,)] * 200)
    return None


def zombie(path):
    """sqlite3_close_v2 leaves a connection that still has a statement."""
    lib = ctypes.CDLL("libsqlite3.so.0")
    database, statement = ctypes.c_void_p(), ctypes.c_void_p()
    lib.sqlite3_open(path.encode(), ctypes.byref(database))
    lib.sqlite3_prepare_v2(database, b"select * from t", -1, ctypes.byref(statement), None)
    lib.sqlite3_step(statement)
    lib.sqlite3_close_v2(database)
    return lambda: lib.sqlite3_finalize(statement)


KINDS = {
    "reader": lambda path: reader(path, "delete", "rollback"),
    "writer": lambda path: writer(path, "delete", "rollback"),
    "hot-journal": crash_in_transaction,
    "wal-idle": lambda path: idle(path, "wal"),
    "wal-reader": lambda path: reader(path, "wal"),
    "wal-writer": lambda path: writer(path, "wal"),
    "frames": crash_in_wal,
    "dotfile": by_dotfile,
    "other": other,
    "zombie": zombie,
}


def main(kind, path):
    let_go = KINDS[kind](path)
    print("held", flush=True)
    if let_go is None:
        os._exit(0)
    for line in sys.stdin:
        if line == "let go\n":
            let_go()
        print("free" if line == "let go\n" else ask(path), flush=True)


main(*sys.argv[1:])
