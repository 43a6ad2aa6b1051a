"""Reads records into SQLite. What a line must have to count is one table, and SQLite reads the JSON.

After sort_out() the database has these tables:

    record   id, name, lines, damaged
    process  id, record, pid, program, began, ended, exit: one program in one process
    event    the lines in their order, with a column for each member, and their process
    wait     the waits that ended, with how each is to be counted
    handle   opened and closed: each handle on a store from its opening to its close
    held     the holders of the waits
"""

import sqlite3
import sys

SCHEMA = 1

HANDLES = ("handle opened", "handle closed")
WAITS = ("wait begun", "wait ended")
EVENTS = ("store opened", *HANDLES, *WAITS, "exit")
WITH_STORE = ("store opened", *WAITS)
NUMBER, INTEGER, TEXT, BOOLEAN, LIST = ("integer", "real"), ("integer",), ("text",), ("true", "false"), ("array",)

# A member: its types, as SQLite names them, and the events that cannot do without it.
MEMBERS = (
    ("event", TEXT, EVENTS),
    ("time", NUMBER, EVENTS),
    ("pid", INTEGER, EVENTS),
    ("thread", INTEGER, EVENTS),
    ("program", TEXT, EVENTS),
    ("store", TEXT, WITH_STORE),
    ("profile", TEXT, WITH_STORE),
    ("fd", INTEGER, HANDLES),
    ("role", TEXT, HANDLES),
    ("file", TEXT, ("handle opened", *WAITS)),
    ("seen", BOOLEAN, ()),
    ("handles", INTEGER, ()),
    ("rule", TEXT, ()),
    ("level", TEXT, ()),
    ("max_wait", NUMBER, WAITS),
    ("outcome", TEXT, ("wait ended",)),
    ("elapsed", NUMBER, ("wait ended",)),
    ("holders", LIST, ()),
)

# No second and no pid of a record is beyond, and what is below can be added up without loss.
LARGEST = 100_000_000_000

# An outcome: its share in the tables; what is known of the store when the wait ended; and whether it was
# seen to be held until then. An outcome that is not here is one of a later version.
OUTCOMES = (
    ("settled at once", "at once", "free", False),
    ("settled after waiting", "after waiting", "free", True),
    ("timed out", "timed out", "held", True),
    ("budget spent", "other", "unknown", False),
    ("opened again", "other", "unknown", True),
    ("removed", "other", "unknown", True),
    ("cannot be examined", "other", "unknown", False),
)

TABLES = """
    create table record(id integer primary key, name, lines default 0, damaged default 0);
    create table line(id integer primary key, record, number, text, problem);
    create table outcome(name primary key, share, ended, watched);
"""


def quoted(words):
    return ", ".join(f"'{word}'" for word in words)


def problem_of_member(name, types, required):
    """Cases of an SQL expression. json_type is NULL where the member is absent."""
    path = f"'$.{name}'"
    if required:
        yield (f"when json_extract(text, '$.event') in ({quoted(required)}) and json_type(text, {path}) is null "
               f"then 'the member {name} is missing'")
    yield (f"when json_type(text, {path}) not in ({quoted(types)}) then 'the member {name} is of type ' || "
           f"json_type(text, {path}) || ', expected {' or '.join(types)}'")
    if INTEGER[0] in types:
        yield (f"when abs(json_extract(text, {path})) > {LARGEST} "
               f"then 'the member {name} is out of range'")


def problem_of_line():
    members = [case for member in MEMBERS[1:] for case in problem_of_member(*member)]
    return f"""case
        when problem is not null then problem
        when not json_valid(text) then 'no JSON: cut or damaged after, or within, ' || length(text) || ' characters'
        when json_type(text) <> 'object' then 'no record of settle: JSON, but no object'
        when json_type(text, '$.settle') is null then 'no record of settle: the member settle is missing'
        when json_type(text, '$.settle') <> 'integer' or json_extract(text, '$.settle') <> {SCHEMA}
            then 'schema ' || json_extract(text, '$.settle') || ' is not known, expected {SCHEMA}'
        when json_type(text, '$.event') is not 'text' or json_extract(text, '$.event') not in ({quoted(EVENTS)})
            then 'the event ' || coalesce(json_extract(text, '$.event'), 'is missing and')
                || ' is not known, expected one of {", ".join(EVENTS)}'
        {' '.join(members)}
        when json_extract(text, '$.elapsed') < 0 then 'the member elapsed is negative'
        end"""


