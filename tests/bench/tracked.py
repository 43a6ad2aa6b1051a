"""The last close of a store that nobody holds, in processes of all sizes."""

import resource
import statistics

import common
from common import PROGRAMS

COUNT = 1000
ROUNDS = 3

# A row: stores and other descriptors that are open, threads, whether all of them close.
SHAPES = [
    (1, 10, 1, False),
    (100, 10, 1, False),
    (10000, 10, 1, False),
    (1, 1000, 1, False),
    (1, 100000, 1, False),
    (1, 10, 8, False),
    (1, 10, 64, False),
    (1, 10, 8, True),
    (1, 10, 64, True),
]
SPARE = 200
GOAL = 15
FLAT = 1.5


def most_descriptors(wanted):
    """As many as the limits let us have, which are raised."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, hard), max(wanted, hard)))
    except (ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard
    return wanted


def possible_shapes(section):
    wanted = max(stores + others for stores, others, _, _ in SHAPES) + SPARE
    most = most_descriptors(wanted)
    shapes = []
    for stores, others, threads, busy in SHAPES:
        if stores + others + SPARE > most:
            section.skip(f"{others} descriptors: no more than {most} are allowed here (RLIMIT_NOFILE)")
            others = most - stores - SPARE
        shapes.append((stores, others, threads, busy))
    return shapes


def measure(directory, shape, preload):
    stores, others, threads, busy = shape
    count = COUNT if not busy else max(20, COUNT // threads)
    lines = common.output_of([PROGRAMS / "stores", directory, stores, others, threads, int(busy), count],
                             common.environment(preload))
    fields = {line.split()[0]: [int(word) / 1000 for word in line.split()[1:]] for line in lines.splitlines()}
    return (*fields["open"], *fields["close"], *fields["each"])


def run(section, bench):
    directory = bench.space.directory("here/tracked")
    shapes = possible_shapes(section)
    results = {(shape, preload): [] for shape in shapes for preload in (None, common.SETTLE)}
    for number in range(ROUNDS):
        common.say(f"tracked: round {number + 1} of {ROUNDS}")
        for key, values in results.items():
            values.append(measure(directory, *key))

    table = section.table(
        "Last close of a store that nobody holds (us)", "stores", "descriptors", "threads", "open", "close", "99 %",
        "each", "plain: open", "close", "99 %",
        note=f"medians of {ROUNDS} rounds of {COUNT} closes; threads sleep but for one, or where it says so all "
             "close at once, when a close also takes the time for which others have the processor; each: time of "
             "all opens and closes, by their number")
    medians = {}
    for shape in shapes:
        stores, others, threads, busy = shape
        ours, plain = ([statistics.median(column) for column in zip(*results[shape, preload])]
                       for preload in (common.SETTLE, None))
        table.add(stores, others, f"{threads}, all close" if busy else threads,
                  *(f"{value:.1f}" for value in (ours[0], ours[2], ours[3], ours[4], plain[0], plain[2], plain[3])))
        if not busy:
            medians[shape] = ours[2]
    floor = common.output_of([PROGRAMS / "floor", COUNT]).split()
    table = section.table("A helper thread that asks nothing, below which no such close can stay (us)", "median", "99 %")
    table.add(*(f"{int(value) / 1000:.1f}" for value in floor))
    first = medians[shapes[0]]
    section.goal("tracked last close, nobody holds it", f"median {GOAL} us",
                 f"{first:.1f} us, of which a helper that asks nothing takes {int(floor[0]) / 1000:.1f}", first <= GOAL)
    worst = max(medians, key=medians.get)
    section.goal("the same at any number of stores, descriptors, threads", f"{FLAT} times that of 1 store",
                 f"{medians[worst] / first:.2f} times ({worst[0]} stores, {worst[1]} descriptors, {worst[2]} threads)",
                 medians[worst] <= FLAT * first)
