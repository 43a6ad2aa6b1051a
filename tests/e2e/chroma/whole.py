"""Whether the main file of a store alone is the whole store.

Usage: whole.py STORE VECTORS

Prints as JSON what a copy of the main file alone has: how many of the vectors v0, v1, ... are missing
in it, and what SQLite's integrity check says; how many frames are in the -wal beside it; and whether
it is the whole store: nothing changes when SQLite folds these frames in. Nothing is opened but copies.
"""
import json
import os
import shutil
import sqlite3
import sys
import tempfile

store, vectors = sys.argv[1], int(sys.argv[2])
MAIN = "chroma.sqlite3"


def copy(directory, *names):
    os.mkdir(directory)
    for name in names:
        if os.path.exists(os.path.join(store, name)):
            shutil.copy(os.path.join(store, name), directory)
    return os.path.join(directory, MAIN)


def content(path):
    with open(path, "rb") as file:
        return file.read()


def look(path):
    """The integrity check may find that there is no database left to check."""
    try:
        with sqlite3.connect(path) as db:
            [[integrity]] = db.execute("pragma integrity_check(1)")
            ids = {row[0] for row in db.execute(
                "select id from embeddings_queue union select embedding_id from embeddings")}
    except sqlite3.DatabaseError as error:
        integrity, ids = str(error), set()
    return integrity, sum(f"v{i}" not in ids for i in range(vectors))


with tempfile.TemporaryDirectory() as scratch:
    alone = copy(os.path.join(scratch, "alone"), MAIN)
    before = content(alone)
    integrity, missing = look(alone)
    folded = copy(os.path.join(scratch, "folded"), MAIN, MAIN + "-wal")
    with sqlite3.connect(folded) as db:
        [[_, frames, _]] = db.execute("pragma wal_checkpoint(passive)")
    whole = content(folded) == before and integrity == "ok" and missing == 0

print(json.dumps({"whole": whole, "missing": missing, "integrity": integrity, "frames": frames}))
