"""What settle-report takes for a record of a million lines, by what the lines are."""

import json
import os
import random
import subprocess
import sys

import common

LINES = 1_000_000
GOAL_SECONDS = 12
GOAL_MEGABYTES = 400
REPORT = common.ROOT / "scripts/settle-report"

STORES = 50
PROCESSES = 40


class Writer:
    """Lines as the library writes them, of processes that take turns."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.now = 1_700_000_000.0
        self.process = 0

    def head(self, event, process):
        self.now += 0.000_2
        return (f'{{"settle":1,"event":"{event}","time":{self.now:.9f},"pid":{1000 + process},"thread":{1000 + process},'
                f'"program":"/usr/bin/python3.11"')

    def store(self, number):
        return f',"store":"/srv/data/tenant-{number:04}/chroma.sqlite3","profile":"chroma"'

    def file(self, number):
        return f',"file":"/srv/data/tenant-{number:04}/chroma.sqlite3"'

    def opened_store(self, process, number):
        return self.head("store opened", process) + self.store(number) + "}\n"

    def opened(self, process, number):
        return (self.head("handle opened", process) + self.store(number) + f',"fd":{3 + number},"role":"primary"' +
                self.file(number) + ',"handles":1}\n')

    def closed(self, process, number):
        return (self.head("handle closed", process) + self.store(number) + f',"fd":{3 + number},"role":"primary"' +
                self.file(number) + ',"handles":0}\n')

    def wait(self, number):
        return self.file(number) + ',"level":"unlocked","max_wait":2.000000000'

    def begun(self, process, number):
        return self.head("wait begun", process) + self.store(number) + self.wait(number) + "}\n"

    def end(self, outcome, elapsed, holders):
        return (f',"outcome":"{outcome}","elapsed":{elapsed:.9f},"probes":1,"woken_by_event":0,"woken_by_backoff":0,'
                f'"holders":{json.dumps(holders, separators=(",", ":"))},"handles":0}}\n')

    def ended(self, process, number):
        return (self.head("wait ended", process) + self.store(number) + self.wait(number) +
                self.end("settled at once", self.random.uniform(3e-5, 3e-4), []))

    def waited(self, process, number):
        """With a holder, and every tenth in vain."""
        holder = {"pid": 5000 + self.random.randrange(200), "command": "backup", "kind": "POSIX write lock",
                  "file": "chroma.sqlite3"}
        in_vain = self.random.random() < 0.1
        return (self.head("wait ended", process) + self.store(number) + self.wait(number) +
                self.end("timed out" if in_vain else "settled after waiting",
                         2.0 if in_vain else self.random.uniform(1e-3, 1), [holder]))

    def used(self, process, number):
        return (self.head("store used", process) + self.store(number) + ',"what":"list"' + self.wait(number) +
                self.end("settled at once", self.random.uniform(3e-5, 3e-4), []))

    def exited(self, *_):
        """Of another process each: so it is where a shell's commands write one record."""
        self.process += 1
        return (self.head("exit", self.process) + ',"handles":0,"stores":1,"closes":1,"uses":1,"waited":0,"timed_out":0,'
                '"never_closed":0,"elapsed":0.000000000,"longest":0.000000000}\n')


# What a record is made of: lines in turn.
PAGED = "a program's life, over and over"  # made a page of, too, for which there is no goal
SHAPES = {
    PAGED: ("opened_store", "opened", "closed", "begun", "ended", "opened_store", "opened",
                                        "closed", "begun", "waited", "used"),
    "store opened": ("opened_store",),
    "handle opened": ("opened",),
    "handle opened and closed": ("opened", "closed"),
    "wait begun": ("begun",),
    "wait ended": ("ended",),
    "wait ended, with a holder": ("waited",),
    "store used": ("used",),
    "exit, of another process each": ("exited",),
}


def write(path, kinds, lines, seed):
    writer = Writer(seed)
    makers = [getattr(writer, kind) for kind in kinds]
    with open(path, "w", encoding="ascii") as file:
        for i in range(lines):
            turn = i // len(makers)
            file.write(makers[i % len(makers)](turn % PROCESSES, turn % STORES))


def read(path, *options):
    """Processor seconds and the most memory in MB."""
    process = common.start([sys.executable, REPORT, *options, path], env=common.environment(), stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        errors = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        common.end(process)
    if process.returncode != 0:
        raise common.Failure(f"settle-report {path}: status {process.returncode}: {errors.strip()[-500:]}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def run(section, bench):
    table = section.table(f"settle-report, a record of {LINES:,} lines", "lines", "MB", "processor s", "memory MB")
    worst = [0.0, 0.0]
    path = bench.space.directory("here") / "record"
    for name, kinds in SHAPES.items():
        common.say(f"report: {name}")
        write(path, kinds, LINES, bench.seed)
        seconds, megabytes = read(path)
        table.add(name, f"{path.stat().st_size / 1e6:.0f}", f"{seconds:.1f}", f"{megabytes:.0f}")
        worst = [max(worst[0], seconds), max(worst[1], megabytes)]
        if name == PAGED:
            page = path.with_name("page.html")
            seconds, megabytes = read(path, "--html", page)
            table.add(f"{name}: --html, {page.stat().st_size / 1e6:.0f} MB", f"{path.stat().st_size / 1e6:.0f}",
                      f"{seconds:.1f}", f"{megabytes:.0f}")
            page.unlink()
        path.unlink()
    section.goal(f"settle-report: {LINES:,} lines of any kind, processor", f"{GOAL_SECONDS} s", f"{worst[0]:.1f} s",
                 worst[0] <= GOAL_SECONDS)
    section.goal(f"settle-report: {LINES:,} lines of any kind, memory", f"{GOAL_MEGABYTES} MB", f"{worst[1]:.0f} MB",
                 worst[1] <= GOAL_MEGABYTES)
