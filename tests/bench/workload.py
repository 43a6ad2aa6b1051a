"""The work that the idea was had for: 95 closes in six kinds of call site, some of stores that somebody
else still holds."""

import concurrent.futures
import random

import common
import duels

# A row: the name of the rule, how many closes, max_wait in seconds.
SITES = [
    ("chunk_processing", 40, 2.0),
    ("delta_download", 15, 1.0),
    ("intermediate_merge_chunk_clients", 15, 1.0),
    ("intermediate_merge_main_client", 5, 2.0),
    ("final_merge_chunk_clients", 15, 1.0),
    ("final_merge_main_client", 5, 2.0),
]
CLOSES = sum(closes for _, closes, _ in SITES)
FIXED = 0.5

# A row: the name, how many of the closes find their store held, for how long.
MIXES = [
    ("all free", 0.0, (0.0, 0.0)),
    ("mostly free", 0.15, (0.2, 0.2)),
    ("many long", 0.4, (0.2, 0.9)),
    ("some in vain", 0.4, (0.2, 1.6)),  # for longer than some sites wait
]

# Those that let go by closing, as clients of a store do.
HOLDERS = ["closes", "commits-wal", "killed"]

# What a close of a free store may cost, which the ideal has none of (tracked.py).
FREE = 15e-6

# A row: the way, and how many at the same time: where nothing depends on who has the processor.
WAYS = [(duels.OURS, 1), (duels.ASKING, 1), (duels.OPENING, 8), (duels.SLEEP, 8)]


def draw(mix, seed):
    """A list of site, max_wait, holder and holding time."""
    _, share, (shortest, longest) = mix
    generator = random.Random(f"{seed}/{mix[0]}")
    closes = [[site, max_wait, "-", 0.0] for site, number, max_wait in SITES for _ in range(number)]
    generator.shuffle(closes)
    for close in generator.sample(closes, round(share * CLOSES)):
        close[2:] = [generator.choice(HOLDERS), generator.uniform(shortest, longest)]
    return closes


def rules(directory):
    return "; ".join(f"{directory / site}: max_wait={max_wait} name={site}" for site, _, max_wait in SITES)


def run_lane(way, closes, directory):
    """The trials, each with its max_wait."""
    settings = {"SETTLE_RULES": rules(directory)}
    with duels.Duel(way, settings) as duel:
        return [(duel.trial(holder, duels.make_store(directory / site), hold, bound=max_wait), max_wait)
                for site, max_wait, holder, hold in closes]


def run_way(way, lanes, closes, directory):
    with concurrent.futures.ThreadPoolExecutor(lanes) as pool:
        parts = [pool.submit(run_lane, way, closes[lane::lanes], directory / f"lane-{lane}") for lane in range(lanes)]
        return [trial for part in parts for trial in part.result()]


def with_whole_waits(trials):
    """Those before two waits were in vain: what such waits share is spent then, and the next are cut (shim/README.md,
    track)."""
    in_vain = 0
    for number, (trial, max_wait) in enumerate(trials, 1):
        in_vain += trial.held and trial.waited >= max_wait
        if in_vain == 2:
            return trials[:number]
    return trials


def count_early(trials):
    return sum(trial.held and trial.waited < max_wait for trial, max_wait in trials)


def run(section, bench):
    _, here = bench.places.working()
    table = section.table(f"The idea's workload: {CLOSES} closes in six kinds of call site (s)", "mix", "held", "way",
                          "waited", "ideal", "timed out", "went on early",
                          note="ideal: what the holders took, cut at each site's max_wait; early: still held, as "
                               f"another process saw it, and max_wait not over: of settle, once two waits were in vain; "
                               f"seed {bench.seed}; holders: "
                               + ", ".join(HOLDERS))
    for mix in MIXES:
        closes = draw(mix, bench.seed)
        held = sum(holder != "-" for _, _, holder, _ in closes)
        for way, lanes in WAYS:
            common.say(f"workload: {mix[0]}, {way.name}")
            directory = here / "workload" / mix[0].replace(" ", "-") / way.command[0]
            trials = run_way(way, lanes, closes, directory)
            waited = sum(trial.waited for trial, _ in trials)
            ideal = sum(min(trial.held_for, max_wait) for trial, max_wait in trials)
            ended = sum(trial.held and trial.waited >= max_wait for trial, max_wait in trials)
            table.add(mix[0], held, way.name, f"{waited:.3f}", f"{ideal:.3f}", ended, count_early(trials))
            if way is duels.OURS:
                limit = ideal * 1.02 + FREE * CLOSES
                section.goal(f"workload, {mix[0]}", f"ideal + 2 % (and {FREE * 1e6:.0f} us a close): {limit:.4f} s",
                             f"{waited:.4f} s", waited <= limit)
                whole = with_whole_waits(trials)
                early = count_early(whole)
                section.goal(f"workload, {mix[0]}: went on early" + (", before two waits in vain" if whole is not trials
                             else ""), "none", str(early), early == 0)
    section.details["fixed delay"] = {"closes": CLOSES, "seconds": CLOSES * FIXED}
