"""The last close of a store that nobody holds, in processes of all sizes: it takes as long in each. Drawn, too."""

import resource
import statistics

import common
import plot
from common import PROGRAMS

COUNT = 1000
ROUNDS = 5
SPARE = 200
FLAT = 1.3
MEMORY_GOAL = 4  # MB

# What grows: its name, its place among the arguments of `stores`, its values; the others stay as in SMALL.
SMALL = (1, 10, 1, 0)  # stores, other descriptors, threads, whether all of them close
SWEEPS = [
    ("stores", 0, [10, 100, 1000, 10_000]),
    ("descriptors", 1, [10, 100, 1000, 10_000, 100_000]),
    ("threads", 2, [1, 4, 16, 64]),
]
DRAWING = "scale.svg"


def most_descriptors(wanted):
    """As many as the limits let us have, which are raised."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, hard), max(wanted, hard)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard
    return wanted


def with_value(place, value):
    return (*SMALL[:place], value, *SMALL[place + 1:])


def possible_sweeps(section):
    """Of the values those that the limits allow; what cannot be had is as near to it as may be."""
    most = most_descriptors(max(SWEEPS[0][2][-1], SWEEPS[1][2][-1]) + SPARE)
    for name, place, values in SWEEPS:
        possible = [min(value, most - SPARE) if place < 2 else value for value in values]
        for value, wanted in zip(possible, values):
            if value != wanted:
                section.skip(f"{wanted} {name}: no more than {most} descriptors are allowed here (RLIMIT_NOFILE, which "
                             f"takes CAP_SYS_RESOURCE to raise); {value} instead")
        yield name, place, possible


def measure(directory, shape, preload):
    """The median of the closes in us, and the memory in kB."""
    lines = common.output_of([PROGRAMS / "stores", directory, *shape, COUNT], common.environment(preload)).splitlines()
    fields = {line.split()[0]: int(line.split()[1]) for line in lines}
    return fields["close"] / 1000, fields["memory"]


def run(section, bench):
    directory = bench.space.directory("here/scale")
    sweeps = list(possible_sweeps(section))
    shapes = {with_value(place, value) for _, place, values in sweeps for value in values}
    results = {(shape, preload): [] for shape in sorted(shapes) for preload in (None, common.SETTLE)}
    for number in range(ROUNDS):
        common.say(f"scale: round {number + 1} of {ROUNDS}")
        for key, values in results.items():
            values.append(measure(directory, *key))
    medians = {key: [statistics.median(column) for column in zip(*values)] for key, values in results.items()}
    table = section.table("Last close of a store that nobody holds, by what the process has (us)", "of", "there are",
                          "close", "plain: close", "kB more",
                          note=f"medians of {ROUNDS} rounds of {COUNT} closes; threads sleep but for one; drawn in "
                               f"build/bench/{DRAWING}")
    panels = []
    for name, place, values in sweeps:
        ours, plain = ([medians[with_value(place, value), preload] for value in values]
                       for preload in (common.SETTLE, None))
        for value, own, base in zip(values, ours, plain):
            table.add(name, value, f"{own[0]:.2f}", f"{base[0]:.2f}", f"{own[1] - base[1]:.0f}")
        closes = [own[0] for own in ours]
        section.goal(f"last close, nobody holds it: {values[0]} to {values[-1]} {name}", f"within {FLAT} times",
                     f"{max(closes) / min(closes):.2f} times", max(closes) <= FLAT * min(closes))
        panels.append(plot.Panel(name, values, {"settle": closes, "nothing preloaded": [base[0] for base in plain]}))
        if place == 0:
            memory = [(own[1] - base[1]) / 1024 for own, base in zip(ours, plain)]
            more = memory[-1] - memory[0]
            section.goal(f"memory of {values[-1]} stores beside that of {values[0]}", f"{MEMORY_GOAL} MB",
                         f"{more:.2f} MB", more <= MEMORY_GOAL)
    drawing = plot.draw("Last close of a store that nobody holds: median, microseconds", panels)
    (PROGRAMS / DRAWING).write_text(drawing, encoding="utf-8")
