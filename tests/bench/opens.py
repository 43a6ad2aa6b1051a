"""What the library adds to opens, and to calls by name, of what is no store's: instructions, and time where databases are
known by their name and by their content."""

import common
import guard

INSTRUCTIONS, TIME, TIME_BY_CONTENT = 60, 0.7, 1  # us

COUNTED = ["open", "open-512", "open-empty", "open-proc", "open-sys", "open-write", "open-new", "open-beside",
           "write-beside", "unlink", "unlink-beside", "rename", "rename-beside", "opendir", "opendir-beside"]


def measure_instructions(section, space, rows):
    table = section.table("Instructions added to a call on what is no store's", "measurement", "what it is", "added")
    for name in COUNTED:
        added = round(rows[name].measure(space))
        table.add(name, rows[name].said, added)
        section.goal(f"instructions added: {name}", f"{INSTRUCTIONS}", f"{added}", added <= INSTRUCTIONS)


def measure_times(section, space, rows):
    table = section.table("Time added to an open of what is no store's (us)", "file", "SETTLE_STORES=chroma", "sqlite")
    for name, said, _, _ in guard.OPENS:
        cells = []
        for way, limit in (("time", TIME), ("sqlite", TIME_BY_CONTENT)):
            common.say(f"opens: {said}, {way}")
            cells.append(guard.measure(rows[f"{way}-{name}"], space, limit))
            section.goal(f"added to an open of {said}" + (", SETTLE_STORES=sqlite" if way == "sqlite" else ""),
                         f"{limit} us", f"{cells[-1]:.2f} us", cells[-1] <= limit)
        table.add(said, *(f"{cell:.2f}" for cell in cells))


def run(section, bench):
    rows = {row.name: row for row in guard.ROWS}
    common.say("opens: instructions")
    measure_instructions(section, bench.space, rows)
    measure_times(section, bench.space, rows)
