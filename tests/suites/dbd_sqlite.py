"""Perl's DBD::SQLite: the tests of its source, with the module that Debian installed."""

import pathlib
import re
from collections.abc import Iterator

import harness


def prepare(archives: pathlib.Path, tree: pathlib.Path) -> None:
    harness.unpack(archives, "libdbd-sqlite3-perl", tree, "t/")


def units(place: harness.Place, short: bool) -> list[harness.Unit]:
    files = sorted(str(path.relative_to(place.tree)) for path in place.tree.glob("t/**/*.t"))
    return [harness.Unit(name, ["/usr/bin/perl", name], directory=place.tree) for name in files]


def cases(output: str, place: harness.Place) -> Iterator[tuple[str, str]]:
    """By number, since names have pids in them. https://testanything.org/tap-specification.html"""
    if re.search(r"^1\.\.0 # *skip", output, re.MULTILINE | re.IGNORECASE):
        yield "(the whole file)", harness.SKIPPED
    line = r"^(not )?ok (\d+)[^#\n]*(?:# *(skip|todo))?"
    for failed, number, directive in re.findall(line, output, re.MULTILINE | re.IGNORECASE):
        if directive.lower() == "skip":
            yield number, harness.SKIPPED
        elif failed and not directive:
            yield number, harness.FAILED
        else:
            yield number, harness.PASSED


SUITE = harness.Suite(
    name="DBD::SQLite",
    package="libdbd-sqlite3-perl",
    prepare=prepare,
    units=units,
    cases=cases,
    enough=(3500, 3500),
)
