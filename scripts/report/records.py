"""Reads records into SQLite, line by line. What a line must have to count is one table; what the figures do not
ask for is not kept.

Lines that have the same event and the same members of the same types have one shape. A shape is looked at once;
of a line it is left to see that its numbers are in range. A record of a million lines has about ten shapes.

After read() and end() the database has these tables, in which a text is a number: its place in the list `texts`.

    process  id, record, pid, program, began, ended, exit: one program in one process
    wait     the waits that ended, and the uses of stores, with how each is to be counted; use: what the use was,
             null for a close
    handle   opened and closed: each handle on a store from its opening to its close
    held     the holders of the waits: each once, with all of its kinds of lock
"""

import json
import sqlite3
import sys

SCHEMA = 1

HANDLES = ("handle opened", "handle closed")
ENDED = ("wait ended", "store used")
WAITS = ("wait begun", *ENDED)
EVENTS = ("store opened", *HANDLES, *WAITS, "exit")
WITH_STORE = ("store opened", *WAITS)
NUMBER, INTEGER, TEXT, BOOLEAN, LIST = ("integer", "real"), ("integer",), ("text",), ("true", "false"), ("array",)

# A member: its types, and the events that cannot do without it.
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
    ("handles", INTEGER, ("store used",)),
    ("rule", TEXT, ()),
    ("level", TEXT, ()),
    ("max_wait", NUMBER, WAITS),
    ("what", TEXT, ("store used",)),
    ("outcome", TEXT, ENDED),
    ("elapsed", NUMBER, ENDED),
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
    ("interrupted", "other", "unknown", True),
    ("cannot be examined", "other", "unknown", False),
    ("not waited", "other", "unknown", False),
)

TABLES = """
    create table process(id integer primary key, record, pid, program, began, ended, exit);
    create table outcome(id integer primary key, share, ended, watched);
    create table waited(id integer primary key, process, thread, store, rule, profile, file, max_wait, outcome,
        began, elapsed, use, handles);
    create table handle(id, process, store, role, file, fd, opened, closed);
    create table held(wait integer, pid, command, kind);
    create view wait as select w.*, share, ended, watched from waited w join outcome o on o.id = outcome;
"""


# --- a line: what is wrong with it ---

NAMES = {int: "integer", float: "real", str: "text", list: "array", dict: "object", type(None): "null"}


def type_name(value):
    return NAMES.get(type(value)) or str(value).lower()


def no_constant(name):
    raise ValueError(f"{name} is no JSON")


parse = json.JSONDecoder(parse_constant=no_constant).scan_once


def problem_of_head(line):
    """What must be so before anything else is worth a look."""
    if "settle" not in line:
        return "no record of settle: the member settle is missing"
    if type(line["settle"]) is not int or line["settle"] != SCHEMA:
        return f"schema {line['settle']} is not known, expected {SCHEMA}"
    event = line.get("event")
    if type(event) is not str or event not in EVENTS:
        return (f"the event {'is missing and' if event is None else event} is not known, "
                f"expected one of {', '.join(EVENTS)}")
    return None


def problem_of_shape(line):
    for name, types, required in MEMBERS:
        if name not in line:
            if line["event"] in required:
                return f"the member {name} is missing"
        elif type_name(line[name]) not in types:
            return f"the member {name} is of type {type_name(line[name])}, expected {' or '.join(types)}"
        elif INTEGER[0] in types and not -LARGEST <= line[name] <= LARGEST:
            return f"the member {name} is out of range"
    return None


def problem_of(line):
    if type(line) is not dict:
        return "no record of settle: JSON, but no object"
    return problem_of_head(line) or problem_of_shape(line)


class Shapes(dict):
    """The shapes that were found to be right: the names of the numbers of each."""

    MOST = 10_000  # a record of ours has few, and nobody else's may fill the memory

    def learn(self, shape, line):
        """What is wrong with the line, or None: then its shape is known."""
        problem = problem_of(line)
        if problem is None and len(self) < self.MOST:
            self[shape] = [name for name, types, _ in MEMBERS if INTEGER[0] in types and name in line]
        return problem


# --- what is kept ---

