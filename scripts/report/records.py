"""Reads records, line by line. What a line must have to count is one table; what the figures do not ask for is
not kept.

Lines that have the same event and the same members of the same types have one shape. A shape is looked at once;
of a line it is left to see that its numbers are in range. A record of a million lines has about ten shapes.

What is asked of waits is gathered while they are read: see Waits, Holder and Longest. What belongs together only
later on lies in SQLite after read() and end(), where a text is a number: its place in the list `texts`.

    process  id, record, pid, program, began, ended, exit: one program in one process
    handle   opened and closed: each handle on a store from its opening to its close
    wait     where each is wanted by itself: the waits that ended, and the uses of stores; use: what the use was,
             null for a close
    held     likewise, the holders of the waits: each once, with all of its kinds of lock
"""

import array
import collections
import functools
import heapq
import json
import sqlite3
import sys

SCHEMA = 1

HANDLES = ("handle opened", "handle closed")
ENDED = ("wait ended", "store used")
WAITS = ("wait begun", *ENDED)
EVENTS = ("store opened", *HANDLES, *WAITS, "exit")
WITH_STORE = ("store opened", *WAITS)
NUMBER, INTEGER, TEXT, LIST = ("integer", "real"), ("integer",), ("text",), ("array",)

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
    ("handles", INTEGER, ("store used",)),
    ("rule", TEXT, ()),
    ("max_wait", NUMBER, WAITS),
    ("what", TEXT, ("store used",)),
    ("outcome", TEXT, ENDED),
    ("elapsed", NUMBER, ENDED),
    ("holders", LIST, ()),
)

# The library's longest line has 82 kB. What is longer is read past, and not kept: so a file of another program, of
# whatever size, takes no memory. Nor is more kept of what is wrong than a person reads; the rest is counted.
LONGEST_LINE = 1 << 20
PROBLEMS_KEPT = 20

# No second and no pid of a record is beyond, and what is below can be added up without loss.
LARGEST = 100_000_000_000

Outcome = collections.namedtuple("Outcome", "share ended watched")

# An outcome: its share in the tables; what is known of the store when the wait ended; and whether it was
# seen to be held until then. An outcome that is not here is one of a later version.
OUTCOMES = {
    "settled at once": Outcome("at once", "free", False),
    "handed over": Outcome("at once", "unknown", False),
    "settled after waiting": Outcome("after waiting", "free", True),
    "timed out": Outcome("timed out", "held", True),
    "budget spent": Outcome("other", "unknown", False),
    "opened again": Outcome("other", "unknown", True),
    "removed": Outcome("other", "unknown", True),
    "interrupted": Outcome("other", "unknown", True),
    "cannot be examined": Outcome("other", "unknown", False),
    "not waited": Outcome("other", "unknown", False),
}
LATER = Outcome("other", "unknown", False)

