"""SQLite's own tests, in Tcl. They are run by a program that is built from the same source, the
testfixture, into which SQLite is linked statically."""

import os
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator

import harness

# SQLite's own selection of what runs in minutes.
LIST_VERYQUICK = """
set argv0 [lindex $argv 0]
set argv {}
source [file dirname $argv0]/permutations.test
foreach file [dict get $::testspec(veryquick) -files] {
    puts [file normalize [file join $testdir $file]]
}
exit
"""

# What that leaves out of threads, locks and the ends of processes, but for what takes long.
FURTHER = (
    ["backup", "crash2", "crash3", "crash4", "crash5", "crash6", "crash7", "mmap4", "thread001"]
    + ["thread004", "thread005", "walcrash", "walcrash2", "walprotocol", "writecrash"]
)

SUBSET = (
    r"(attach|backup|exclusive|lock|multiplex|pager|savepoint|shared|wal)[0-9A-Z]?"
    r"|external_reader|superlock|unixexcl|wal(bak|hook|mode|noshm|overwrite|persist|ro|shared)"
)
SLOW = ["wal5"]
RANDOM = ["avtrans"]  # the names of its cases


def build(tree: pathlib.Path) -> None:
    built = tree / "built"
    built.mkdir()
    for command in (
        [tree / "configure", "--enable-all", "--disable-readline", "--with-tcl=/usr/lib/tcl8.6"],
        ["make", f"-j{os.cpu_count()}", "testfixture", "CFLAGS=-O1"],
    ):
        result = subprocess.run(
            command, cwd=built, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if result.returncode != 0:
            raise SystemExit(f"{result.stdout}\nSQLite's testfixture cannot be built")
    (built / "testfixture").rename(tree / "testfixture")
    shutil.rmtree(built)


def prepare(archives: pathlib.Path, tree: pathlib.Path) -> None:
    harness.unpack(archives, "sqlite3", tree, "")
    build(tree)
    (tree / "list.tcl").write_text(LIST_VERYQUICK)


def veryquick(tree: pathlib.Path) -> list[pathlib.Path]:
    command = [tree / "testfixture", tree / "list.tcl", tree / "test/x.test"]
    listed = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, text=True, check=True)
    return [pathlib.Path(line) for line in listed.stdout.splitlines()]


def units(place: harness.Place, short: bool) -> list[harness.Unit]:
    files = veryquick(place.tree) + [place.tree / f"test/{name}.test" for name in FURTHER]
    files = [f for f in files if f.stem not in RANDOM]
    if short:
        files = [f for f in files if re.fullmatch(SUBSET, f.stem) and f.stem not in SLOW]
    runner = str(place.tree / "testfixture")
    return [harness.Unit(path.stem, [runner, str(path)]) for path in sorted(files)]


def cases(output: str, place: harness.Place) -> Iterator[tuple[str, str]]:
    """`name... Ok`, with whatever the case printed in between; `! name expected: ...`, or `name...`
    and `Error: ...` below it; at the end a summary, and what was omitted."""
    for passed in re.finditer(r"^\.*(\S.*?)\.\.\..* Ok$", output, re.MULTILINE):
        yield passed[1], harness.PASSED
    for failed in re.finditer(r"^! (.*?) expected: |^(.*?)\.\.\.\nError: ", output, re.MULTILINE):
        yield failed[1] or failed[2], harness.FAILED
    for omitted in re.finditer(r"^\.  (\S+) ", output, re.MULTILINE):
        yield omitted[1], harness.SKIPPED
    for summary in re.finditer(r"^\d+ errors out of \d+ tests", output, re.MULTILINE):
        yield "(the summary)", summary[0]


SUITE = harness.Suite(
    name="SQLite",
    package="sqlite3",
    prepare=prepare,
    units=units,
    cases=cases,
    enough=(150000, 5000),
    # Many of them keep a database open in a second process while they close it in the first, and
    # with 2 s for each of these closes the suite would stand still for ten minutes.
    settings={"SETTLE_MAX_WAIT": "0.2"},
)
