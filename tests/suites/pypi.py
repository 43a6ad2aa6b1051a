"""APSW, sqlite-utils and py-lmdb: their own tests, with the modules of PyPI that python.txt pins. APSW's tests are within
its package; those of the others are in their source distributions."""

import os
import pathlib
import re
import shutil
import subprocess
import sysconfig
import tarfile
from collections.abc import Callable, Iterator

import cpython
import harness

HERE = pathlib.Path(__file__).resolve().parent
LIST = HERE / "python.txt"


def version_of(package: str) -> str:
    return re.search(rf"^{package}==(.*)$", LIST.read_text(), re.MULTILINE)[1]


def interpreter() -> str:
    """Of the virtual environment with the packages."""
    return subprocess.run([HERE.parent / "venv", LIST], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def archive_of(archives: pathlib.Path, package: str) -> pathlib.Path:
    return archives / f"{package.replace('-', '_')}-{version_of(package)}.tar.gz"


def fetch_source(archives: pathlib.Path, package: str) -> None:
    """By pip, which makes its metadata as well."""
    if not archive_of(archives, package).exists():
        subprocess.run([interpreter(), "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest",
                        archives, f"{package}=={version_of(package)}"], check=True)


def put_packages(tree: pathlib.Path) -> None:
    """The packages, and the Python that the environment is one of: user nobody reaches no cache."""
    python = pathlib.Path(interpreter())
    packages = sysconfig.get_path("purelib", "posix_prefix", {"base": str(python.parent.parent),
                                                              "py_version_short": python_version(python)})
    shutil.copytree(packages, tree / "packages")
    (tree / "python").symlink_to(os.path.realpath(python))


def python_version(python: pathlib.Path) -> str:
    say = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", say], check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def unpack_tests(archives: pathlib.Path, package: str, tree: pathlib.Path) -> None:
    with tarfile.open(archive_of(archives, package)) as source:
        for member in source:
            member.name = member.name.partition("/")[2]
            if member.name.startswith(("tests/", "docs/", "README")):
                source.extract(member, tree)


def unit(place: harness.Place, name: str, *words: str, seconds: int = 600) -> harness.Unit:
    return harness.Unit(name, [str(place.tree / "python"), *words], directory=place.tree, seconds=seconds,
                        environment={"PYTHONPATH": str(place.tree / "packages"), "PYTHONDONTWRITEBYTECODE": "1"})


def pytest(place: harness.Place, name: str, *words: str) -> harness.Unit:
    return unit(place, name, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={place.result}", *words)


def pytest_cases(output: str, place: harness.Place) -> Iterator[tuple[str, str]]:
    if place.result.exists():
        for case in cpython.ElementTree.parse(place.result).iter("testcase"):
            yield f"{case.get('classname')}.{case.get('name')}", cpython.outcome_of(case)


# --- APSW ---

# Writes down what each test came to: what unittest prints has the tests' own output in it.
RUNNER = """
import runpy, sys, unittest
out = open(sys.argv.pop(1), "w", buffering=1)
class Noting(unittest.TextTestResult):
    def note(self, test, outcome): out.write(f"{test.id()}\\t{outcome}\\n")
    def addSuccess(self, test): super().addSuccess(test); self.note(test, "passed")
    def addError(self, test, error): super().addError(test, error); self.note(test, "failed")
    def addFailure(self, test, error): super().addFailure(test, error); self.note(test, "failed")
    def addSkip(self, test, reason): super().addSkip(test, reason); self.note(test, "skipped")
    def addExpectedFailure(self, test, error): super().addExpectedFailure(test, error); self.note(test, "passed")
    def addUnexpectedSuccess(self, test): super().addUnexpectedSuccess(test); self.note(test, "failed")
unittest.TextTestRunner.resultclass = Noting
runpy.run_module("apsw.tests", run_name="__main__", alter_sys=True)
"""


def apsw_prepare(_: pathlib.Path, tree: pathlib.Path) -> None:
    put_packages(tree)


def apsw_units(place: harness.Place, short: bool) -> list[harness.Unit]:
    return [unit(place, "apsw.tests", "-c", RUNNER, str(place.result), seconds=1800)]


def apsw_cases(output: str, place: harness.Place) -> Iterator[tuple[str, str]]:
    if place.result.exists():
        for line in place.result.read_text().splitlines():
            name, _, outcome = line.partition("\t")
            yield name, outcome


# --- the others ---


def prepare_from(package: str) -> Callable[[pathlib.Path, pathlib.Path], None]:
    def prepare(archives: pathlib.Path, tree: pathlib.Path) -> None:
        unpack_tests(archives, package, tree)
        put_packages(tree)

    return prepare


def fetch_of(package: str) -> Callable[[pathlib.Path], None]:
    return lambda archives: fetch_source(archives, package)


SUITES = [
    harness.Suite(
        name="APSW",
        package=f"apsw-{version_of('apsw')}",
        fetch=lambda archives: None,
        prepare=apsw_prepare,
        units=apsw_units,
        cases=apsw_cases,
        enough=(230, 0),
        short=False,
    ),
    harness.Suite(
        name="sqlite-utils",
        package=f"sqlite-utils-{version_of('sqlite-utils')}",
        fetch=fetch_of("sqlite-utils"),
        prepare=prepare_from("sqlite-utils"),
        units=lambda place, short: [pytest(place, "tests", "tests", "--hypothesis-seed=0")],
        cases=pytest_cases,
        enough=(1400, 0),
        short=False,
    ),
    harness.Suite(
        name="py-lmdb",
        package=f"lmdb-{version_of('lmdb')}",
        fetch=fetch_of("lmdb"),
        prepare=prepare_from("lmdb"),
        units=lambda place, short: [pytest(place, "tests", "tests", "-o", "python_files=*_test.py")],
        cases=pytest_cases,
        enough=(500, 0),
        short=False,
        settings={"SETTLE_STORES": "all"},
    ),
]
