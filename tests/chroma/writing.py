"""Copies of a store that two threads of the same program go on writing to: the program drops its client, as it
believes, and copies the directory.

usage: writing.py DIRECTORY COPIES FIRST    (with the Python of a venv; called by live)

FIRST: the number of the first copy; the time that the threads write before it depends on the number. Prints one
JSON object: what was wrong with each copy that was bad, and how long dropping and copying took."""

import json
import os
import shutil
import sys
import threading
import time

from common import Judge
from ways import Program, drop, really_close, rows

BATCH, MOST = 25, 4000
OFTEN = 100  # so that the index is written while copies are made
# Made beforehand: threads that make rows meanwhile write few.
BATCHES = [[rows(first, BATCH, f"thread {number}") for first in range(0, MOST, BATCH)] for number in range(2)]


class Writer(threading.Thread):
    def __init__(self, collection, number):
        super().__init__(daemon=True)
        self.collection, self.number = collection, number
        self.acknowledged, self.ends = 0, False

    def run(self):
        for batch in BATCHES[self.number]:
            if self.ends:
                break
            self.collection.add(**batch)
            self.acknowledged += BATCH


def copy(directory, number, judge):
    """What is wrong with it, or None; and the time."""
    target = directory + ".copy"
    program = Program(directory, OFTEN)
    writers = [Writer(program.collection, i) for i in range(2)]
    for writer in writers:
        writer.start()
    time.sleep(0.15 + 0.01 * (number % 10))
    before = sum(writer.acknowledged for writer in writers)
    began = time.monotonic()
    try:
        drop(program)
        shutil.copytree(directory, target)
        wrong = None
    except (OSError, shutil.Error):
        wrong = "it cannot be made"
    took = time.monotonic() - began
    for writer in writers:
        writer.ends = True
    for writer in writers:
        writer.join()
    if wrong is None:
        answer = judge.ask(target)
        wrong = answer["wrong"] or ("acknowledged rows are missing" if answer["rows"] < before else None)
    del program, writers
    really_close()
    for path in (directory, target):
        shutil.rmtree(path, ignore_errors=True)
    return wrong, took


def main():
    directory, count, first = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    judge = Judge(sys.executable)
    done = [copy(os.path.join(directory, f"store{i}"), i, judge) for i in range(first, first + count)]
    judge.close()
    print(json.dumps({"wrong": [wrong for wrong, _ in done if wrong], "took": [took for _, took in done]}))


if __name__ == "__main__":
    main()