class Texts(list):
    """Each text once; a text's number is its place."""

    def __init__(self):
        super().__init__()
        self.numbers = {}

    def number(self, text):
        """None for None."""
        if text is None:
            return None
        found = self.numbers.get(text)
        if found is None:
            found = self.numbers[text] = len(self)
            self.append(text)
        return found


class Table:
    """Rows on their way into a table, many at a time."""

    def __init__(self, db, name):
        columns = len(db.execute(f"select * from {name}").description)
        self.db, self.rows = db, []
        self.insert = f"insert into {name} values ({', '.join('?' * columns)})"

    def add(self, *row):
        self.rows.append(row)
        if len(self.rows) == 10_000:
            self.write()

    def write(self):
        self.db.executemany(self.insert, self.rows)
        self.rows.clear()


class Process:
    """Of one record and one pid, from one exec to the next, or to the exit."""

    __slots__ = ("id", "row", "last", "open")

    def __init__(self, number, record, pid, program, time):
        self.id = number
        self.row = [number, record, pid, program, time, time, None]
        self.last = None  # the event before
        self.open = {}  # by descriptor: the handle that was opened last

    def seen(self, event, time):
        row = self.row
        if time < row[4]:
            row[4] = time
        if time > row[5]:
            row[5] = time
        if event == "exit":
            row[6] = time if row[6] is None else max(time, row[6])
        self.last = event


