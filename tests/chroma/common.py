"""What the runs of ChromaDB share: its versions, how a script is run with one of them, and tables in a page."""

import glob
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
NO_PYTHON = 77
SETTLE = (os.path.join(TOP, "scripts/settle"), "--")


# --- versions ---

def by_number(version):
    return [int(part) for part in version.split(".")]


def all_versions():
    lists = glob.glob(os.path.join(HERE, "chromadb-*.txt"))
    return sorted((os.path.basename(name)[len("chromadb-"):-len(".txt")] for name in lists), key=by_number)


def python_of(version):
    """None where there is no Python for it, which is said."""
    made = subprocess.run([os.path.join(TOP, "tests/venv"), os.path.join(HERE, f"chromadb-{version}.txt")],
                          stdout=subprocess.PIPE, text=True)
    if made.returncode == NO_PYTHON:
        print(f"SKIPPED: chromadb {version}: there is no Python for it here", file=sys.stderr)
        return None
    if made.returncode != 0:
        raise SystemExit(1)
    return made.stdout.strip()


# --- running ---

def environment():
    """Without what the caller has set of settle."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith("SETTLE") and name != "LD_PRELOAD"}


def run_script(launcher, python, script, *arguments):
    """The JSON that it prints."""
    run = subprocess.run([*launcher, python, os.path.join(HERE, script), *map(str, arguments)], env=environment(),
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode != 0:
        raise RuntimeError(f"{script} ended with {run.returncode}: {run.stderr[-2000:]}")
    return json.loads(run.stdout)


# --- judging ---

class Judge:
    """In a process of its own, since a bad copy may kill it, and not under settle."""

    def __init__(self, python):
        self.python, self.process = python, None

    def ask(self, path):
        if self.process is None:
            self.process = subprocess.Popen([self.python, os.path.join(HERE, "judge.py")], env=environment(), text=True,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        print(path, file=self.process.stdin, flush=True)
        answer = self.process.stdout.readline()
        if answer:
            return json.loads(answer)
        self.process.wait()
        self.process = None
        return {"rows": None, "wrong": "it kills who reads it"}

    def close(self):
        if self.process is not None:
            self.process.communicate()


# --- tables ---

class Place:
    """Where a page has a table that a run writes: between two comments."""

    def __init__(self, page, name):
        self.page = page
        self.begin = f"<!-- {name}: make {name} UPDATE=1 writes it -->\n"
        self.end = f"<!-- end of {name} -->\n"
        with open(page, encoding="utf-8") as file:
            text = file.read()
        if text.count(self.begin) != 1 or text.count(self.end) != 1:
            raise SystemExit(f"{page} has no place for the table: expected '{self.begin.strip()}' and "
                             f"'{self.end.strip()}'")
        self.before, rest = text.split(self.begin)
        self.table, self.after = rest.split(self.end)

    def write(self, table):
        with open(self.page, "w", encoding="utf-8") as file:
            file.write(self.before + self.begin + table + self.end + self.after)

    def rows(self):
        """The cells of the table's rows."""
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in self.table.splitlines()]
        return [cells for cells in lines if cells[0][:1].isdigit()]
