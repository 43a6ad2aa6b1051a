"""What a record adds: to an open and close of a store that nobody holds, and to a wait."""

import dataclasses
import statistics

import common
import duels
from common import PROGRAMS, SETTLE

COUNT = 1000
ROUNDS = 7
CLOSES_GOAL = 60  # us
HOLD, TRIALS = 0.1, 15
WAIT_GOAL = 0.1  # ms


def settings(record, level="warn"):
    more = {"SETTLE_LOG": level, "SETTLE_LOG_FILE": "/dev/null"}
    return {**more, "SETTLE_RECORD": str(record)} if record else more


def open_and_close(directory, more):
    """Medians in us."""
    lines = common.output_of([PROGRAMS / "stores", directory, 1, 10, 1, 0, COUNT], common.environment(SETTLE, more))
    fields = {line.split()[0]: int(line.split()[1]) / 1000 for line in lines.splitlines()}
    return fields["open"], fields["close"]


def late(directory, more):
    """By how much waits for a holder that closes returned later than the release: the median, in ms."""
    method = dataclasses.replace(duels.OURS, settings={**duels.OURS.settings, **more})
    with duels.Duel(method) as duel:
        path = duels.make_store(directory / "closes")
        return statistics.median(duel.trial("closes", path, HOLD * (1 + i / TRIALS)).overshoot
                                 for i in range(TRIALS)) * 1000


def run(section, bench):
    directory = bench.space.directory("here/recorded")
    record = directory / "record.jsonl"
    ways = {"no record": settings(None), "a record": settings(record), "log at debug": settings(None, "debug"),
            "both": settings(record, "debug")}
    times = {name: [] for name in ways}
    waits = {name: [] for name in ways}
    for number in range(ROUNDS):
        common.say(f"recorded: round {number + 1} of {ROUNDS}")
        for name, more in ways.items():
            record.unlink(missing_ok=True)
            times[name].append(open_and_close(directory, more))
            waits[name].append(late(directory, more))
    table = section.table("A record and a log file: an open and close of a store that nobody holds (us), a wait (ms)",
                          "what is written", "open", "close", "both", "overshoot",
                          note=f"medians of {ROUNDS} rounds of {COUNT} closes and {TRIALS} waits, in turns")
    sums, overshoots = {}, {}
    for name in ways:
        opens, closes = (statistics.median(column) for column in zip(*times[name]))
        sums[name] = statistics.median(sum(one) for one in times[name])
        overshoots[name] = statistics.median(waits[name])
        table.add(name, f"{opens:.1f}", f"{closes:.1f}", f"{sums[name]:.1f}", f"{overshoots[name]:.3f}")
    added = sums["a record"] - sums["no record"]
    section.goal("a record: added to an open and close of a store that nobody holds", f"{CLOSES_GOAL} us",
                 f"{added:.1f} us", added <= CLOSES_GOAL)
    longer = overshoots["a record"] - overshoots["no record"]
    section.goal("a record: added to a wait", f"{WAIT_GOAL} ms", f"{longer:.3f} ms", longer <= WAIT_GOAL)
