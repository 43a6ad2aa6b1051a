"""Judges copies of stores as those who restore them would: SQLite's own check, then ChromaDB. One path a line in,
one JSON object a line out: what is wrong with it, and how many rows there are. May be killed by a bad copy.

usage: judge.py    (with the Python of a venv)"""

import json
import os
import sqlite3
import sys

from ways import DATABASE, DIMENSIONS, open_client, really_close


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
    found = collection.query(query_embeddings=[[0.5] * DIMENSIONS], n_results=max(1, rows), include=["distances"])
    if len(found["ids"][0]) != rows:
        return rows, "not all rows are in the index"
    return rows, None


def main():
    for line in sys.stdin:
        try:
            rows, wrong = check(line.rstrip("\n"))
        except Exception as error:  # a bad copy shows itself in any of them
            rows, wrong = None, f"it cannot be read: {type(error).__name__}"
        really_close()
        print(json.dumps({"rows": rows, "wrong": wrong}), flush=True)


if __name__ == "__main__":
    main()