class Records:
    """db and texts are what the figures are asked of."""

    def __init__(self):
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.executescript(TABLES)
        self.texts, self.shapes, self.problems = Texts(), Shapes(), []
        self.strangers = []  # what is no record: name, what it is
        self.stores = False  # whether any store was opened
        self.passed_over = {}  # what was opened and is no store by the settings: database, directory
        self.outcomes = set()
        self.lines = 0  # of all records: what comes later has a larger number
        self.records, self.processes = [], []
        self.waits, self.handles, self.held = (Table(self.db, name) for name in ("waited", "handle", "held"))

    # --- reading ---

    def read(self, name):
        """Raises OSError. Problems are gathered in `problems`: name, number of the line, what is wrong; or, where
        no line begins as one of a record does, the file as a whole in `strangers`."""
        record, damaged, number = len(self.records) + 1, len(self.problems), 0
        first, is_record = b"", True
        current = {}  # by pid
        with (sys.stdin.buffer if name == "-" else open(name, "rb")) as file:
            self.db.execute("begin")
            for number, data in enumerate(file, 1):
                problem = self.line(record, current, data)
                if number == 1:
                    first, is_record = data, False
                is_record = is_record or (data.startswith(b"{") and b'"settle"' in data)
                if problem is not None:
                    self.problems.append((name, number, problem))
            self.db.execute("commit")
        self.records.append((name, number, len(self.problems) - damaged))
        if not is_record:
            del self.problems[damaged:]
            self.strangers.append((name, "this is settle's log; the record is what --record writes"
                                   if first.startswith(b"settle[")
                                   else "no record of settle: expected what --record writes"))

    def line(self, record, current, data):
        """What is wrong with it, or None. An empty one is what the library puts after a line that the disk had no
        room for."""
        try:
            text = data.decode("utf-8").strip()
            line, end = parse(text, 0)
        except UnicodeDecodeError as error:
            return f"damaged: no UTF-8 at byte {error.start + 1}"
        except (StopIteration, ValueError, RecursionError):
            return problem_of_text(text)
        if end != len(text):
            return problem_of_text(text)
        if type(line) is not dict or type(line.get("event")) is not str:
            return problem_of(line)
        shape = (line["event"], *line, *map(type, line.values()))
        numbers = self.shapes.get(shape)
        if numbers is None:
            problem = self.shapes.learn(shape, line)
            return problem or self.keep(record, current, line)
        for name in numbers:
            if not -LARGEST <= line[name] <= LARGEST:
                return f"the member {name} is out of range"
        if line["settle"] != SCHEMA:
            return problem_of_head(line)
        return self.keep(record, current, line)

    def keep(self, record, current, line):
        event, pid, time = line["event"], line["pid"], line["time"]
        if event in ENDED and line["elapsed"] < 0:
            return "the member elapsed is negative"
        self.lines += 1
        process = self.process_of(record, current, event, pid, time, line["program"])
        process.seen(event, time)
        if event == "exit":
            self.keep_passed_over(line)
        else:
            self.stores = True
        if event in ENDED:
            self.keep_wait(process, line, time)
        elif event == "handle opened":
            self.opened(process, line, time)
        elif event == "handle closed":
            self.closed(process, line["fd"], time)
        return None

    def keep_passed_over(self, line):
        """The first of each is told."""
        for what in "database", "directory":
            if type(line.get(what)) is str:
                self.passed_over.setdefault(what, line[what])

    def process_of(self, record, current, event, pid, time, program):
        """A pid's next program, and an opening after its exit, are of another process."""
        program = self.texts.number(program)
        process = current.get(pid)
        if (process is None or process.row[3] != program or
                process.last == "exit" and event in ("store opened", "handle opened")):
            process = current[pid] = Process(len(self.processes) + 1, record, pid, program, time)
            self.processes.append(process)
        return process

    # --- handles ---

    def opened(self, process, line, time):
        """A candidate that turned out to be a database is told again, with its store."""
        number = self.texts.number
        self.closed(process, line["fd"], time)
        if line.get("store") is not None:
            process.open[line["fd"]] = (self.lines, process.id, number(line["store"]), number(line["role"]),
                                        number(line["file"]), line["fd"], time)

    def closed(self, process, fd, time):
        handle = process.open.pop(fd, None)
        if handle is not None:
            self.handles.add(*handle, time)

    # --- waits and uses ---

    def keep_wait(self, process, line, time):
        number = self.texts.number
        outcome = number(line["outcome"])
        if outcome not in self.outcomes:
            self.new_outcome(outcome)
        elapsed, holders = line["elapsed"], line.get("holders")
        use = line["what"] if line["event"] == "store used" else None
        self.waits.add(self.lines, process.id, line["thread"], number(line["store"]), number(line.get("rule", "")),
                       number(line["profile"]), number(line["file"]), line["max_wait"], outcome, time - elapsed, elapsed,
                       number(use), line.get("handles"))
        if holders:
            self.keep_holders(holders)

    def new_outcome(self, outcome):
        self.outcomes.add(outcome)
        known = {name: rest for name, *rest in OUTCOMES}.get(self.texts[outcome], ("other", "unknown", False))
        self.db.execute("insert into outcome values (?, ?, ?, ?)", (outcome, *known))

    def keep_holders(self, holders):
        """One that has several locks at a time is one holder."""
        kinds = {}
        for holder in holders:
            if type(holder) is dict:
                pid, command, kind = (value if type(value := holder.get(name)) is wanted else None
                                      for name, wanted in (("pid", int), ("command", str), ("kind", str)))
                if pid is not None and not -LARGEST <= pid <= LARGEST:
                    pid = None
                kinds.setdefault((pid, command), set()).add(kind)
        for (pid, command), found in kinds.items():
            kind = " and ".join(sorted(filter(None, found))) or None
            self.held.add(self.lines, pid, self.texts.number(command), self.texts.number(kind))

    # --- what was read ---

    def text(self, number):
        """None for None."""
        return None if number is None else self.texts[number]

    def names(self):
        return [{"record": name, "lines": lines, "damaged": damaged} for name, lines, damaged in self.records]

    def end(self):
        """All records are read."""
        for process in self.processes:
            for handle in process.open.values():
                self.handles.add(*handle, None)
        self.db.execute("begin")
        for table in (self.waits, self.handles, self.held):
            table.write()
        self.db.executemany("insert into process values (?, ?, ?, ?, ?, ?, ?)",
                            (process.row for process in self.processes))
        self.db.execute("create index held_by_wait on held(wait)")
        self.db.execute("commit")
        self.processes.clear()


def problem_of_text(text):
    """Of what could not be read as JSON; None where there is nothing."""
    if "\0" in text:
        return "damaged: it has bytes that are 0"
    if text == "":
        return None
    return f"no JSON: cut or damaged after, or within, {len(text)} characters"
