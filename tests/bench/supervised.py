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
OTHERS_GOAL = 0.05  # us beyond what a filter costs that lets all calls pass: room for what is measured
OTHERS = 200_000
SETTLE = common.ROOT / "scripts/settle"
PROGRAM = common.ROOT / "build/programs/supervised-static"
FILTERED = common.ROOT / "build/programs/filtered"
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
            section.goal("a close under --supervise", f"{CLOSE_GOAL} us", f"{close:.1f} us", close <= CLOSE_GOAL)


def measure_others(section):
    """Of a filter the kernel knows for which calls it says yes whatever their arguments, and does not run it for these; but
    it takes the longer way into the system for every call of a process that has any filter. That is the floor. By turns."""
    common.say("supervised: calls that are not asked about")
    ways = {"alone": [], "a filter of one call": [FILTERED, "acct", "eperm", "--"], "--supervise": WAYS["--supervise"]}
    table = section.table(f"Calls that are not asked about, in C: {OTHERS:,} of each", "way", "getppid us", "open us",
                          note=f"the least of {2 * ROUNDS} rounds; the opens are not mixed with closes")
    rounds = {way: [] for way in ways}
    for _ in range(2 * ROUNDS):
        for way, words in ways.items():
            rounds[way].append(numbers_of([*words, PROGRAM, "others", str(OTHERS)]))
    least = {way: {what: min(one[what] for one in found) / 1000 for what in ("getppid", "open")}
             for way, found in rounds.items()}
    for way, found in least.items():
        table.add(way, f"{found['getppid']:.3f}", f"{found['open']:.3f}")
    for what in ("getppid", "open"):
        added = least["--supervise"][what] - least["a filter of one call"][what]
        section.goal(f"another call under --supervise ({what})", "nothing beyond any filter", f"{added:+.3f} us",
                     added <= OTHERS_GOAL)


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
    measure_others(section)
    measure_free(section, path)
    measure_children(section, path)
