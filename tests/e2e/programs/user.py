"""A program that uses a store: runs the statements on its standard input, one a line, and answers each with the
milliseconds that it took and what came of it. D is the store's directory, P its database."""
import ctypes  # noqa: F401 (for the statements, as the rest)
import fcntl  # noqa: F401
import os
import shutil  # noqa: F401
import signal  # noqa: F401
import sqlite3  # noqa: F401
import subprocess  # noqa: F401
import sys
import threading  # noqa: F401
import time

D = sys.argv[1]
P = os.path.join(D, "chroma.sqlite3")


def spawn(*words):
    """By posix_spawn."""
    os.waitpid(os.posix_spawn("/bin/true", words, os.environ), 0)


def in_child(work):
    """Its exit status, from a fork child that runs it."""
    child = os.fork()
    if child == 0:
        began = time.monotonic()
        work()
        os._exit(time.monotonic() - began > 0.1)
    return os.waitpid(child, 0)[1]


def later(work, *arguments):
    """On a thread of its own."""
    thread = threading.Thread(target=work, args=arguments)
    thread.start()
    return thread


def come_and_go(stop):
    """A connection for each request."""
    while not stop.is_set():
        connection = sqlite3.connect(P)
        connection.execute("select count(*) from t").fetchall()
        connection.close()


def go_away(connections):
    for connection in connections:
        time.sleep(0.03)
        connection.close()


for line in sys.stdin:
    began = time.monotonic()
    try:
        try:
            result = eval(line)
        except SyntaxError:
            exec(line)
            result = None
    except Exception as error:
        result = repr(error)
    print(int((time.monotonic() - began) * 1000), str(result).replace("\n", " ")[:200], flush=True)
