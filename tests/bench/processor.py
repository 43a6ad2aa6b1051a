"""The processor time of a wait: of the process that waits and of all that it starts."""

import statistics

import common
import duels

HOLD = 2.0
TRIALS = 3
GOAL = 0.005
NOTHING = duels.Method("(sh -c true, which waits for nothing)", ["command", "sh", "-c", "true", "sh"])


def measure(method, kind, path):
    with duels.Duel(method) as duel:
        return [duel.trial(kind, path, HOLD, processor=True) for _ in range(TRIALS)]


def run(section, bench):
    _, directory = bench.places.working()
    table = section.table(f"Processor time of a wait of {HOLD:.0f} s (ms)", "way", "holder", "median", "most", "early",
                          "never", note=f"user and system, of {TRIALS} waits")
    for method in [*duels.available(section), NOTHING]:
        kinds = [kind for kind in duels.KINDS if kind.name in (method.only or ("closes", "unlocks"))]
        for kind in kinds if method in (duels.OURS, duels.COMMAND) else kinds[:1]:
            common.say(f"processor: {method.name}, the holder {kind.said}")
            trials = measure(method, kind.name, duels.make_store(directory / kind.name))
            used = [trial.processor for trial in trials]
            median = statistics.median(used)
            table.add(method.name, kind.said, f"{median * 1000:.1f}", f"{max(used) * 1000:.1f}",
                      sum(trial.early for trial in trials), sum(trial.gave_up for trial in trials))
            if method in (duels.OURS, duels.COMMAND):
                section.goal(f"{method.name}: processor time of {HOLD:.0f} s, the holder {kind.said}",
                             f"{GOAL * 1000:.0f} ms", f"{median * 1000:.1f} ms", median <= GOAL,
                             "with the start of two processes" if method is duels.COMMAND else "")
