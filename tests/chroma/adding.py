"""A program whose two threads add rows to a store and never pause, until it is told to end.

usage: adding.py DIRECTORY    (with the Python of a venv; called by copies)

Says "writing" when rows are there. For each line on its standard input it says how many rows have been
acknowledged, and at the end the errors of its threads as a JSON list."""

import json
import sys
import threading
import time

from ways import Program, rows

BATCH, MOST = 25, 30000
OFTEN = 100  # so that the index is written while copies are made


class Adder(threading.Thread):
    def __init__(self, collection, number):
        super().__init__(daemon=True)
        self.collection, self.number = collection, number
        self.acknowledged, self.ends, self.error = 0, False, None
        # Made beforehand: a thread that makes rows meanwhile adds few. Ids alone tell them apart.
        self.template = rows(0, BATCH, f"thread {number}")

    def run(self):
        try:
            while not self.ends and self.acknowledged < MOST:
                ids = [f"thread {self.number} row {self.acknowledged + i}" for i in range(BATCH)]
                self.collection.add(**{**self.template, "ids": ids})
                self.acknowledged += BATCH
        except Exception as error:  # whatever it is, it is to be told
            self.error = repr(error)


def main():
    program = Program(sys.argv[1], OFTEN)
    adders = [Adder(program.collection, number) for number in range(2)]
    for adder in adders:
        adder.start()
    while any(adder.acknowledged == 0 and adder.is_alive() for adder in adders):
        time.sleep(0.01)
    print("writing", flush=True)
    for _ in sys.stdin:
        print(sum(adder.acknowledged for adder in adders), flush=True)
    for adder in adders:
        adder.ends = True
    for adder in adders:
        adder.join()
    print(json.dumps([adder.error for adder in adders if adder.error]), flush=True)


if __name__ == "__main__":
    main()
