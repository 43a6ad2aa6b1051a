"""What settle --supervise costs a static program that has nothing to do with a store, and what a free store's close takes."""

import contextlib
import sqlite3
import statistics
import sys
import time

import common

sys.path.insert(0, str(common.ROOT / "tests/supervise"))
import programs  # noqa: E402

CLOSES = 1_000_000
CHILDREN = 200
ROUNDS = 5
CLOSE_GOAL, FREE_GOAL = 25, 200  # us
OTHERS_GOAL = 0.1  # us: what the kernel takes to find that a call is not asked about
SETTLE = common.ROOT / "scripts/settle"
PROGRAM = common.ROOT / "build/programs/supervised-static"
WAYS = {"alone": [], "--supervise": [SETTLE, "--supervise", "--stores", "sqlite", "--"]}


def numbers_of(command):
    words = common.output_of(command, common.environment()).split()
    return dict(zip(words[::2], map(int, words[1::2])))


def measure_closes(section):
    """By turns, a part of them each time."""
    try:
        closes = programs.go("closes")
    except programs.Missing as why:
        section.skip(f"closes in Go: {why}")
        return
    common.say(f"supervised: {CLOSES:,} closes in Go")
    table = section.table(f"{CLOSES:,} opens and closes of no store in Go", "goroutines", "way", "open us", "close us",
                          "failed", note=f"medians of {ROUNDS} parts each")
    for threads in (1, 4):
        medians = {}
        parts = {way: [] for way in WAYS}
        for _ in range(ROUNDS):
            for way, words in WAYS.items():
                parts[way].append(numbers_of([*words, closes, str(CLOSES // 2 // ROUNDS), str(threads)]))
        for way, found in parts.items():
            medians[way] = {what: statistics.median(part[what] for part in found) / 1000 for what in ("open", "close")}
            failed = sum(part["failed"] for part in found)
            table.add(threads, way, f"{medians[way]['open']:.2f}", f"{medians[way]['close']:.2f}", failed)
            if failed:
                raise common.Failure(f"{failed} closes failed ({way})")
        if threads == 1:
            close = medians["--supervise"]["close"]
            added = medians["--supervise"]["open"] - medians["alone"]["open"]
            section.goal("a close under --supervise", f"{CLOSE_GOAL} us", f"{close:.1f} us", close <= CLOSE_GOAL)
            section.goal("another call under --supervise", "nothing more", f"{added:.2f} us of an open",
                         added <= OTHERS_GOAL, "what any filter costs at the kernel's entry")


def database(bench):
    path = bench.space.directory("supervised") / "free.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("create table t(a)")
    return path


def measure_free(section, path):
    common.say("supervised: closes of a free store")
    table = section.table("The close of a free store, in C", "way", "median us", "99 % us", note="of 2,000")
    for way, words in WAYS.items():
        times = sorted(int(line) / 1000 for line in common.output_of([*words, PROGRAM, "timed", path, "2000"],
                                                                     common.environment()).split())
        table.add(way, f"{statistics.median(times):.1f}", f"{times[len(times) * 99 // 100]:.0f}")
    section.goal("the close of a free store under --supervise", f"{FREE_GOAL} us", f"{statistics.median(times):.0f} us",
                 statistics.median(times) <= FREE_GOAL)


def measure_children(section, path):
    common.say(f"supervised: {CHILDREN} short children")
    table = section.table(f"{CHILDREN} children that open a store, close it and end, one after the other", "way",
                          "ms a child", note=f"medians of {ROUNDS} rounds")
    for way, words in WAYS.items():
        took = []
        for _ in range(ROUNDS):
            began = time.monotonic()
            if numbers_of([*words, PROGRAM, "children", path, str(CHILDREN)])["failed"]:
                raise common.Failure(f"children failed ({way})")
            took.append((time.monotonic() - began) * 1000 / CHILDREN)
        table.add(way, f"{statistics.median(took):.2f}")


def run(section, bench):
    path = database(bench)
    measure_closes(section)
    measure_free(section, path)
    measure_children(section, path)
