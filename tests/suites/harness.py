"""Runs other people's tests with and without the library, and compares what became of each case.

tests/suites/run says what is compared and how it is judged.
"""

import collections
import contextlib
import dataclasses
import os
import pathlib
import re
import resource
import select
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator

PASSED, FAILED, SKIPPED, ABSENT = "passed", "failed", "skipped", "absent"
NOBODY = 65534
REPEATS = 3  # further runs of a file, in both ways, where its first two were not the same
FURTHER = 8  # and then of one way, where a case that varies has an outcome that came in the other alone
RATIO_AT_MOST = 1.10
SECONDS_THAT_TELL = 60  # a suite that takes less has no ratio to speak of

Cases = dict[str, str]  # a case's name: its outcome


# --- what a suite is ---


@dataclasses.dataclass(frozen=True)
class Place:
    """A directory with all that a suite's programs need."""

    root: pathlib.Path

    @property
    def tree(self) -> pathlib.Path:
        """A copy of what the suite prepared."""
        return self.root / "tree"

    @property
    def scratch(self) -> pathlib.Path:
        """The current, home and temporary directory of a run; empty when it begins."""
        return self.root / "run"

    @property
    def result(self) -> pathlib.Path:
        """Where a test runner may write its results; not there when a run begins."""
        return self.root / "out" / "result"

    @property
    def log(self) -> pathlib.Path:
        return self.root / "out" / "log"

    @property
    def library(self) -> pathlib.Path:
        return self.root / "libsettle.so"


@dataclasses.dataclass(frozen=True)
class Unit:
    """One test file, or a directory of them, run by one command."""

    name: str
    command: list[str]
    directory: pathlib.Path | None = None  # where it runs; None: in the scratch directory
    opens_databases: bool = True
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    seconds: int = 600  # the longest that it may take


@dataclasses.dataclass(frozen=True)
class Suite:
    name: str
    package: str  # of Debian, whose source archive it needs; or what else tells its version
    prepare: Callable[[pathlib.Path, pathlib.Path], None]  # from the archives' directory, the tree
    units: Callable[[Place, bool], list[Unit]]  # the bool: only the subset
    cases: Callable[[str, Place], Iterator[tuple[str, str]]]  # from a unit's output and result
    enough: tuple[int, int]  # cases that must pass without the library: in full, in the subset
    settings: dict[str, str] = dataclasses.field(default_factory=dict)  # SETTLE_* of its own
    fetch: Callable[[pathlib.Path], None] | None = None  # into the archives' directory; None: Debian's
    short: bool = True  # whether it has a subset


def unpack(archives: pathlib.Path, package: str, tree: pathlib.Path, *parts: str) -> None:
    """Those files of a source archive whose names begin so, without the archive's directory."""
    (archive,) = archives.glob(f"{package}_*.orig.tar.*")
    with tarfile.open(archive) as source:
        for member in source:
            member.name = member.name.partition("/")[2]
            if member.name != "" and member.name.startswith(parts):
                source.extract(member, tree)


# --- the library's log ---


@dataclasses.dataclass
class Log:
    closes: int = 0  # that were looked at: all of them at level debug, else those that waited
    waits: int = 0
    waited: float = 0.0
    unusual: list[str] = dataclasses.field(default_factory=list)

    def add(self, other: "Log") -> None:
        self.closes += other.closes
        self.waits += other.waits
        self.waited += other.waited
        self.unusual += other.unusual


WAIT = re.compile(r"(?:after polling: .*|still locked|by this process) after ([\d.]+) s")
FIXED_DELAY = 0.1
# What some tests arrange: a database without permission, a statement that is not finalised.
UNEXAMINED = ": cannot be examined ("
UNFINALISED = "statements that "
# And what such tests do to their databases: they copy and remove them while connections are open, and open some by
# file systems of their own (SQLite's test VFS), or have the last close leave the -wal as it is; or wait for a child that
# closes what they have open. walro2 of SQLite's has a second process hold the database for longer than two max_wait of
# 0.2 s together.
REMARKS = (UNFINALISED, ": used while ", ": while the same holder only keeps it open, ", ": closed by all, but its -wal has ",
           "SQLite's files are opened past this library", ": warning: waits in vain have taken twice max_wait: ")


def read_log(text: str) -> Log:
    log = Log()
    for line in text.splitlines():
        wait = WAIT.search(line)
        if wait:
            log.waits += 1
            log.waited += float(wait[1])
        elif UNEXAMINED in line:
            log.waits += 1
            log.waited += FIXED_DELAY
        elif "]: warning: " in line and not any(remark in line for remark in REMARKS):
            log.unusual.append(line)
        log.closes += " probes=" in line
    return log


# --- one run ---


@dataclasses.dataclass
class Run:
    cases: Cases
    seconds: float
    work: float  # seconds of processor, of all its processes that were waited for
    log: Log
    output: str

    def without_waits(self) -> float:
        """The seconds, but for what the library waited for others: that is its purpose."""
        return self.seconds - self.log.waited


