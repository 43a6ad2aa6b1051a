"""CPython's own tests, from Debian's libpython3-testsuite of /usr/bin/python3."""

import os
import pathlib
import shutil
import subprocess
from collections.abc import Iterator
from xml.etree import ElementTree

import harness

PYTHON = "/usr/bin/python3"
# python3.11 in Debian 12, python3.13 in Debian 13: the library's directory is named after it.
INSTALLED = pathlib.Path(os.path.realpath(PYTHON).replace("/bin/", "/lib/")) / "test"
PACKAGE = INSTALLED.parent.name

SECONDS = [
    "test_sqlite3",
    "test_dbm",
    "test_fcntl",
    "test_fileio",
    "test_mmap",
    "test_os",
    "test_posix",
    "test_shutil",
    "test_tempfile",
    "test_threading",
]
MINUTES = [
    "test_asyncio",
    "test_io",
    "test_multiprocessing_spawn",
    "test_signal",
    "test_socket",
    "test_subprocess",
]


def prepare(archives: pathlib.Path, tree: pathlib.Path) -> None:
    """Where test_sqlite3 is missing, it comes from the source: `make install` of CPython 3.11.2 leaves its directory
    out, which is not in TESTSUBDIRS of the Makefile, and so Debian's package has none."""
    shutil.copytree(INSTALLED, tree / "test", symlinks=True)
    if (tree / "test/test_sqlite3").exists():
        return
    unpacked = tree / "source"
    harness.unpack(archives, PACKAGE, unpacked, "Lib/test/test_sqlite3/")
    (unpacked / "Lib/test/test_sqlite3").rename(tree / "test/test_sqlite3")
    shutil.rmtree(unpacked)
    subprocess.run([PYTHON, "-m", "compileall", "-q", tree / "test/test_sqlite3"], check=True)


def units(place: harness.Place, short: bool) -> list[harness.Unit]:
    # Where a virtual machine's socket to itself leads nowhere, the tests of it hang.
    runner = [PYTHON, "-m", "test", "--timeout", "500", "--ignore", "*VSOCK*"]
    return [
        harness.Unit(
            name,
            [*runner, "--junit-xml", str(place.result), name],
            opens_databases=name == "test_sqlite3",
            environment={"PYTHONPATH": str(place.tree)},
        )
        for name in (SECONDS if short else SECONDS + MINUTES)
    ]


def outcome_of(case: ElementTree.Element) -> str:
    failures = ("error", "failure", "outcome")  # the last is an unexpected success
    if case.get("name") is None or any(case.find(tag) is not None for tag in failures):
        return harness.FAILED
    return harness.PASSED if case.find("skipped") is None else harness.SKIPPED


def cases(output: str, place: harness.Place) -> Iterator[tuple[str, str]]:
    """A case that failed in a subtest is written without a name."""
    if place.result.exists():
        for case in ElementTree.parse(place.result).iter("testcase"):
            yield case.get("name", "(a case with subtests)"), outcome_of(case)


SUITE = harness.Suite(
    name="CPython",
    package=PACKAGE,
    prepare=prepare,
    units=units,
    cases=cases,
    enough=(3000, 1200),
)