TABLES = """
    create table process(id integer primary key, record, pid, program, began, ended, exit);
    create table handle(id, process, store, role, file, fd, opened, closed);
    create table wait(id integer primary key, process, store, rule, outcome, began, elapsed, use);
    create table held(wait integer, pid, command, kind);
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
    """Of one record and one pid, from one exec to the next, or to the exit. There may be as many as lines."""

    __slots__ = ("id", "record", "pid", "program", "began", "ended", "exit", "last", "open")

    def __init__(self, number, record, pid, program, time):
        self.id, self.record, self.pid, self.program = number, record, pid, program
        self.began = self.ended = time
        self.exit = None
        self.last = None  # the event before
        self.open = None  # by descriptor: the handle that was opened last

    def seen(self, event, time):
        if time < self.began:
            self.began = time
        if time > self.ended:
            self.ended = time
        if event == "exit":
            self.exit = time if self.exit is None else max(time, self.exit)
        self.last = event

    def row(self):
        return self.id, self.record, self.pid, self.program, self.began, self.ended, self.exit


class Waits:
    """The waits of one store by one rule that had one outcome: closes, or uses of one kind."""

    __slots__ = ("store", "rule", "outcome", "use", "profile", "known", "max_wait", "times", "open", "most_open")

    def __init__(self, store, rule, outcome, use, profile):
        self.store, self.rule, self.outcome, self.use, self.profile = store, rule, outcome, use, profile
        self.known = OUTCOMES.get(outcome, LATER)
        self.max_wait = 0.0
        self.times = array.array("d")  # what each took; in their order after end()
        self.open = self.most_open = 0  # uses while handles were open, and the most of those


class Holder:
    """Who had one kind of lock, by command, and the waits that were seen to be held by it."""

    __slots__ = ("pids", "waits", "waited", "longest")

    def __init__(self):
        self.pids = set()
        self.waits, self.waited, self.longest = 0, 0.0, 0.0


class Longest:
    """The longest of the waits that were seen to be held; of equal ones the first."""

    MOST = 20

    def __init__(self):
        self.heap = []  # elapsed, minus the line, what is told

    def wants(self, elapsed):
        return len(self.heap) < self.MOST or elapsed > self.heap[0][0]

    def add(self, elapsed, line, told):
        put = heapq.heappush if len(self.heap) < self.MOST else heapq.heappushpop
        put(self.heap, (elapsed, -line, told))

    def in_order(self):
        return [told for _, _, told in sorted(self.heap, key=lambda one: one[:2], reverse=True)]


NOBODY = {(None, None): ()}


class Records:
    """What the figures are made of. each_wait: the table of the waits is wanted, which is most of the work."""

    def __init__(self, each_wait=False):
        self.each_wait = each_wait
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.executescript(TABLES)
        self.texts, self.shapes, self.problems = Texts(), Shapes(), []
        self.strangers = []  # what is no record: name, what it is
        self.stores = False  # whether any store was opened
        self.passed_over = {}  # what was opened and is no store by the settings: database, directory
        self.waits = {}  # by what they have in common
        self.holders = {}  # by command and kinds of lock; both None where nobody was named
        self.longest = Longest()
        self.lines = 0  # of all records: what comes later has a larger number
        self.records, self.processes = [], []
        self.handle_rows, self.wait_rows, self.held_rows = (Table(self.db, name) for name in ("handle", "wait", "held"))

    # --- reading ---

    def read(self, name):
        """Raises OSError. The first problems are gathered in `problems`: name, number of the line, what is wrong; or,
        where no line begins as one of a record does, the file as a whole in `strangers`."""
        record, kept, damaged, number = len(self.records) + 1, len(self.problems), 0, 0
        first, is_record = b"", True
        current = {}  # by pid
        with (sys.stdin.buffer if name == "-" else open(name, "rb")) as file:
            self.db.execute("begin")
            for number, data in enumerate(iter(functools.partial(file.readline, LONGEST_LINE), b""), 1):
                problem = (self.line(record, current, data) if len(data) < LONGEST_LINE or data.endswith(b"\n") else
                           read_past(file))
                if number == 1:
                    first, is_record = data, False
                is_record = is_record or (data.startswith(b"{") and b'"settle"' in data)
                if problem is not None:
                    damaged += 1
                    if damaged <= PROBLEMS_KEPT:
                        self.problems.append((name, number, problem))
            self.db.execute("commit")
        self.records.append((name, number, damaged))
        if not is_record:
            del self.problems[kept:]
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
        if (process is None or process.program != program or
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
            if process.open is None:
                process.open = {}
            process.open[line["fd"]] = (self.lines, process.id, number(line["store"]), number(line["role"]),
                                        number(line["file"]), line["fd"], time)

    def closed(self, process, fd, time):
        handle = process.open.pop(fd, None) if process.open else None
        if handle is not None:
            self.handle_rows.add(*handle, time)

    # --- waits and uses ---

    def keep_wait(self, process, line, time):
        store, rule, outcome, elapsed = line["store"], line.get("rule", ""), line["outcome"], line["elapsed"]
        use = line["what"] if line["event"] == "store used" else None
        waits = self.waits.get((store, rule, outcome, use))
        if waits is None:
            waits = self.waits[store, rule, outcome, use] = Waits(store, rule, outcome, use, line["profile"])
        waits.times.append(elapsed)
        if line["max_wait"] > waits.max_wait:
            waits.max_wait = line["max_wait"]
        if use is not None and line["handles"] > 0:
            waits.open += 1
            waits.most_open = max(waits.most_open, line["handles"])
        holders = holders_of(line["holders"]) if line.get("holders") else NOBODY
        if waits.known.watched:
            self.keep_holders(holders, elapsed)
            if self.longest.wants(elapsed):
                self.longest.add(elapsed, self.lines, (waits, time - elapsed, elapsed, process, line["thread"], holders))
        if self.each_wait:
            self.keep_row(process, waits, time - elapsed, elapsed, holders)

    def keep_holders(self, holders, elapsed):
        """A wait counts once for however many processes of one command and kind."""
        for key, pids in holders.items():
            holder = self.holders.get(key)
            if holder is None:
                holder = self.holders[key] = Holder()
            holder.pids.update(pids)
            holder.waits += 1
            holder.waited += elapsed
            if elapsed > holder.longest:
                holder.longest = elapsed

    def keep_row(self, process, waits, began, elapsed, holders):
        number = self.texts.number
        self.wait_rows.add(self.lines, process.id, number(waits.store), number(waits.rule), number(waits.outcome), began,
                           elapsed, number(waits.use))
        if holders is not NOBODY:
            for (command, kind), pids in holders.items():
                for pid in pids:
                    self.held_rows.add(self.lines, pid, number(command), number(kind))

    # --- what was read ---

    def text(self, number):
        """None for None."""
        return None if number is None else self.texts[number]

    def names(self):
        return [{"record": name, "lines": lines, "damaged": damaged} for name, lines, damaged in self.records]

    def end(self):
        """All records are read."""
        for process in self.processes:
            for handle in (process.open or {}).values():
                self.handle_rows.add(*handle, None)
        for waits in self.waits.values():
            waits.times = array.array("d", sorted(waits.times))
        self.db.execute("begin")
        for table in (self.handle_rows, self.wait_rows, self.held_rows):
            table.write()
        self.db.executemany("insert into process values (?, ?, ?, ?, ?, ?, ?)",
                            (process.row() for process in self.processes))
        self.db.execute("commit")
        self.processes.clear()


def read_past(file):
    """The rest of a line that is too long; says what is wrong with it."""
    for rest in iter(functools.partial(file.readline, LONGEST_LINE), b""):
        if rest.endswith(b"\n"):
            break
    return f"damaged: longer than {LONGEST_LINE} bytes, as no line of a record is"


def holders_of(told):
    """By command and kinds of lock: the pids, None for one that is not known. One who has several locks at a time
    is one holder."""
    kinds = {}
    for holder in told:
        if type(holder) is dict:
            pid, command, kind = holder.get("pid"), holder.get("command"), holder.get("kind")
            if type(pid) is not int or not -LARGEST <= pid <= LARGEST:
                pid = None
            command, kind = command if type(command) is str else None, kind if type(kind) is str and kind else None
            if len(told) == 1:  # nearly always
                return {(command, kind): (pid,)}
            kinds.setdefault((pid, command), set()).add(kind)
    found = {}
    for (pid, command), names in kinds.items():
        kind = " and ".join(sorted(filter(None, names))) or None
        found.setdefault((command, kind), []).append(pid)
    return found or NOBODY


def problem_of_text(text):
    """Of what could not be read as JSON; None where there is nothing."""
    if "\0" in text:
        return "damaged: it has bytes that are 0"
    if text == "":
        return None
    return f"no JSON: cut or damaged after, or within, {len(text)} characters"
