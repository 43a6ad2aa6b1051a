"""run.py [UNIT-TEST...]: real programs under the shim and valgrind, then unit tests under valgrind.

A program must end, with the result it has without both, and memcheck must find no error that it
does not find without the shim; and the shim must have done its work. Of a unit test only the errors
count: some measure time or set limits, which is another thing under valgrind.

Descriptor numbers, waiting and the helper thread are valgrind's business too: it runs one thread at
a time, makes the raw clone and the futex its own, keeps its descriptors out of close_range's way,
and hands everything else to the kernel.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
PYTHON = "/usr/bin/python3"
PATIENCE = 300

# Commands to programs/stepper: every way a handle multiplies and goes away.
STEPS = """\
open a - {store}/chroma.sqlite3
dup a b
dupfd a c
close a
dup2 c b
close b
close c
fopen d - {store}/chroma.sqlite3
fclose d
open a - {store}/chroma.sqlite3
rawclose a
open a - {store}/chroma.sqlite3
closerange a a
open a - {store}/chroma.sqlite3
childcloses a
childopens - - {store}/chroma.sqlite3
hiddenclose a
open a - /dev/null
close a
badclose
"""
SPAWN = """\
import os, sqlite3, subprocess, sys
connection = sqlite3.connect(sys.argv[1])
subprocess.run(["true"], close_fds=True, check=True)
if os.fork() == 0:
    os._exit(0)
os.wait()
connection.close()
print("closed")
"""
CREATE = "create table t(a); insert into t values (1); select count(*) from t; drop table t;"


class Scenario(typing.NamedTuple):
    name: str
    command: list
    said: str = "unlocked at once: "  # what the shim's log must say; "" if it is written elsewhere
    text: str = ""                    # for the command's standard input
    settings: dict = {}


SCENARIOS = (
    Scenario("the sqlite3 shell", ["/usr/bin/sqlite3", "{store}/shell.db", CREATE]),
    Scenario("a connection of python3",
             [PYTHON, "tests/e2e/programs/closer.py", "{store}/chroma.sqlite3"], text="close\n"),
    Scenario("a program with children", [PYTHON, "-c", SPAWN, "{store}/chroma.sqlite3"]),
    Scenario("every way a handle goes away", ["build/programs/stepper"], text=STEPS),
    Scenario("a close on another thread while the program exits",
             ["build/programs/threads", "exit-closing", "{store}/chroma.sqlite3", "50"],
             text="go\n",  # under valgrind, a busy machine has it close later than 100 ms
             settings={"SETTLE_FALLBACK_DELAY": "20s", "SETTLE_MAX_WAIT": "20s"}),
    Scenario("a store that stays held", ["build/programs/stepper"],
             said="still locked after ", text="open a - {store}/held.db\nclose a\n",
             settings={"SETTLE_MAX_WAIT": "200ms"}),
    Scenario("a log on standard error", ["build/programs/stepper"], said="",
             text="open a - {store}/chroma.sqlite3\nclose a\n", settings={"SETTLE_LOG_FILE": ""}),
    Scenario("settings that are refused", ["/bin/true"], said="SETTLE_MAX_FILES='x': expected ",
             settings={"SETTLE_MAX_FILES": "x", "SETTLE_DIRS": "/:{store}/*:later/[a]:x"}),
)


def run(command, text, environment):
    result = subprocess.run(command, input=text, env=environment, cwd=ROOT, encoding="utf-8",
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE,
                            check=False)
    # what programs/stepper says of the time a call took
    return result.returncode, re.sub(r"(?m)^(-?\d+ \d+) \d+$", r"\1", result.stdout), result.stderr


def errors_in(logs):
    """The number of places with errors, in all processes that valgrind ran, and what it said."""
    text = "".join(log.read_text("utf-8", "replace") for log in logs)
    contexts = [int(n) for n in re.findall(r"ERROR SUMMARY: \d+ errors from (\d+) contexts", text)]
    assert contexts, "valgrind said nothing:\n" + text
    return sum(contexts), text


def under_valgrind(command, text, environment):
    with tempfile.TemporaryDirectory(prefix="settle-valgrind-") as logs:
        line = ["valgrind", f"--log-file={logs}/%p", *command]
        result = run(line, text, environment)
        return result, *errors_in(pathlib.Path(logs).iterdir())


def fail(name, what, details):
    sys.exit(f"valgrind: {name}: {what}\n{details}")


def examine(scenario, store, log):
    def here(words):
        return words.replace("{store}", store)

    command = [here(word) for word in scenario.command]
    text = here(scenario.text)
    plain = {name: value for name, value in os.environ.items() if not name.startswith("SETTLE_")}
    settings = {"SETTLE_STORES": "chroma:sqlite", "SETTLE_LOG": "debug",
                "SETTLE_LOG_FILE": str(log), **scenario.settings}
    shimmed = {**plain, "LD_PRELOAD": str(BUILD / "libsettle.so"),
               **{name: here(value) for name, value in settings.items() if value != ""}}

    got, errors, report = under_valgrind(command, text, shimmed)
    wanted, allowed = run(command, text, plain), 0
    if errors > 0 or got[:2] != wanted[:2]:  # that may be valgrind's doing
        wanted, allowed, _ = under_valgrind(command, text, plain)
    if errors > allowed:
        fail(scenario.name, "memcheck finds what it does not find without the shim", report)
    if got[:2] != wanted[:2]:
        fail(scenario.name, "another result than without the shim", f"{wanted}\n{got}")
    if scenario.said not in (log.read_text("utf-8") if scenario.said else ""):
        fail(scenario.name, f"no '{scenario.said}' in the log", log.read_text("utf-8"))
    print(f"  MEMCHECK {scenario.name}: no error", flush=True)


def make_store(store):
    """A persist directory with a collection, and a database that somebody else holds."""
    collection = store / "d5c3"
    collection.mkdir(parents=True)
    for name in ("chroma.sqlite3", "held.db", "d5c3/header.bin", "d5c3/index_metadata.pickle"):
        (store / name).write_bytes(b"")
    (store / "held.db").write_bytes(b"SQLite format 3\0" + bytes(496))
    holder = subprocess.Popen([BUILD / "programs/holder", "flock", store / "held.db", "600000"],
                              stdout=subprocess.PIPE)
    holder.stdout.readline()
    return holder


def examine_unit(test):
    result, errors, report = under_valgrind(["--trace-children=yes", test], "", os.environ)
    if errors > 0:
        fail(test, "memcheck finds errors", report)
    summary = re.search(r"Tested: .*", re.sub(r"\033\[[0-9;]*m", "", result[2]))
    print(f"  MEMCHECK {test}: no error. {summary.group(0) if summary else ''}", flush=True)


def main():
    with tempfile.TemporaryDirectory(prefix="settle-valgrind-") as top:
        store = pathlib.Path(top) / "store"
        holder = make_store(store)
        try:
            for number, scenario in enumerate(SCENARIOS):
                examine(scenario, str(store), pathlib.Path(top) / f"log-{number}")
        finally:
            holder.kill()
            holder.wait()
    for test in sys.argv[1:]:
        examine_unit(test)


main()