def work_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def settings_of(suite: Suite, place: Place, **more: str) -> dict[str, str]:
    ours = {
        "LD_PRELOAD": str(place.library),
        "SETTLE_STORES": "chroma:sqlite",
        "SETTLE_LOG_FILE": str(place.log),
    }
    return ours | suite.settings | more


def environment_of(unit: Unit, place: Place, settings: dict[str, str]) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != "LD_PRELOAD" and not name.startswith("SETTLE_")
    }
    own = {"HOME": str(place.scratch), "TMPDIR": str(place.scratch), "LC_ALL": "C.UTF-8"}
    return inherited | own | unit.environment | settings


def user() -> dict[str, object]:
    """Some tests refuse to run as root, and what others say of permissions means nothing there."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def give_away(*paths: pathlib.Path) -> None:
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


def empty(*directories: pathlib.Path) -> None:
    for directory in directories:
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        give_away(directory)


def end_of(process: subprocess.Popen, seconds: int) -> str:
    """Waits for a command's end, says what it was, and ends what is left of its process group."""
    end = os.pidfd_open(process.pid)
    try:
        in_time = select.select([end], [], [], seconds)[0]
    finally:
        os.close(end)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    status = process.wait()
    if not in_time:
        return "timed out"
    return f"exit {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"


def number_repeats(cases: Iterator[tuple[str, str]]) -> Cases:
    seen: collections.Counter[str] = collections.Counter()
    numbered = {}
    for name, outcome in cases:
        seen[name] += 1
        numbered[name if seen[name] == 1 else f"{name} #{seen[name]}"] = outcome
    return numbered


