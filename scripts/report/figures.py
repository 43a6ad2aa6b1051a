"""The figures, asked of the tables that records.py made. report() is what --json prints; its members are
described in settle-report(1)."""

import time

VERSION = 1

SHARES = ("at once", "after waiting", "timed out", "other")

# A percentile is the nearest rank: the smallest time that so many percent of the closes needed at most.
PERCENTILES = (50, 95, 99)

# The bounds of the histogram's classes, from 10 us on: 1, 2, 5, 10, ...
FIRST_BOUND, STEPS = 1e-5, (1, 2, 5)

# A setting for max_wait is never recommended below this, or above what settle accepts.
LEAST_MAX_WAIT, MOST_MAX_WAIT = 0.1, 86400.0


def rows(db, query, **parameters):
    cursor = db.execute(query, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor]


# --- waits ---

def wait_times():
    ranks = ", ".join(f"max(case when rank = (n * {p} + 99) / 100 then elapsed end) as p{p}" for p in PERCENTILES)
    return f"{ranks}, max(elapsed) as max, total(elapsed) as total"


# A fixed delay would have been too short where the store was seen to be held for longer. A store that was
# still held when its wait ended before the delay was over may have become free until then, or not.
FIXED_DELAY = """
    sum(case ended when 'free' then watched and elapsed > :delay else watched and elapsed >= :delay end) as early,
    sum(ended = 'free' and not (watched and elapsed > :delay)) as free
"""


def closes_by(db, delay, keys):
    """A row for each value of the columns `keys`, the largest waiting time first."""
    by = ", ".join(keys) or "null"
    shares = ", ".join(f"sum(share = '{share}') as \"{share}\"" for share in SHARES)
    return rows(db, f"""
        with ranked as (select *, row_number() over (partition by {by} order by elapsed) as rank,
                count(*) over (partition by {by}) as n from wait)
        select {by}, max(profile) as profile, count(*) as closes, {shares}, {wait_times()}, {FIXED_DELAY},
            max(max_wait) as max_wait, sum(ended = 'free') as settled, sum(ended = 'held') as held,
            count(case outcome when 'settled after waiting' then 1 end) as longest_of,
            max(case outcome when 'settled after waiting' then elapsed end) as longest_settled,
            max(case outcome when 'timed out' then elapsed end) as longest_timed_out
        from ranked group by {by} order by total desc, {by}""", delay=delay)


def outcomes_by(db, keys):
    by = "".join(key + ", " for key in keys)
    found = {}
    for *key, outcome, count in db.execute(
            f"select {by} outcome, count(*) from wait group by {by} outcome order by count(*) desc, outcome"):
        found.setdefault(tuple(key), {})[outcome] = count
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


def stores(db, delay):
    keys = ("store", "rule")
    outcomes = outcomes_by(db, keys)
    return [{"store": row["store"], "rule": row["rule"], "profile": row["profile"],
             **close_figures(row, outcomes[row["store"], row["rule"]], delay)}
            for row in closes_by(db, delay, keys)]


def all_closes(db, delay):
    found = closes_by(db, delay, ())
    return close_figures(found[0], outcomes_by(db, ())[()], delay) if found else None


def histogram(db):
    """Classes from the shortest wait's to the longest's; a class has its lower bound, not its upper."""
    bounds = [round(step * FIRST_BOUND * 10 ** power, 5) for power in range(11) for step in STEPS]
    db.execute("create temp table bound(low, high)")
    db.executemany("insert into bound values (?, ?)", zip([0, *bounds], [*bounds, 1e99]))
    shares = ", ".join(f"count(case share when '{share}' then 1 end) as \"{share}\"" for share in SHARES)
    classes = db.execute(f"""
        select low, high, {shares} from bound left join wait on elapsed >= low and elapsed < high
        where high > (select min(elapsed) from wait) and low <= (select max(elapsed) from wait)
        group by low order by low""").fetchall()
    db.execute("drop table bound")
    return [{"from": low, "to": high, **dict(zip(SHARES, counts))} for low, high, *counts in classes]


