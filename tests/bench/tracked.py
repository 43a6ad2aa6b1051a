"""The last close of a store that nobody holds: what the library adds, by what else there is of the store and of the
process."""

import statistics

import common
from common import PROGRAMS

COUNT = 1000
ROUNDS = 5


# A row: what is said of it; threads, whether all of them close, collections of index files; the goal for what is added
# to the median and to the 99th percentile, in us.
SHAPES = [
    ("one thread", (1, False, 0), (15, 60)),
    ("64 threads", (64, False, 0), (15, 60)),
    ("one thread, a collection of index files", (1, False, 1), (40, None)),
    ("64 threads, a collection of index files", (64, False, 1), (40, None)),
    ("one thread, 5 collections", (1, False, 5), (40, None)),
    ("64 threads, 5 collections", (64, False, 5), (40, None)),
    ("8 threads, all close", (8, True, 0), None),
    ("64 threads, all close", (64, True, 0), None),
]

# Of SQLite itself, by its journal_mode; in each a close of the only connection is the last one of the store.
MODES = ["delete", "wal", "persist"]
MODES_GOAL = 40


def fields_of(output):
    return {line.split()[0]: [int(word) / 1000 for word in line.split()[1:]] for line in output.splitlines()}


def measure(directory, shape, preload):
    threads, busy, collections = shape
    count = COUNT if not busy else max(20, COUNT // threads)
    output = common.output_of([PROGRAMS / "stores", directory / f"of-{collections}", 1, 10, threads, int(busy), count,
                               collections], common.environment(preload))
    fields = fields_of(output)
    return (*fields["open"], *fields["close"], *fields["each"])


def measure_database(directory, mode, preload):
    place = directory / mode
    place.mkdir(exist_ok=True)
    output = common.output_of([PROGRAMS / "database", place / "chroma.sqlite3", mode, COUNT],
                              common.environment(preload))
    return [int(word) / 1000 for word in output.split()]


def in_turns(what, keys, function):
    """Medians, by key and library, of what the function measures in rounds."""
    results = {(key, preload): [] for key in keys for preload in (None, common.SETTLE)}
    for number in range(ROUNDS):
        common.say(f"tracked: {what}, round {number + 1} of {ROUNDS}")
        for (key, preload), values in results.items():
            values.append(function(key, preload))
    return {key: [statistics.median(column) for column in zip(*values)] for key, values in results.items()}


def set_goal(section, what, added, limit):
    if limit is not None:
        section.goal(f"last close, nobody holds it: added, {what}", f"{limit} us", f"{added:.1f} us", added <= limit)


def measure_closes(section, directory):
    for _, (_, _, collections), _ in SHAPES:
        (directory / f"of-{collections}").mkdir(exist_ok=True)
    shapes = [shape for _, shape, _ in SHAPES]
    results = in_turns("closes", shapes, lambda shape, preload: measure(directory, shape, preload))
    table = section.table(
        "Last close of a store that nobody holds (us)", "in a process of", "open", "close", "99 %", "each",
        "plain: open", "close", "99 %", "each",
        note=f"medians of {ROUNDS} rounds of {COUNT} closes; threads sleep but for one, or where it says so all "
             "close at once, when a close also takes the time for which others have the processor; each: time of "
             "all opens and closes, by their number")
    for said, shape, goals in SHAPES:
        ours, plain = results[shape, common.SETTLE], results[shape, None]
        table.add(said, *(f"{way[i]:.1f}" for way in (ours, plain) for i in (0, 2, 3, 4)))
        if goals is not None:
            set_goal(section, f"{said}, median", ours[2] - plain[2], goals[0])
            set_goal(section, f"{said}, 99 %", ours[3] - plain[3], goals[1])


def measure_databases(section, directory):
    results = in_turns("SQLite", MODES, lambda mode, preload: measure_database(directory, mode, preload))
    table = section.table("sqlite3_close of the only connection to a ChromaDB's database (us)", "journal_mode", "close",
                          "99 %", "plain: close", "99 %")
    for mode in MODES:
        ours, plain = results[mode, common.SETTLE], results[mode, None]
        table.add(mode, *(f"{value:.1f}" for value in (*ours, *plain)))
        set_goal(section, f"sqlite3_close, journal_mode={mode}, median", ours[0] - plain[0], MODES_GOAL)


def run(section, bench):
    directory = bench.space.directory("here/tracked")
    measure_closes(section, directory)
    measure_databases(section, directory)
    floor = common.output_of([PROGRAMS / "floor", COUNT]).split()
    table = section.table("A helper thread that asks nothing, below which no close that needs one can stay (us)",
                          "median", "99 %")
    table.add(*(f"{int(value) / 1000:.1f}" for value in floor))