def run(suite: Suite, unit: Unit, place: Place, settings: dict[str, str]) -> Run:
    empty(place.scratch, place.log.parent)
    with tempfile.TemporaryFile() as output:
        began, worked = time.monotonic(), work_of_children()
        process = subprocess.Popen(
            unit.command,
            cwd=unit.directory or place.scratch,
            env=environment_of(unit, place, settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **user(),
        )
        end = end_of(process, unit.seconds)
        seconds, work = time.monotonic() - began, work_of_children() - worked
        output.seek(0)
        text = output.read().decode(errors="replace")
    cases = number_repeats(suite.cases(text, place))
    cases["(how it ended)"] = end
    log = read_log(place.log.read_text(errors="replace") if place.log.exists() else "")
    if "cannot be preloaded" in text:
        log.unusual.append(f"{unit.name}: the loader did not take the library")
    return Run(cases, seconds, work, log, text)


# --- comparing ---


@dataclasses.dataclass(frozen=True)
class Finding:
    unit: str
    case: str
    plain: list[str]  # the outcome in each run
    shimmed: list[str]

    def __str__(self) -> str:
        def told(outcomes: list[str]) -> str:
            counts = collections.Counter(outcomes).items()
            return ", ".join(f"{outcome} in {n} of {len(outcomes)}" for outcome, n in counts)

        return f"{self.unit}: {self.case}: plain {told(self.plain)}; shimmed {told(self.shimmed)}"

    def differs(self) -> bool:
        return repeated_only_in(self.plain, self.shimmed) or repeated_only_in(self.shimmed, self.plain)

    def varies(self) -> bool:
        return len({*self.plain, *self.shimmed}) > 1

    def doubtful_ways(self) -> set[str]:
        """In which more runs may show that what looks like a difference is a case that varies anyway."""
        if len({*self.plain}) == 1 and len({*self.shimmed}) == 1:
            return set()
        ways = {"shimmed": repeated_only_in(self.plain, self.shimmed), "plain": repeated_only_in(self.shimmed, self.plain)}
        return {way for way, lacks in ways.items() if lacks}


def repeated_only_in(here: list[str], there: list[str]) -> bool:
    return any(here.count(outcome) > 1 and outcome not in there for outcome in here)


def findings(unit: str, plain: list[Cases], shimmed: list[Cases]) -> Iterator[Finding]:
    for case in sorted(set().union(*plain, *shimmed)):
        yield Finding(
            unit,
            case,
            [cases.get(case, ABSENT) for cases in plain],
            [cases.get(case, ABSENT) for cases in shimmed],
        )


# --- a suite ---


class Least(dict[str, float]):
    """Of each unit the least of its runs: what else the machine does only adds to that."""

    def add(self, unit: str, seconds: float) -> None:
        self[unit] = min(seconds, self.get(unit, seconds))


@dataclasses.dataclass
class Side:
    """The first run of every unit, added up; and its times."""

    outcomes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    seconds: float = 0.0
    log: Log = dataclasses.field(default_factory=Log)
    times: Least = dataclasses.field(default_factory=Least)
    work: Least = dataclasses.field(default_factory=Least)

    def add(self, unit: str, result: Run) -> None:
        self.outcomes.update(result.cases.values())
        self.seconds += result.seconds
        self.log.add(result.log)
        self.add_times(unit, result)

    def add_times(self, unit: str, result: Run) -> None:
        self.times.add(unit, result.without_waits())
        self.work.add(unit, result.work)


@dataclasses.dataclass
class Report:
    suite: Suite
    units: int = 0
    plain: Side = dataclasses.field(default_factory=Side)
    shimmed: Side = dataclasses.field(default_factory=Side)
    closes: int = 0
    different: list[Finding] = dataclasses.field(default_factory=list)
    flaky: list[Finding] = dataclasses.field(default_factory=list)

    def ratio(self) -> float:
        """Of the times, without what the library waited for others."""
        return sum(self.shimmed.times.values()) / sum(self.plain.times.values())

    def ratio_of_work(self) -> float:
        least_that_is_told = 1e-6
        return sum(self.shimmed.work.values()) / max(sum(self.plain.work.values()), least_that_is_told)

    def slowness(self) -> Iterator[str]:
        if self.plain.seconds <= SECONDS_THAT_TELL:
            return
        if self.ratio() > RATIO_AT_MOST:
            yield f"takes {self.ratio():.3f} times as long: expected at most {RATIO_AT_MOST}"
        if self.ratio_of_work() > RATIO_AT_MOST:
            yield f"takes {self.ratio_of_work():.3f} times the processor's time: expected at most {RATIO_AT_MOST}"

    def complaints(self, short: bool) -> Iterator[str]:
        for finding in self.different:
            yield f"differs: {finding}"
        for line in self.shimmed.log.unusual:
            yield f"unexpected: {line}"
        passed, enough = self.plain.outcomes[PASSED], self.suite.enough[short]
        if passed < enough:
            yield f"only {passed} cases pass without the library: expected at least {enough}"
        if self.closes == 0:
            yield "no close was looked at: the library was not at work"
        if not short:
            yield from self.slowness()


@contextlib.contextmanager
def place_for(tree: pathlib.Path, library: pathlib.Path) -> Iterator[Place]:
    """In /tmp: user nobody gets there wherever the project lies, and sockets need short names."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="settle-suites-", dir="/tmp"))
    place = Place(root)
    try:
        shutil.copytree(tree, place.tree, symlinks=True)
        shutil.copy(library, place.library)
        root.chmod(0o755)
        give_away(root, *root.rglob("*"))
        yield place
    finally:
        shutil.rmtree(root, ignore_errors=True)


def keep_outputs(outputs: pathlib.Path, unit: Unit, way: str, runs: list[Run]) -> None:
    outputs.mkdir(parents=True, exist_ok=True)
    for number, result in enumerate(runs, 1):
        (outputs / f"{unit.name.replace('/', '-')}.{way}.{number}").write_text(result.output)


def findings_of(unit: str, runs: dict[str, list[Run]]) -> list[Finding]:
    return list(findings(unit, *([result.cases for result in runs[way]] for way in ("plain", "shimmed"))))


def run_again(runs: dict[str, list[Run]], unit: str, run_in: Callable[[str], Run]) -> list[Finding]:
    """Where the first two were not the same: the findings after as many more as the rule says."""
    for way in sorted(runs) * REPEATS:
        runs[way].append(run_in(way))
    for _ in range(FURTHER):
        doubtful = {way for finding in findings_of(unit, runs) for way in finding.doubtful_ways()}
        for way in sorted(doubtful):
            runs[way].append(run_in(way))
    return findings_of(unit, runs)


def compare(
    suite: Suite, place: Place, short: bool, outputs: pathlib.Path, tell: Callable[[str], None]
) -> Report:
    report = Report(suite)
    ways = {"plain": {}, "shimmed": settings_of(suite, place, SETTLE_LOG="info")}
    counting = settings_of(suite, place, SETTLE_LOG="debug", SETTLE_MAX_WAIT="0")

    units = suite.units(place, short)
    for unit in units:
        tell(f"{suite.name}: {unit.name}")
        order = sorted(ways, reverse=report.units % 2 == 1)  # neither way is always the first
        runs = {way: [run(suite, unit, place, ways[way])] for way in order}
        report.units += 1
        report.plain.add(unit.name, runs["plain"][0])
        report.shimmed.add(unit.name, runs["shimmed"][0])
        if unit.opens_databases and not (short and report.closes > 0):
            report.closes += run(suite, unit, place, counting).log.closes
        if runs["plain"][0].cases == runs["shimmed"][0].cases:
            continue
        tell(f"{suite.name}: {unit.name}, {REPEATS} times more in both ways")
        found = run_again(runs, unit.name, lambda way, unit=unit: run(suite, unit, place, ways[way]))
        for way in ways:
            keep_outputs(outputs, unit, way, runs[way])
        for finding in found:
            if finding.differs():
                report.different.append(finding)
            elif finding.varies():
                report.flaky.append(finding)
    if not short:
        time_again(report, units, ways, place, tell)
    return report


def time_again(
    report: Report, units: list[Unit], ways: dict[str, dict[str, str]], place: Place, tell: Callable[[str], None]
) -> None:
    """Of a suite that seems slow: by turns, until it is not."""
    sides = {"plain": report.plain, "shimmed": report.shimmed}
    for number in range(REPEATS):
        if not any(report.slowness()):
            return
        for unit in units:
            tell(f"{report.suite.name}: {unit.name}, its time again ({number + 1})")
            for way in sorted(ways, reverse=number % 2 == 0):
                sides[way].add_times(unit.name, run(report.suite, unit, place, ways[way]))
