"""CPython's own tests, from Debian's libpython3.11-testsuite."""

import pathlib
import shutil
import subprocess
from collections.abc import Iterator
from xml.etree import ElementTree

import harness

PYTHON = "/usr/bin/python3"
INSTALLED = pathlib.Path("/usr/lib/python3.11/test")

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
    """test_sqlite3 comes from the source: `make install` of CPython 3.11.2 leaves its directory out,
    which is missing in TESTSUBDIRS of the Makefile, and so Debian's package has none."""
    shutil.copytree(INSTALLED, tree / "test", symlinks=True)
    unpacked = tree / "source"
    harness.unpack(archives, "python3.11", unpacked, "Lib/test/test_sqlite3/")
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
    package="python3.11",
    prepare=prepare,
    units=units,
    cases=cases,
    enough=(3000, 1200),
)
