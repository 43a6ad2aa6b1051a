"""The figures, asked of the tables that records.py made. report() is what --json prints; its members are
described in settle-report(1).

A close is a wait without a use: `use is null`."""

import array
import bisect
import math
import time

VERSION = 1

SHARES = ("at once", "after waiting", "timed out", "other")

# A percentile is the nearest rank: the smallest time that so many percent of the closes needed at most.
PERCENTILES = (50, 95, 99)

# The bounds of the histogram's classes, from 10 us on: 1, 2, 5, 10, ...
FIRST_BOUND, STEPS = 1e-5, (1, 2, 5)

# A setting for max_wait is never recommended below this, or above what settle accepts.
LEAST_MAX_WAIT, MOST_MAX_WAIT = 0.1, 86400.0


# Columns that have the number of a text.
TEXTS = {"store", "rule", "profile", "file", "program", "role", "outcome", "command", "kind", "use"}


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

# A fixed delay would have been too short where the store was seen to be held for longer. A store that was
# still held when its wait ended before the delay was over may have become free until then, or not.
FIXED_DELAY = """
    sum(case ended when 'free' then watched and elapsed > :delay else watched and elapsed >= :delay end) as early,
    sum(ended = 'free' and not (watched and elapsed > :delay)) as free
"""


def closes_by(records, delay, keys):
    """A row for each value of the columns `keys`, the largest waiting time first."""
    by = ", ".join(keys)
    shares = ", ".join(f"sum(share = '{share}') as \"{share}\"" for share in SHARES)
    found = rows(records, f"""
        select {by + ',' if by else ''} max(profile) as profile, count(*) as closes, {shares}, {FIXED_DELAY},
            max(max_wait) as max_wait, sum(ended = 'free') as settled, sum(ended = 'held') as held,
            sum(watched and ended = 'free') as longest_of,
            max(case when watched and ended = 'free' then elapsed end) as longest_settled,
            max(case ended when 'held' then elapsed end) as longest_timed_out
        from wait where use is null {'group by ' + by if by else 'having count(*) > 0'}""", delay=delay)
    times = wait_times(records, keys, "use is null")
    for row in found:
        row.update(times[tuple(row[key] for key in keys)])
    return sorted(found, key=lambda row: -row["total"])


def wait_times(records, keys, which):
    """By the values of the columns `keys`: percentiles, the longest and the sum of what was waited."""
    found = {}
    for *key, elapsed in records.db.execute(f"select {''.join(key + ', ' for key in keys)} elapsed from wait where {which}"):
        found.setdefault(tuple(key), array.array("d")).append(elapsed)
    return {tuple(records.texts[number] for number in key): times_of(sorted(times)) for key, times in found.items()}


