"""A program with a ChromaDB that adds rows in one thread and touches its own live store in another, as
copies, uploads and polls do. (tests/torture/locks --chroma runs it, in the virtual environment of that version.)
What touches is written in C, since of threads in Python one runs at a time.

usage: locks_chroma.py LIBTOUCH DIRECTORY SECONDS WAY"""

import ctypes
import os
import sqlite3
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "chroma"))
import ways  # noqa: E402

AT_ONCE = 25


class Toucher(threading.Thread):
    def __init__(self, library, database, seconds, way):
        super().__init__()
        self.touch_for = ctypes.CDLL(library).touch_for
        self.touch_for.argtypes = [ctypes.c_char_p, ctypes.c_double, ctypes.c_char_p]
        self.touch_for.restype = ctypes.c_ulong
        self.arguments = database.encode(), seconds, way.encode()
        self.count = 0

    def run(self):
        self.count = self.touch_for(*self.arguments)


def make_table(database):
    """For the other process."""
    connection = sqlite3.connect(database)
    connection.execute("create table rows(writer, number, payload)")
    connection.commit()
    connection.close()


def main():
    library, directory, seconds, way = sys.argv[1], sys.argv[2], float(sys.argv[3]), sys.argv[4]
    database = os.path.join(directory, ways.DATABASE)
    program = ways.Program(directory)
    program.collection.add(**ways.rows(0, AT_ONCE))
    make_table(database)
    print("ready", flush=True)
    toucher = Toucher(library, database, seconds, way)
    toucher.start()
    added, errors = AT_ONCE, 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            program.collection.add(**ways.rows(added, AT_ONCE))
            added += AT_ONCE
        except Exception as error:  # whatever this version has for it
            errors += 1
            print(repr(error)[:200], file=sys.stderr)
            break
    toucher.join()
    program.client._system.stop()
    print(f"own {added} rows {errors} errors {toucher.count} touches", flush=True)


main()
