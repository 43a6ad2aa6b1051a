"""The time from the release to the return, by who holds, for how long, on which file system."""

import dataclasses
import random
import statistics

import common
import duels
from common import PROGRAMS, quantile

# A row: the holding time in seconds, how often on the working directory's file system, elsewhere, and
# for a peer.
HOLDS = [
    (0.0001, 60, 30, 2),
    (0.001, 60, 30, 2),
    (0.01, 40, 20, 2),
    (0.1, 20, 8, 2),
    (0.5, 4, 1, 1),
    (2.0, 1, 0, 0),
]
SPREAD = (0.75, 1.25)  # of the holding times: exact ones might fit the steps of a polling by accident
CHECK_INTERVAL = 0.05
SHORTEST_SLEEP = 0.0002
P50, P99 = 0.0002, 0.002  # over all file systems
EXT4_P50, EXT4_P99 = 0.00015, 0.001
# What a user would like, and what is not had for the processor time that a wait may take (shim/README.md, wait).
LIKED, LIKED_MOST = 0.05, 0.02
COMMAND_P50 = 0.002
WAKES = 1000


def allowed(trial):
    """What a wait may be late that learns of the release by looking again."""
    return max(SHORTEST_SLEEP, min(0.1 * trial.held_for, CHECK_INTERVAL))


def ms(seconds):
    return f"{seconds * 1000:.3f}"


def measure(method, kind, directory, counts, generator):
    """All trials of a cell; a peer that never notices is not asked again and again."""
    trials = []
    path = duels.make_store(directory / kind.name)
    with duels.Duel(method) as duel:
        for hold, count in counts:
            some = []
            while len(some) < count and not (len(some) == 2 and all(trial.gave_up for trial in some)):
                trial = duel.trial(kind.name, path, hold * generator.uniform(*SPREAD))
                some.append(dataclasses.replace(trial, hold=hold))
            trials += some
    return trials


def summary(trials):
    """count, p50, p99, max of those that noticed; how many were early, and how many never noticed."""
    late = [trial.overshoot for trial in trials if not trial.early and not trial.gave_up]
    figures = [ms(quantile(late, part)) for part in (0.5, 0.99, 1)] if late else ["-"] * 3
    return [len(trials), *figures, sum(trial.early for trial in trials), sum(trial.gave_up for trial in trials)]


def by_hold(trials):
    result = []
    for hold in sorted({trial.hold for trial in trials}):
        count, p50, p99, most, early, never = summary([trial for trial in trials if trial.hold == hold])
        result.append({"hold_ms": hold * 1000, "trials": count, "p50_ms": p50, "p99_ms": p99, "max_ms": most,
                       "early": early, "gave_up": never})
    return result


def measure_ours(section, bench):
    """Returns the trials by place and kind."""
    table = section.table("Overshoot of settle (ms)", "file system", "holder", "trials", "p50", "p99", "max",
                          "early", note="from the release to the return, over holding times of "
                          f"{HOLDS[0][0] * 1000} ms to {HOLDS[-1][0]:.0f} s")
    trials = {}
    generator = random.Random(bench.seed)
    places = bench.places.all(section)
    for number, (place, directory) in enumerate(places):
        counts = [(hold, here if number == 0 else elsewhere) for hold, here, elsewhere, _ in HOLDS]
        for kind in duels.KINDS:
            common.say(f"overshoot: settle on {place}, the holder {kind.said}")
            own = trials[place, kind.name] = measure(duels.OURS, kind, directory, counts, generator)
            table.add(place, kind.said, *summary(own)[:-1])
            section.details.setdefault("settle", []).append(
                {"file system": place, "holder": kind.name, "by_hold": by_hold(own)})
    times = section.table("Overshoot of settle by holding time, all file systems (p50 ms)", "holder",
                          *(f"{hold * 1000:g} ms" for hold, *_ in HOLDS))
    for kind in duels.KINDS:
        cells = []
        for hold, *_ in HOLDS:
            some = [trial for (_, name), own in trials.items() if name == kind.name
                    for trial in own if trial.hold == hold]
            cells.append(summary(some)[1])
        times.add(kind.said, *cells)
    return trials