# --- who and what ---

def holders(db):
    """By command and kind of lock. A wait counts in full for each of these, and once for however many
    processes or locks of one; what was waited without a holder's name stands under null."""
    return rows(db, """
        with cause as (select distinct id, elapsed, command, kind from wait left join held on wait = id where watched)
        select command, kind, count(*) as waits,
            (select count(distinct nullif(pid, 0)) from held
                where held.command is cause.command and held.kind is cause.kind) as processes,
            sum(elapsed) as waited, max(elapsed) as longest
        from cause group by command, kind order by waited desc, command""")


def files(db):
    return rows(db, """
        select process, pid, program, store, file, count(*) as opened, sum(closed is null) as never_closed
        from handle join process p on p.id = process group by process, store, file order by process, store, file""")


def never_closed(db):
    return rows(db, """
        select pid, program, fd, role, store, file, opened, exit is not null as exit_seen
        from handle join process p on p.id = process where closed is null order by opened, handle.id""")


def longest_waits(db, count=20):
    return rows(db, f"""
        select began, elapsed, outcome, share, pid, thread, wait.program, store, rule,
            (select group_concat(coalesce(nullif(command, ''), '?') || ' ' || coalesce(nullif(pid, 0), '?') || ', ' || coalesce(kind, '?'),
                '; ') from held where wait = wait.id) as holders
        from (select wait.*, pid, program from wait join process p on p.id = process) wait
        where watched order by elapsed desc, wait.id limit {count}""")


def report(db, delay):
    began, ended, processes = db.execute("select min(began), max(ended), count(*) from process").fetchone()
    return {
        "settle_report": VERSION,
        "delay": delay,
        "records": [{"record": name.decode("utf-8", "surrogateescape"), "lines": lines, "damaged": damaged}
                    for name, lines, damaged in db.execute("select name, lines, damaged from record order by id")],
        "began": began,
        "ended": ended,
        "processes": processes,
        "all": all_closes(db, delay),
        "stores": stores(db, delay),
        "histogram": histogram(db),
        "holders": holders(db),
        "longest_waits": longest_waits(db),
        "files": files(db),
        "never_closed": never_closed(db),
    }


# --- the timeline of the page ---

class Numbers(dict):
    """Gives each text a number; the page writes it once."""

    def __missing__(self, text):
        self[text] = len(self)
        return self[text]


def timeline(db):
    """Times in microseconds since the first line. Handles and waits as short lists, since there may be
    100,000; a holder's row has the waits that it caused."""
    texts = Numbers()
    start = db.execute("select min(least) from (select min(began) as least from process "
                       "union all select min(began) from wait)").fetchone()[0]

    def since(time):
        return None if time is None else round((time - start) * 1e6)

    return {
        "start": start,
        "offset": time.localtime(start).tm_gmtoff if start is not None else 0,
        "end": since(db.execute("select max(ended) from process").fetchone()[0]),
        "processes": {process: [pid, texts[program], since(exit)] for process, pid, program, exit in
                      db.execute("select id, pid, program, exit from process")},
        "handles": [[process, texts[store], texts[file], texts[role], since(opened), since(closed)]
                    for process, store, file, role, opened, closed in db.execute(
                        "select process, store, file, role, opened, closed from handle order by opened, id")],
        "waits": [[process, texts[store], texts[share], texts[outcome], texts[rule], since(began),
                   round(elapsed * 1e6)]
                  for process, store, share, outcome, rule, began, elapsed in db.execute(
                      "select process, store, share, outcome, rule, began, elapsed from wait order by began, id")],
        "holders": [[number, pid, texts[command or ""], texts[kind or ""]]
                    for number, pid, command, kind in db.execute("""
                        select number - 1, pid, command, kind from held
                        join (select id, row_number() over (order by began, id) as number from wait) on id = wait""")],
        "texts": list(texts),
    }
