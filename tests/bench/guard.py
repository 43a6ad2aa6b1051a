"""The short form that fails: what the library costs, against the table in `limits`."""

import dataclasses
import pathlib
import platform
import statistics
import tempfile

import common
import cost
import duels
import processor
import recorded
import reports
import tracked
from common import PROGRAMS, SETTLE

LIMITS = pathlib.Path(__file__).with_name("limits")
EMPTY = str(PROGRAMS / "empty.so")
ATTEMPTS = 5
PLACES = 3
COUNTED_ON = "x86_64"
TRIALS = 15
TURNS = 5
MANY = 5000
FAULTS_OF = 101

# How many of them are within the limit. A whole process has to get the processor several times, and on a
# busy machine few of them show what it takes itself.
MOST = 0.8
SOME = 0.2


def read_limits():
    """By measurement: the limit and its unit."""
    limits = {}
    for number, line in enumerate(LIMITS.read_text().splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            name, limit, unit = words
            limits[name] = (float(limit), unit)
        except ValueError:
            raise common.Failure(f"{LIMITS}:{number}: '{line}': expected a measurement, a limit and a unit") from None
    return limits


# --- instructions ---

def added_to_call(call, path, **settings):
    plain, ours = (common.instructions_of_call(call, path, library, settings) for library in (None, SETTLE))
    return ours - plain


def count(call, size, **settings):
    return lambda space: added_to_call(call, cost.file_of(space, size), **settings)


def count_of(call, path):
    return lambda _: added_to_call(call, path)


def count_tracked(space):
    return added_to_call("both", duels.make_store(space.directory("here/counted")))


OPEN, CLOSED, CLOSED_AND_THREADS = "", "-", "="  # what became of a store (tests/bench/calls.c)


LONG = 125  # bytes of a path; the other one of a rename has two more


def long_path(space, call):
    """Of a file, or of a directory where the call is for one."""
    directory = space.directory("long")
    path = directory / ("x" * (LONG - len(str(directory)) - 1))
    path.mkdir(exist_ok=True) if call == "opendir" else path.touch()
    return path


def added_to_name(call, beside, size=100, long=False):
    """Added to a call on a name that is no store's; beside: where the process has, or had, a store."""
    def count(space):
        directory = space.directory(f"here/{call}")
        results = []
        for library in (None, SETTLE):
            path = (PROC if size is None else long_path(space, call) if long else
                    directory if call == "opendir" else cost.file_of(space, size))
            store = duels.make_store(space.directory("here/beside"))
            what = call if beside is None else f"{call}:{beside}{store}"
            results.append(common.instructions_of_call(what, path, library))
        return results[1] - results[0]

    return count


def count_start(_):
    """More than a library that does nothing: what this adds is the loader's, and another libc's another."""
    empty, ours = common.in_parallel(common.instructions, [([cost.PROGRAM], EMPTY), ([cost.PROGRAM], SETTLE)])
    return ours - empty


def count_faults(_):
    """The same of page faults, which differ from start to start by where the kernel puts things."""
    empty, ours = (figures[-1] for figures in cost.start_figures(FAULTS_OF, [EMPTY, SETTLE], common.environment()))
    return ours - empty


# --- times ---

PROC = "/proc/self/stat"
SYS = "/sys/kernel/mm/transparent_hugepage/enabled"


def time_added(call, path, **settings):
    """To one call, in us: medians of batches, without the library and with it in turn. What the call
    makes is made in memory: a file system on a disk takes a hundred times as long now and then."""
    def measure_added(space):
        if call == "create":
            with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
                return added(pathlib.Path(directory) / "new")
        return added(path if isinstance(path, str) else cost.file_of(space, path))

    def added(file):
        envs = (common.environment(None), common.environment(SETTLE, settings))
        rounds = [[float(common.output_of([PROGRAMS / "calls", call, cost.TIMED, file, cost.BATCH], env))
                   for env in envs] for _ in range(TURNS)]
        return statistics.median(ours - plain for plain, ours in rounds) / 1000

    return measure_added


def time_use(call, closed=CLOSED):
    """Added to one call on a store, or its directory, that the process has closed and nobody holds."""
    def measure_use(space):
        store = duels.make_store(space.directory("here/used"))
        path = pathlib.Path(store).parent if call == "opendir" else store
        rounds = [[float(common.output_of([PROGRAMS / "calls", f"{call}:{closed}{store}", cost.TIMED, path, cost.BATCH],
                                          common.environment(library)))
                   for library in (None, SETTLE)] for _ in range(TURNS)]
        return statistics.median(ours - plain for plain, ours in rounds) / 1000

    return measure_use


MEDIAN, P99 = 0, 1


def figures_of_closes(space, library, stores=1, descriptors=10, threads=1, collections=0):
    """What stores.c prints of last closes, by name."""
    directory = space.directory(f"here/{stores}-{collections}")
    lines = common.output_of([PROGRAMS / "stores", directory, stores, descriptors, threads, 0, 500, collections],
                             common.environment(library))
    return {line.split()[0]: [int(word) for word in line.split()[1:]] for line in lines.splitlines()}


def time_close(figure=MEDIAN, **shape):
    """In us."""
    return lambda space: figures_of_closes(space, SETTLE, **shape)["close"][figure] / 1000


def ratio_close(**shape):
    """Of a process of that shape to a small one."""
    return lambda space: time_close(**shape)(space) / time_close()(space)


def memory_of_stores(space):
    """That the library takes for many beside few, in MB."""
    few, many = ([figures_of_closes(space, library, stores=stores)["memory"][0] for library in (None, SETTLE)]
                 for stores in (10, MANY))
    return (many[1] - many[0] - (few[1] - few[0])) / 1024


def time_recorded(space):
    """Added to an open and close of a store that nobody holds, in us."""
    directory = space.directory("here/recorded")
    record = directory / "record.jsonl"
    rounds = []
    for _ in range(TURNS):
        record.unlink(missing_ok=True)
        rounds.append([sum(recorded.open_and_close(directory, recorded.settings(path))) for path in (None, record)])
    return statistics.median(ours - plain for plain, ours in rounds)


def time_sqlite(mode):
    """Added to sqlite3_close of the only connection, in us."""
    def measure_added(space):
        plain, ours = (statistics.median(tracked.measure_database(space.directory("here"), mode, library)[0]
                                         for _ in range(TURNS)) for library in (None, SETTLE))
        return ours - plain

    return measure_added


def time_processor(space):
    """Of a wait of which no event tells the end, in ms."""
    with duels.Duel(duels.OURS) as duel:
        path = duels.make_store(space.directory("here") / "processor")
        return duel.trial("unlocks", path, processor.HOLD, processor=True).processor * 1000


def read_report(space):
    """Processor time in ms and memory in MB."""
    path = space.directory("here") / "record"
    reports.write(path, ["waited"], 100_000, 1)
    seconds, megabytes = reports.read(path)
    return seconds * 1000, megabytes


def time_report(space):
    return read_report(space)[0]


def memory_of_report(space):
    return read_report(space)[1]


class Overshoots:
    """Of one way to wait, for holding times up to twice as long: equal ones might fit the back-off by
    accident. Keeps the early returns, which no attempt can make good."""

    early = 0

    def __init__(self, method, kind, hold, part):
        self.method, self.kind, self.hold, self.part = method, kind, hold, part

    def __call__(self, space):
        path = duels.make_store(space.directory("here") / self.kind)
        with duels.Duel(self.method) as duel:
            trials = [duel.trial(self.kind, path, self.hold * (1 + i / TRIALS)) for i in range(TRIALS)]
        Overshoots.early += sum(trial.early for trial in trials)
        return common.quantile([trial.overshoot for trial in trials], self.part) * 1000


def count_early(_):
    return Overshoots.early


RECORDING = dataclasses.replace(duels.OURS, settings={**duels.OURS.settings, "SETTLE_RECORD": "/dev/null"})


@dataclasses.dataclass
class Row:
    name: str
    said: str
    measure: object
    attempts: int = 1
    counted: bool = False


# The files that programs open most, and how. Each in an ordinary process, and where databases are
# known by their content.
OPENS = [
    ("open", "a file whose size is a multiple of 512", "open", 4096),
    ("empty", "an empty file", "open", 0),
    ("proc", "a file of /proc", "open", PROC),
    ("sys", "a file of /sys", "open", SYS),
    ("write", "a file of that size, for writing", "write", 4096),
    ("new", "a new file", "create", 100),
]

# Whose limits are for names of up to 47 bytes otherwise.
LONG_CALLS = [
    ("open", "an open to read of a file"),
    ("write", "an open to write of a file"),
    ("unlink", "an unlink of a file"),
    ("rename", "a rename of a file"),
    ("opendir", "opendir of a directory"),
]

ROWS = [
    Row("close", "added to a close of an untracked file", count("close", 100), counted=True),
    Row("open", "added to an open of an untracked file", count("open", 100), counted=True),
    Row("open-512", "the same, its size a multiple of 512", count("open", 4096), counted=True),
    Row("open-empty", "the same, an empty file", count("open", 0), counted=True),
    Row("open-proc", "the same, a file of /proc", count_of("open", PROC), counted=True),
    Row("open-sys", "the same, a file of /sys", count_of("open", SYS), counted=True),
    Row("open-write", "the same, for writing, a multiple of 512", count("write", 4096), counted=True),
    Row("open-new", "the same, a new file", count("create", 100), counted=True),
    Row("open-beside", "the same, to be read, where a store is open", added_to_name("open", OPEN), counted=True),
    Row("openat-beside", "the same by openat", added_to_name("openat", OPEN), counted=True),
    Row("open-512-beside", "the same, its size a multiple of 512", added_to_name("open", OPEN, 4096), counted=True),
    Row("open-empty-beside", "the same, an empty file", added_to_name("open", OPEN, 0), counted=True),
    Row("open-32k-beside", "the same, its size a multiple of 32 KB", added_to_name("open", OPEN, 32768), counted=True),
    Row("open-proc-beside", "the same, a file of /proc", added_to_name("open", OPEN, None), counted=True),
    Row("open-closed", "the same, where a store was closed", added_to_name("open", CLOSED, 4096), counted=True),
    Row("write-beside", "the same, for writing", added_to_name("write", OPEN), counted=True),
    Row("new-beside", "the same, emptied", added_to_name("create", OPEN), counted=True),
    Row("exclusive-beside", "the same, made by O_EXCL", added_to_name("exclusive", OPEN), counted=True),
    Row("write-closed", "the same, for writing, where a store was closed", added_to_name("write", CLOSED), counted=True),
    Row("new-closed", "the same, emptied", added_to_name("create", CLOSED), counted=True),
    Row("open-dirs", "the same, to be read, with SETTLE_DIRS", count("open", 100, SETTLE_DIRS="/nowhere"), counted=True),
    Row("open-content", "the same, to be read, where databases are known by their content",
        count("open", 4096, SETTLE_STORES="chroma:sqlite"), counted=True),
    Row("asked-content", "the same to open, fstat and close of a small file that is opened to be read and written",
        count("asked", 100, SETTLE_STORES="chroma:sqlite"), counted=True),
    Row("fopen", "added to fopen of it", count("fopen", 100), counted=True),
    Row("fclose", "added to fclose of it", count("fclose", 100), counted=True),
    Row("fopen-beside", "added to fopen, where a store is open", added_to_name("fopen", OPEN), counted=True),
    Row("fopen-512-beside", "the same, its size a multiple of 512", added_to_name("fopen", OPEN, 4096), counted=True),
    Row("fopen-32k-beside", "the same, its size a multiple of 32 KB", added_to_name("fopen", OPEN, 32768), counted=True),
    Row("fclose-beside", "the same to fclose", added_to_name("fclose", OPEN), counted=True),
    Row("unlink", "added to an unlink of what is no store's", added_to_name("unlink", None), counted=True),
    Row("unlink-beside", "the same, where a store is open", added_to_name("unlink", OPEN), counted=True),
    Row("unlinkat-beside", "the same by unlinkat", added_to_name("unlinkat", OPEN), counted=True),
    Row("remove-beside", "the same by remove", added_to_name("remove", OPEN), counted=True),
    Row("rmdir-beside", "the same to an rmdir", added_to_name("rmdir", OPEN), counted=True),
    Row("rename", "added to a rename of what is no store's", added_to_name("rename", None), counted=True),
    Row("rename-beside", "the same, where a store is open", added_to_name("rename", OPEN), counted=True),
    Row("opendir", "added to opendir of what is no store's", added_to_name("opendir", None), counted=True),
    Row("opendir-beside", "the same, where a store is open", added_to_name("opendir", OPEN), counted=True),
    *(Row(f"{call}-long", f"added to {said} whose path has {LONG} bytes, where a store is open",
          added_to_name(call, OPEN, long=True), counted=True) for call, said in LONG_CALLS),
    Row("tracked", "added to open and last close of a store", count_tracked, counted=True),
    Row("start", "added to the start of a process, beyond an empty library", count_start, counted=True),
    Row("start-faults", "the same, page faults", count_faults, ATTEMPTS),
    *(Row(f"time-{name}", f"added to an open of {said}", time_added(call, file), ATTEMPTS)
      for name, said, call, file in OPENS),
    *(Row(f"sqlite-{name}", f"the same by SETTLE_STORES=sqlite: {said}",
          time_added(call, file, SETTLE_STORES="sqlite"), ATTEMPTS) for name, said, call, file in OPENS),
    Row("sqlite-asked", "added to open, fstat and close of it", time_added("asked", 100, SETTLE_STORES="sqlite"), ATTEMPTS),
    *(Row(f"all-{name}", f"the same by SETTLE_STORES=all: {said}",
          time_added(call, file, SETTLE_STORES="all"), ATTEMPTS) for name, said, call, file in OPENS
      if name in ("open", "write", "new")),
    Row("use-list", "added to opendir of a store that was closed and nobody holds", time_use("opendir"), ATTEMPTS),
    Row("use-open", "the same to fopen and fclose of it", time_use("stream"), ATTEMPTS),
    Row("use-rename", "the same to a rename of it", time_use("rename"), ATTEMPTS),
    Row("use-threads", "the same beside another thread", time_use("rename", CLOSED_AND_THREADS), ATTEMPTS),
    Row("tracked-median", "last close of a store that nobody holds", time_close(), ATTEMPTS),
    Row("tracked-p99", "the same, 99th percentile", time_close(P99), 2 * ATTEMPTS),
    Row("tracked-threads", "the same beside 63 threads", time_close(threads=64), ATTEMPTS),
    Row("tracked-threads-p99", "the same, 99th percentile", time_close(P99, threads=64), 2 * ATTEMPTS),
    Row("tracked-index", "last close of one with index files", time_close(collections=1), ATTEMPTS),
    Row("tracked-collections", "the same of one with five directories of them", time_close(collections=5), ATTEMPTS),
    Row("tracked-journal", "added to sqlite3_close where the journal is kept", time_sqlite("persist"), ATTEMPTS),
    Row("tracked-wal", "added to sqlite3_close in WAL mode", time_sqlite("wal"), ATTEMPTS),
    Row("tracked-many", f"last close where {MANY} stores are open, to that of 1", ratio_close(stores=MANY), ATTEMPTS),
    Row("tracked-descriptors", f"the same with {MANY} descriptors", ratio_close(descriptors=MANY), ATTEMPTS),
    Row("tracked-memory", f"memory of {MANY} stores", memory_of_stores, ATTEMPTS),
    Row("recorded", "added by a record to open and last close of a store", time_recorded, ATTEMPTS),
    Row("overshoot-event", "overshoot after 100 ms and more, the holder closes",
        Overshoots(duels.OURS, "closes", 0.1, MOST), ATTEMPTS),
    Row("overshoot-recorded", "the same with a record", Overshoots(RECORDING, "closes", 0.1, MOST), ATTEMPTS),
    Row("overshoot-no-event", "overshoot after 10 ms and more, the holder unlocks",
        Overshoots(duels.OURS, "unlocks", 0.01, MOST), ATTEMPTS),
    Row("overshoot-wait", "the same of settle-wait as a process",
        Overshoots(duels.COMMAND, "unlocks", 0.01, SOME), ATTEMPTS),
    Row("processor", "processor time of a wait of 2 s, the holder unlocks", time_processor, ATTEMPTS),
    Row("report", "settle-report of 100,000 lines, processor", time_report, ATTEMPTS),
    Row("report-memory", "the same, memory", memory_of_report, ATTEMPTS),
    Row("early", "returns before the release", count_early),
]


def measure(row, space, limit):
    """The best attempt: noise only ever adds."""
    best = None
    for _ in range(row.attempts):
        value = row.measure(space)
        best = value if best is None else min(best, value)
        if best <= limit:
            break
    return best


def count_row(row, limit):
    """In a place of its own, whose path is as long as any other's; and in another one, if a file's inode there may be the
    store's, to a quick look (track/seen.h), which then is a close one."""
    common.say(f"guard: {row.said}")
    spaces, counts = [], []
    try:
        while len(spaces) < PLACES and (not counts or counts[-1] > limit):
            spaces.append(common.Workspace())
            counts.append(round(row.measure(spaces[-1])))  # the start of the process leaves a hundredth or two
    finally:
        for space in spaces:
            space.close()
    return min(counts)


def count_rows(limits):
    """By name. What others do meanwhile changes no count, so all processors do it."""
    rows = [row for row in ROWS if row.counted]
    return dict(zip((row.name for row in rows),
                    common.in_parallel(count_row, [(row, limits[row.name][0]) for row in rows])))


def run(section, bench):
    limits = read_limits()
    if set(limits) != {row.name for row in ROWS}:
        raise common.Failure(f"{LIMITS}: expected a line for each of {', '.join(row.name for row in ROWS)}")
    duels.check(bench.space.directory("here"))
    table = section.table("What the library may cost (tests/bench/limits)", "measurement", "limit", "measured", "unit",
                          "")
    counts = count_rows(limits) if platform.machine() == COUNTED_ON else {}
    for row in ROWS:
        limit, unit = limits[row.name]
        if row.counted and not counts:
            section.skip(f"{row.said}: the limits are those of {COUNTED_ON}")
            continue
        if row.counted:
            value = counts[row.name]
        else:
            common.say(f"guard: {row.said}")
            value = measure(row, bench.space, limit)
        good = value <= limit
        table.add(row.said, f"{limit:g}", f"{value:.3g}" if unit in ("ms", "us", "times", "MB") else f"{value:.0f}", unit,
                  "" if good else "TOO MUCH")
        section.goal(row.said, f"{limit:g} {unit}", f"{value:.6g}", good)
