"""Judges copies of stores as those who restore them would: SQLite's own check, then ChromaDB. One path a line in,
one JSON object a line out: what is wrong with it, and how many rows there are. May be killed by a bad copy.

usage: judge.py    (with the Python of a venv)"""

import json
import os
import sqlite3
import sys

from ways import DATABASE, DIMENSIONS, open_client, really_close


# hnswlib's search does not always reach each element: asked for all of them it says so of 3 in 150 indexes that it has
# just made of 1,000 to 6,000 random vectors. All are in it, or their vectors would not be had.
NOT_REACHED = "ef or M is too small"


def query(collection, count):
    """How many are found of so many."""
    found = collection.query(query_embeddings=[[0.5] * DIMENSIONS], n_results=max(1, count), include=["distances"])
    return len(found["ids"][0])


def check(directory):
    """Rows of the collection, or what is wrong."""
    connection = sqlite3.connect(os.path.join(directory, DATABASE))
    said = connection.execute("pragma integrity_check").fetchone()[0]
    connection.close()
    if said != "ok":
        return None, "the database is corrupt"
    collection = open_client(directory).get_collection("rows", embedding_function=None)
    rows = collection.count()
    if len(collection.get(include=[])["ids"]) != rows:
        return rows, "not all rows are to be had"
    if len(collection.get(include=["embeddings"])["embeddings"]) != rows:
        return rows, "not all rows have their vectors"
    try:
        found = query(collection, rows)
    except RuntimeError as error:
        if NOT_REACHED not in str(error):
            raise
        return rows, None if query(collection, rows // 2) == rows // 2 else "the index cannot be searched"
    return rows, None if found == rows else "not all rows are in the index"


def main():
    for line in sys.stdin:
        try:
            rows, wrong = check(line.rstrip("\n"))
        except Exception as error:  # a bad copy shows itself in any of them
            rows, wrong = None, f"it cannot be read: {type(error).__name__}: {str(error)[:200]}"
        really_close()
        print(json.dumps({"rows": rows, "wrong": wrong}), flush=True)


if __name__ == "__main__":
    main()
