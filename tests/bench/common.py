"""What the sections share: results, processes that end with us, statistics, counts by callgrind."""

import concurrent.futures
import dataclasses
import glob
import os
import pathlib
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
PROGRAMS = BUILD / "bench"
SETTLE = str(BUILD / "libsettle.so")
PATIENCE = 300


class Failure(Exception):
    """A measurement that could not be made; its text says why."""


@dataclasses.dataclass
class Table:
    title: str
    columns: list
    rows: list = dataclasses.field(default_factory=list)
    note: str = ""

    def add(self, *cells):
        self.rows.append(list(cells))


@dataclasses.dataclass
class Goal:
    name: str
    limit: str
    measured: str
    met: bool
    why: str = ""  # where it is known to be missed


@dataclasses.dataclass
class Section:
    name: str
    tables: list = dataclasses.field(default_factory=list)
    goals: list = dataclasses.field(default_factory=list)
    skipped: list = dataclasses.field(default_factory=list)
    details: dict = dataclasses.field(default_factory=dict)  # for the JSON only
    seconds: float = 0
    failed: bool = False

    def table(self, title, *columns, note=""):
        self.tables.append(Table(title, list(columns), note=note))
        return self.tables[-1]

    def goal(self, name, limit, measured, met, why=""):
        self.goals.append(Goal(name, limit, measured, bool(met), why))

    def skip(self, what):
        self.skipped.append(what)
        say(f"SKIPPED: {what}")


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


# --- processes ---

running = set()
stopping = False


def environment(preload=None, more=None):
    """Ours without settings of the library's; preload None: none."""
    result = {name: value for name, value in os.environ.items()
              if not name.startswith("SETTLE_") and name not in ("LD_PRELOAD", "WAITER_PRELOAD")}
    result.update(more or {})
    if preload is not None:
        result["LD_PRELOAD"] = preload
    return result


def start(command, **more):
    """In a process group of its own, so that end_all finds what it has started, too."""
    if stopping:
        raise Failure("stopped")
    process = subprocess.Popen([str(word) for word in command], start_new_session=True, text=True, **more)
    running.add(process)
    return process


def kill(process):
    """Its whole group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def end(process):
    kill(process)
    process.wait()
    running.discard(process)


def end_all():
    for process in list(running):
        end(process)


def stop_all():
    """For a signal handler: waits for nothing, and whoever waits for a process sees it end."""
    global stopping
    stopping = True
    for process in list(running):
        kill(process)


def output_of(command, env=None, patience=PATIENCE):
    """Standard output of a program that must succeed."""
    process = start(command, env=environment() if env is None else env, stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        output, errors = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        raise Failure(f"{' '.join(map(str, command))}: has not ended after {patience} s") from None
    finally:
        end(process)
    if process.returncode != 0:
        raise Failure(f"{' '.join(map(str, command))}: status {process.returncode}: {errors.strip()[-500:]}")
    return output


class Workspace:
    """A directory of a run, deleted at its end."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="settle-bench-")).resolve()

    def directory(self, name):
        path = self.path / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)


# --- what is preloaded ---

@dataclasses.dataclass
class Variant:
    name: str
    preload: str  # None: nothing


def only_file(pattern):
    found = sorted(glob.glob(pattern))
    return found[0] if found else None


def variants(section):
    """Everything that calls are measured with; no preload first."""
    rows = [
        ("no preload", None),
        ("empty library", str(PROGRAMS / "empty.so")),
        ("libeatmydata", only_file("/usr/lib/*/libeatmydata.so")),
        ("libfaketime", only_file("/usr/lib/*/faketime/libfaketime.so.1")),
        ("settle", SETTLE),
    ]
    for name, preload in rows[1:]:
        if preload is None:
            section.skip(f"{name}: not installed (scripts/setup bench)")
    return [Variant(name, preload) for name, preload in rows if preload or name == "no preload"]


# --- instructions ---

COUNTED = 2000


def instructions(command, preload, settings=None):
    """All that a command executes in user space, its start included."""
    env = environment(preload, {"FAKETIME": "+0d", **(settings or {})})
    process = start(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command], env=env,
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        errors = process.communicate(timeout=PATIENCE)[1]
    finally:
        end(process)
    collected = re.search(r"Collected : (\d+)", errors)
    if process.returncode != 0 or collected is None:
        raise Failure(f"callgrind of {' '.join(map(str, command))}: {errors.strip()[-500:]}")
    return int(collected.group(1))


def instructions_of_call(call, path, preload, settings=None):
    """Of one: the start of the process drops out between N and 2 N."""
    once, twice = (instructions([PROGRAMS / "calls", call, count, path], preload, settings)
                   for count in (COUNTED, 2 * COUNTED))
    return (twice - once) / COUNTED


def in_parallel(function, argument_lists):
    """For counts, which a busy machine does not change."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda arguments: function(*arguments), argument_lists))


# --- statistics ---

def quantile(values, part):
    """The nearest one that was measured."""
    values = sorted(values)
    return values[min(len(values) - 1, round((len(values) - 1) * part))]


def median_and_interval(values, seed=1, rounds=4000):
    """The median with a 95 % interval, by bootstrap."""
    generator = random.Random(seed)
    medians = sorted(statistics.median(generator.choices(values, k=len(values))) for _ in range(rounds))
    return statistics.median(values), medians[int(rounds * 0.025)], medians[int(rounds * 0.975)]
