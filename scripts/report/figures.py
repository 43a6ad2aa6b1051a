"""The figures, from what records.py gathered. report() is what --json prints; its members are described in
settle-report(1).

A close is a wait without a use."""

import bisect
import itertools
import math
import time

from records import LATER, OUTCOMES

VERSION = 1

SHARES = ("at once", "after waiting", "timed out", "other")

# A percentile is the nearest rank: the smallest time that so many percent of the closes needed at most.
PERCENTILES = (50, 95, 99)

# The bounds of the histogram's classes, from 10 us on: 1, 2, 5, 10, ...
FIRST_BOUND, STEPS = 1e-5, (1, 2, 5)

# A setting for max_wait is never recommended below this, or above what settle accepts.
LEAST_MAX_WAIT, MOST_MAX_WAIT = 0.1, 86400.0


# Columns that have the number of a text.
TEXTS = {"store", "file", "program", "role"}


def rows(records, query, **parameters):
    cursor = records.db.execute(query, parameters)
    names = [column[0] for column in cursor.description]
    found = [dict(zip(names, row)) for row in cursor]
    for name in TEXTS.intersection(names):
        for row in found:
            if row[name] is not None:
                row[name] = records.texts[row[name]]
    return found


# --- waits ---

def times_of(groups):
    """Percentiles, the longest and the sum of what was waited."""
    times = sorted(itertools.chain.from_iterable(waits.times for waits in groups))
    ranks = {f"p{p}": times[(len(times) * p + 99) // 100 - 1] for p in PERCENTILES}
    return {**ranks, "max": times[-1], "total": math.fsum(times)}


def counts_of(groups, name):
    """How many waits have each value of a member, the most first."""
    counts = {}
    for waits in groups:
        value = getattr(waits, name)
        counts[value] = counts.get(value, 0) + len(waits.times)
    return dict(sorted(counts.items(), key=lambda count: -count[1]))


def count_where(groups, name, value):
    return sum(len(waits.times) for waits in groups if getattr(waits.known, name) == value)


def longest_where(groups, ended):
    return max((waits.times[-1] for waits in groups if waits.known.ended == ended and waits.known.watched), default=None)


def too_early(waits, delay):
    """Of how many a fixed delay would have been too short, since the store was seen to be held for longer."""
    if not waits.known.watched:
        return 0
    side = bisect.bisect_right if waits.known.ended == "free" else bisect.bisect_left
    return len(waits.times) - side(waits.times, delay)


def grouped(groups, *names):
    """Waits that have the same values of these members, the longest in sum first."""
    found = {}
    for waits in groups:
        found.setdefault(tuple(getattr(waits, name) for name in names), []).append(waits)
    return sorted(found.values(), key=lambda same: -math.fsum(itertools.chain.from_iterable(one.times for one in same)))


def closes_of(records):
    return [waits for waits in records.waits.values() if waits.use is None]


def uses_of(records):
    return [waits for waits in records.waits.values() if waits.use is not None]


def rounded_up(value):
    """The next of 0.1, 0.2, 0.5, 1, 2, ... seconds."""
    power = LEAST_MAX_WAIT
    while True:
        for step in STEPS:
            if step * power >= value * 0.999999:
                return min(round(step * power, 1), MOST_MAX_WAIT)
        power *= 10


def recommend(closes):
    """A max_wait, and why. The rule:

    Nothing was waited for: there is nothing to go by, keep what is set.
    Nothing timed out: twice the longest wait that settled.
    Something timed out, and waits that settled came near to that time (more than half of it): what was
    still to come was cut off and cannot be known. Twice the longest wait at least, then measure again.
    Something timed out that was held more than twice as long as any wait that settled: a longer max_wait
    would have cost its time for sure, and gained nothing that was seen. Keep it, and look at the holder.
    """
    settled, timed_out, now = closes["longest_settled"], closes["longest_timed_out"], closes["max_wait"]
    if timed_out is None and settled is None:
        return {"max_wait": now, "why": "nothing waited"}
    if timed_out is None:
        return {"max_wait": rounded_up(2 * settled), "why": "twice the longest"}
    if settled is not None and settled > timed_out / 2:
        return {"max_wait": rounded_up(2 * max(settled, timed_out)), "why": "at least, measure again"}
    return {"max_wait": now, "why": "look at the holder"}


def close_figures(groups, delay):
    """A store that was still held when its wait ended before the delay was over may have become free until then,
    or not: what a fixed delay would have come to is unknown."""
    closes = sum(len(waits.times) for waits in groups)
    early = sum(too_early(waits, delay) for waits in groups)
    settled = count_where(groups, "ended", "free")
    free = settled - sum(too_early(waits, delay) for waits in groups if waits.known.ended == "free")
    unknown = closes - early - free
    wait = times_of(groups)
    known = {
        "max_wait": max(waits.max_wait for waits in groups),
        "longest_settled": longest_where(groups, "free"),
        "longest_timed_out": longest_where(groups, "held"),
    }
    return {
        "closes": closes,
        "shares": {share: count_where(groups, "share", share) for share in SHARES},
        "outcomes": counts_of(groups, "outcome"),
        "wait": wait,
        "settled": settled,
        "still_held": count_where(groups, "ended", "held"),
        "fixed_delay": {
            "total": delay * closes, "saved": delay * closes - wait["total"], "early": early, "unknown": unknown,
            "success": [free / closes, (free + unknown) / closes]},
        **known,
        "waits_that_settled": sum(len(waits.times) for waits in groups
                                  if waits.known.ended == "free" and waits.known.watched),
        "recommended": recommend(known),
    }


def stores(records, delay):
    return [{"store": groups[0].store, "rule": groups[0].rule, "profile": max(waits.profile for waits in groups),
             **close_figures(groups, delay)}
            for groups in grouped(closes_of(records), "store", "rule")]


def all_closes(records, delay):
    closes = closes_of(records)
    return close_figures(closes, delay) if closes else None


def histogram(records):
    """Classes from the shortest wait's to the longest's; a class has its lower bound, not its upper."""
    bounds = [0, *(round(step * FIRST_BOUND * 10 ** power, 5) for power in range(11) for step in STEPS), 1e99]
    counts = [dict.fromkeys(SHARES, 0) for _ in bounds[1:]]
    for waits in closes_of(records):
        ends = [bisect.bisect_left(waits.times, bound) for bound in bounds]
        for one, (low, high) in zip(counts, zip(ends, ends[1:])):
            one[waits.known.share] += high - low
    full = [i for i, one in enumerate(counts) if any(one.values())]
    return [{"from": bounds[i], "to": bounds[i + 1], **counts[i]} for i in range(full[0], full[-1] + 1)] if full else []


# --- uses ---

def what_waited(groups):
    """Of the uses that waited for somebody, by what they were: how many, and how long. The longest in sum first."""
    return {same[0].use: {"uses": sum(len(waits.times) for waits in same),
                          "max": max(waits.times[-1] for waits in same),
                          "total": math.fsum(itertools.chain.from_iterable(waits.times for waits in same))}
            for same in grouped([waits for waits in groups if waits.known.watched], "use")}


def uses(records):
    """By store: what the uses were, how they ended and how long they took. `open` were while handles of the
    process itself were open, `open_handles` the most of them."""
    return [{
        "store": groups[0].store,
        "uses": sum(len(waits.times) for waits in groups),
        "waited": count_where(groups, "watched", True),
        "what_waited": what_waited(groups),
        "still_held": count_where(groups, "ended", "held"),
        "open": sum(waits.open for waits in groups),
        "open_handles": max(waits.most_open for waits in groups),
        "what": counts_of(groups, "use"),
        "outcomes": counts_of(groups, "outcome"),
        "wait": times_of(groups),
    } for groups in grouped(uses_of(records), "store")]


# --- who and what ---

def holders(records):
    """By command and kinds of lock, of closes and uses. A wait counts in full for each of these, and once for
    however many processes of one; what was waited without a holder's name stands under null."""
    return [{"command": command, "kind": kind, "waits": holder.waits, "processes": len(holder.pids - {None, 0}),
             "waited": holder.waited, "longest": holder.longest}
            for (command, kind), holder in sorted(records.holders.items(), key=lambda item: -item[1].waited)]


def files(records):
    return rows(records, """
        select process, pid, program, store, file, count(*) as opened, sum(closed is null) as never_closed
        from handle join process p on p.id = process group by process, store, file order by process, min(handle.id)""")


def never_closed(records):
    return rows(records, """
        select pid, program, fd, role, store, file, opened, exit is not null as exit_seen
        from handle join process p on p.id = process where closed is null order by opened, handle.id""")


def longest_waits(records):
    return [{
        "began": began, "elapsed": elapsed, "outcome": waits.outcome, "share": waits.known.share, "pid": process.pid,
        "thread": thread, "program": records.text(process.program), "store": waits.store, "rule": waits.rule,
        "use": waits.use,
        "holders": "; ".join(f"{command or '?'} {pid or '?'}, {kind or '?'}"
                             for (command, kind), pids in holders.items() for pid in pids) or None,
    } for waits, began, elapsed, process, thread, holders in records.longest.in_order()]


def report(records, delay):
    began, ended, processes = records.db.execute("select min(began), max(ended), count(*) from process").fetchone()
    return {
        "settle_report": VERSION,
        "delay": delay,
        "records": records.names(),
        "began": began,
        "ended": ended,
        "processes": processes,
        "stores_opened": records.stores,
        "passed_over": records.passed_over,
        "all": all_closes(records, delay),
        "stores": stores(records, delay),
        "histogram": histogram(records),
        "uses": uses(records),
        "holders": holders(records),
        "longest_waits": longest_waits(records),
        "files": files(records),
        "never_closed": never_closed(records),
    }


# --- the timeline of the page ---

class Numbers(dict):
    """Gives each text a number; the page writes it once."""

    def __missing__(self, text):
        self[text] = len(self)
        return self[text]


def timeline(records):
    """Times in microseconds since the first line. Handles and waits as short lists, since there may be
    100,000; a holder's row has the waits that it caused."""
    texts = Numbers()
    db, text = records.db, records.text
    start = db.execute("select min(least) from (select min(began) as least from process "
                       "union all select min(began) from wait)").fetchone()[0]

    def since(time):
        return None if time is None else round((time - start) * 1e6)

    return {
        "start": start,
        "offset": time.localtime(start).tm_gmtoff if start is not None else 0,
        "end": since(db.execute("select max(ended) from process").fetchone()[0]),
        "processes": {process: [pid, texts[text(program)], since(exit)] for process, pid, program, exit in
                      db.execute("select id, pid, program, exit from process")},
        "handles": [[process, texts[text(store)], texts[text(file)], texts[text(role)], since(opened), since(closed)]
                    for process, store, file, role, opened, closed in db.execute(
                        "select process, store, file, role, opened, closed from handle order by opened, id")],
        "waits": [[process, texts[text(store)], texts[OUTCOMES.get(text(outcome), LATER).share], texts[text(outcome)], texts[text(rule)], since(began),
                   round(elapsed * 1e6), texts[text(use) or ""]]
                  for process, store, outcome, rule, began, elapsed, use in db.execute(
                      "select process, store, outcome, rule, began, elapsed, use from wait order by began, id")],
        "holders": [[number, pid, texts[text(command) or ""], texts[text(kind) or ""]]
                    for number, pid, command, kind in db.execute("""
                        select number - 1, pid, command, kind from held
                        join (select id, row_number() over (order by began, id) as number from wait)
                        on id = wait""")],
        "texts": list(texts),
    }