def times_of(times):
    """Of times in their order."""
    ranks = {f"p{p}": times[(len(times) * p + 99) // 100 - 1] for p in PERCENTILES}
    return {**ranks, "max": times[-1], "total": math.fsum(times)}


def outcomes_by(records, keys):
    by = "".join(key + ", " for key in keys)
    found = {}
    for row in rows(records, f"""select {by} outcome, count(*) as count from wait where use is null
                                 group by {by} outcome order by count desc, min(id)"""):
        found.setdefault(tuple(row[key] for key in keys), {})[row["outcome"]] = row["count"]
    return found


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


def close_figures(row, outcomes, delay):
    closes = row["closes"]
    fixed = delay * closes
    unknown = closes - row["early"] - row["free"]
    return {
        "closes": closes,
        "shares": {share: row[share] for share in SHARES},
        "outcomes": outcomes,
        "wait": {name: row[name] for name in ("p50", "p95", "p99", "max", "total")},
        "settled": row["settled"],
        "still_held": row["held"],
        "fixed_delay": {
            "total": fixed, "saved": fixed - row["total"], "early": row["early"], "unknown": unknown,
            "success": [row["free"] / closes, (row["free"] + unknown) / closes]},
        "max_wait": row["max_wait"],
        "longest_settled": row["longest_settled"],
        "longest_timed_out": row["longest_timed_out"],
        "waits_that_settled": row["longest_of"],
        "recommended": recommend(row),
    }


def stores(records, delay):
    keys = ("store", "rule")
    outcomes = outcomes_by(records, keys)
    return [{"store": row["store"], "rule": row["rule"], "profile": row["profile"],
             **close_figures(row, outcomes[row["store"], row["rule"]], delay)}
            for row in closes_by(records, delay, keys)]


def all_closes(records, delay):
    found = closes_by(records, delay, ())
    return close_figures(found[0], outcomes_by(records, ())[()], delay) if found else None


def histogram(records):
    """Classes from the shortest wait's to the longest's; a class has its lower bound, not its upper."""
    bounds = [0, *(round(step * FIRST_BOUND * 10 ** power, 5) for power in range(11) for step in STEPS), 1e99]
    counts = [dict.fromkeys(SHARES, 0) for _ in bounds[1:]]
    for elapsed, share in records.db.execute("select elapsed, share from wait where use is null"):
        counts[bisect.bisect_right(bounds, elapsed) - 1][share] += 1
    full = [i for i, one in enumerate(counts) if any(one.values())]
    return [{"from": bounds[i], "to": bounds[i + 1], **counts[i]} for i in range(full[0], full[-1] + 1)] if full else []


# --- uses ---

def uses(records):
    """By store: what the uses were, how they ended and how long they took. `open` were while handles of the
    process itself were open, `open_handles` the most of them."""
    keys = ("store",)
    times = wait_times(records, keys, "use is not null")
    found = {}
    for row in rows(records, """
            select store, count(*) as uses, sum(watched) as waited, sum(ended = 'held') as still_held,
                sum(handles > 0) as open, max(handles) as open_handles
            from wait where use is not null group by store order by sum(elapsed) desc, min(id)"""):
        found[row["store"]] = {**row, "what": {}, "outcomes": {}, "wait": times[row["store"],]}
    for column, member in (("use", "what"), ("outcome", "outcomes")):
        for row in rows(records, f"""select store, {column}, count(*) as count from wait where use is not null
                                     group by store, {column} order by count desc, min(id)"""):
            found[row["store"]][member][row[column]] = row["count"]
    return list(found.values())


# --- who and what ---

def holders(records):
    """By command and kinds of lock, of closes and uses. A wait counts in full for each of these, and once for
    however many processes of one; what was waited without a holder's name stands under null."""
    processes = {(command, kind): count for command, kind, count in records.db.execute(
        "select command, kind, count(distinct nullif(pid, 0)) from held group by command, kind")}
    found = []
    for command, kind, waits, waited, longest in records.db.execute("""
            with cause as (select distinct id, elapsed, command, kind from wait left join held on wait = id where watched)
            select command, kind, count(*), sum(elapsed) as waited, max(elapsed)
            from cause group by command, kind order by waited desc, min(id)"""):
        found.append({"command": records.text(command), "kind": records.text(kind), "waits": waits,
                      "processes": processes.get((command, kind), 0), "waited": waited, "longest": longest})
    return found


def files(records):
    return rows(records, """
        select process, pid, program, store, file, count(*) as opened, sum(closed is null) as never_closed
        from handle join process p on p.id = process group by process, store, file order by process, min(handle.id)""")


def never_closed(records):
    return rows(records, """
        select pid, program, fd, role, store, file, opened, exit is not null as exit_seen
        from handle join process p on p.id = process where closed is null order by opened, handle.id""")


def longest_waits(records, count=20):
    found = rows(records, f"""
        select w.id, w.began, elapsed, outcome, share, pid, thread, program, store, rule, use
        from (select * from wait where watched order by elapsed desc, id limit {count}) w
            join process p on p.id = process order by elapsed desc, w.id""")
    for row in found:
        holders = rows(records, "select command, pid, kind from held where wait = :id", id=row.pop("id"))
        row["holders"] = "; ".join(f"{one['command'] or '?'} {one['pid'] or '?'}, {one['kind'] or '?'}"
                                   for one in holders) or None
    return found


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
                       "union all select min(began) from waited)").fetchone()[0]

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
        "waits": [[process, texts[text(store)], texts[share], texts[text(outcome)], texts[text(rule)], since(began),
                   round(elapsed * 1e6), texts[text(use) or ""]]
                  for process, store, share, outcome, rule, began, elapsed, use in db.execute(
                      "select process, store, share, outcome, rule, began, elapsed, use from wait order by began, id")],
        "holders": [[number, pid, texts[text(command) or ""], texts[text(kind) or ""]]
                    for number, pid, command, kind in db.execute("""
                        select number - 1, pid, command, kind from held
                        join (select id, row_number() over (order by began, id) as number from waited)
                        on id = wait""")],
        "texts": list(texts),
    }
