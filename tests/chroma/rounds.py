"""Rounds of one program: it opens a ChromaDB, adds rows, closes in one of the ways, and copies the directory
at once, while another process holds the write lock; its rows must be in the copy. With a hold of 0 there is no
other process and no copy: only the close is of interest.

usage: rounds.py DIRECTORY WAY ROUNDS HOLD    (with the Python of a venv; called by run)

Prints one JSON object: the version, and for each round what became of it. rounds.py --ways prints the names."""

import gc
import json
import os
import shutil
import subprocess
import sys
import threading
import time

import chromadb
from ways import DATABASE, WAYS, Program, really_close, rows, ways
from writer import ROWS

HERE = os.path.dirname(os.path.realpath(__file__))
LINGER = 0.3  # for closes that come after the call


class Writer:
    """The other process, which is not under settle."""

    def __init__(self):
        environment = {name: value for name, value in os.environ.items()
                       if name != "LD_PRELOAD" and not name.startswith("SETTLE")}
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "writer.py")], env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def tell(self, *words):
        print(*words, sep="\t", file=self.process.stdin, flush=True)

    def answer(self):
        return self.process.stdout.readline().strip()

    def hold(self, path, seconds):
        self.tell("hold", path, seconds)
        if self.answer() != "locked":
            raise RuntimeError("the writer could not take its lock")


def copy(directory, to):
    """When the first file's copy began, which is after the listing."""
    began = []

    def copy_file(source, target):
        began.append(time.monotonic())
        return shutil.copy2(source, target)

    shutil.copytree(directory, to, copy_function=copy_file)
    return began[0]


def play(directory, way, hold, writer):
    program = Program(directory)
    program.collection.add(**rows(0, 100))
    result = {"store": directory, "error": None, "lacks": None, "thread": threading.get_native_id()}
    if hold > 0:
        writer.hold(os.path.join(directory, DATABASE), hold)
    try:
        WAYS[way](program)
        result["returned"] = time.time()
        if hold > 0:
            result["copied"] = copy(directory, directory + ".copy")
    except Exception as error:  # whatever it is, the program was disturbed
        result["error"] = repr(error)[:300]
    if hold > 0:
        released = float(writer.answer())
        if result["error"] is None:
            result["late"] = result["copied"] - released
            writer.tell("count", os.path.join(directory + ".copy", DATABASE))
            result["lacks"] = writer.answer() != str(ROWS)
    else:
        time.sleep(LINGER)
    result["cleaned"] = time.time()
    del program
    really_close()
    for path in (directory, directory + ".copy"):
        shutil.rmtree(path, ignore_errors=True)
    return result


def main():
    if sys.argv[1:] == ["--ways"]:
        print(json.dumps(ways()))
        return
    directory, way, count, hold = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    writer = Writer()
    gc.freeze()  # a collection that ends what was dropped looks at the store's objects only
    results = [play(os.path.join(directory, f"store{i}"), way, hold, writer) for i in range(count)]
    writer.process.stdin.close()
    print(json.dumps({"version": chromadb.__version__, "rounds": results}))


if __name__ == "__main__":
    main()