# A pid's next program, and an opening after its exit, are of another process.
EVENT_TABLE = f"""
    create table event as
        with member as (
            select id, record, {', '.join(f"json_extract(text, '$.{m[0]}') as {m[0]}" for m in MEMBERS)}
            from line where problem is null and text <> ''),
        marked as (
            select *, program is not lag(program) over pid_of_record
                or event in ('store opened', 'handle opened') and lag(event) over pid_of_record = 'exit' as begins
            from member window pid_of_record as (partition by record, pid order by id))
        select *, sum(begins) over (partition by record, pid order by id) as run from marked;

    create table process(id integer primary key, record, pid, run, program, began, ended, exit);
    insert into process(record, pid, run, program, began, ended, exit)
        select record, pid, run, program, min(time), max(time), max(case event when 'exit' then time end)
        from event group by record, pid, run order by min(id);
    create unique index process_of on process(record, pid, run);
    alter table event add column process;
    update event set process = (select id from process p
        where p.record = event.record and p.pid = event.pid and p.run = event.run);
"""

# A candidate that turned out to be a database is told again, with its store.
HANDLE_TABLE = """
    create table handle as
        with told as (
            select id, event, process, store, role, file, fd, time as opened,
                lead(event) over next as event_after, lead(time) over next as closed
            from event where event in ('handle opened', 'handle closed')
            window next as (partition by process, fd order by id))
        select id, process, store, role, file, fd, opened, closed from told
        where event = 'handle opened' and store is not null;
"""

WAIT_TABLES = """
    create table wait as
        select e.id, process, thread, store, coalesce(rule, '') as rule, profile, file, max_wait, outcome,
            coalesce(share, 'other') as share, coalesce(o.ended, 'unknown') as ended,
            coalesce(watched, false) as watched, time - elapsed as began, elapsed
        from event e left join outcome o on o.name = outcome where event = 'wait ended';

    create table held as
        select distinct e.id as wait, json_extract(value, '$.pid') as pid,
            json_extract(value, '$.command') as command, json_extract(value, '$.kind') as kind
        from event e, json_each(e.holders) where event = 'wait ended' and json_each.type = 'object';
"""


def text_of(data):
    """Bytes that are no UTF-8 stand in a record as half a surrogate pair, which no strict decoder takes."""
    return data.decode("utf-8", "surrogatepass")


def database():
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.text_factory = text_of
    db.executescript(TABLES)
    db.executemany("insert into outcome values (?, ?, ?, ?)", OUTCOMES)
    return db


def readable(data):
    """A line as text, and what is wrong with it where SQLite would not see that."""
    if b"\0" in data:
        return None, "damaged: it has bytes that are 0"
    try:
        return data.decode("utf-8").strip(), None
    except UnicodeDecodeError as error:
        return None, f"damaged: no UTF-8 at byte {error.start + 1}"


def read(db, name):
    """Raises OSError."""
    record = db.execute("insert into record(name) values (?)", (name.encode("utf-8", "surrogateescape"),)).lastrowid
    with (sys.stdin.buffer if name == "-" else open(name, "rb")) as file:
        db.execute("begin")
        db.executemany("insert into line(record, number, text, problem) values (?, ?, ?, ?)",
                       ((record, number, *readable(data)) for number, data in enumerate(file, 1)))
        db.execute("commit")


def sort_out(db):
    """Makes the tables; the lines that are none of a record: name, number, problem. Empty lines are what
    the library puts after a line that the disk had no room for."""
    db.execute(f"update line set problem = {problem_of_line()} where text is null or text <> ''")
    db.execute("""update record set lines = (select count(*) from line where record = record.id),
        damaged = (select count(problem) from line where record = record.id)""")
    db.executescript(EVENT_TABLE + HANDLE_TABLE + WAIT_TABLES)
    problems = db.execute("""select name, number, problem from line join record on record = record.id
        where problem is not null order by line.id""").fetchall()
    db.execute("drop table line")
    return [(name_of(name), number, problem) for name, number, problem in problems]


def name_of(name):
    return name.decode("utf-8", "surrogateescape")