def measure_peers(section, bench, ours):
    """Returns the trials of settle-wait where an event comes."""
    place, directory = bench.places.working()
    table = section.table(f"Overshoot of all ways to wait, on {place} (ms)", "way", "holder", "trials", "p50", "p99",
                          "max", "early", "never",
                          note=f"holding times to {HOLDS[-2][0]} s; early: went on while the file was held; never: "
                               f"had not noticed {duels.GIVE_UP} s after the release; asking all the time: the soonest "
                               "that anybody can know, for the price of a processor")
    command = []
    generator = random.Random(bench.seed)
    for method in duels.available(section):
        common.say(f"overshoot: {method.name}")
        for kind in duels.KINDS:
            if method.only and kind.name not in method.only:
                continue
            if method is duels.OURS:
                own = [trial for trial in ours[place, kind.name] if trial.hold <= HOLDS[-2][0]]
            else:
                more = 5 if method is duels.COMMAND else 1
                own = measure(method, kind, directory,
                              [(hold, count * more if hold < 0.5 else count) for hold, *_, count in HOLDS],
                              generator)
            table.add(method.name, kind.said, *summary(own))
            section.details.setdefault("peers", []).append(
                {"way": method.name, "holder": kind.name, "by_hold": by_hold(own)})
            if method is duels.COMMAND and kind.event:
                command += own
    return command


def set_goals(section, ours, command):
    event_kinds = {kind.name for kind in duels.KINDS if kind.event}
    told = [trial.overshoot for (_, kind), own in ours.items() if kind in event_kinds for trial in own]
    looked = [trial.overshoot - allowed(trial) for (_, kind), own in ours.items() if kind not in event_kinds
              for trial in own if not trial.early]
    for name, flock in (("POSIX locks", False), ("flock locks", True)):
        early = {place: sum(trial.early for (other, kind), own in ours.items() for trial in own
                            if other == place and (kind == "flock") == flock) for place, _ in ours}
        where = ", ".join(f"{count} on {place}" for place, count in early.items() if count)
        section.goal(f"settle, {name}: early returns", "none", where or "0", not where,
                     "on FUSE a trial lock would go to another host (libsettle(7))" if flock else "")
    for part, limit in ((0.5, P50), (0.99, P99)):
        measured = quantile(told, part)
        section.goal(f"settle, with an event: overshoot p{part * 100:.0f}", f"{limit * 1000:g} ms",
                     f"{ms(measured)} ms", measured <= limit)
    own = [trial.overshoot for (place, kind), some in ours.items() if place == "ext4" and kind in event_kinds
           for trial in some]
    for part, limit in ((0.5, EXT4_P50), (0.99, EXT4_P99)) if own else ():
        measured = quantile(own, part)
        section.goal(f"settle on ext4, with an event: overshoot p{part * 100:.0f}", f"{limit * 1000:g} ms",
                     f"{ms(measured)} ms", measured <= limit)
    share = statistics.mean(trial.overshoot <= max(SHORTEST_SLEEP, min(LIKED * trial.held_for, LIKED_MOST)) + P50
                            for (_, kind), some in ours.items() if kind not in event_kinds for trial in some)
    section.goal("settle, without: overshoot within min(5 %, 20 ms)", "all", f"{share * 100:.0f} %", share == 1,
                 "takes more of the processor than a wait may (shim/README.md, wait)")
    # what scheduling takes is what it takes where an event comes
    for part, limit in ((0.5, P50), (0.99, P99)):
        measured = quantile(looked, part)
        section.goal(f"settle, without: overshoot beyond min(10 %, check_interval) p{part * 100:.0f}",
                     f"{limit * 1000:g} ms of scheduling", f"{ms(max(measured, 0))} ms", measured <= limit)
    measured = quantile([trial.overshoot for trial in command], 0.5)
    section.goal("settle-wait as a process: overshoot p50", f"{COMMAND_P50 * 1000:g} ms", f"{ms(measured)} ms",
                 measured <= COMMAND_P50)


def measure_wakes(section, bench):
    """Whether the caller should be woken before its helper asks for the sidecars."""
    table = section.table("From a release to the return, by when the helper wakes the caller (us)", "sidecars", "woken",
                          "median", "99 %", note=f"{WAKES} waits each, in turns, of a helper that does nothing else")
    path = duels.make_store(bench.places.working()[1] / "wakes")
    for sidecars in ([], ["-wal", "-shm"]):
        for ending in sidecars:
            path.with_name(path.name + ending).touch()
        common.say("overshoot: when the caller is woken")
        lines = common.output_of([PROGRAMS / "wakes", path, WAKES]).splitlines()
        for said, line in zip(("at its end, as it is", "before it asks for the sidecars"), lines, strict=True):
            table.add(" and ".join(sidecars) or "none", said, *(f"{int(word) / 1000:.1f}" for word in line.split()))


def run(section, bench):
    duels.check(bench.places.working()[1])
    measure_wakes(section, bench)
    ours = measure_ours(section, bench)
    set_goals(section, ours, measure_peers(section, bench, ours))
