"""PHP's tests of its two SQLite extensions, with the extensions that Debian installed."""

import pathlib
from collections.abc import Iterator

import harness

PHP = "/usr/bin/php"


def prepare(archives: pathlib.Path, tree: pathlib.Path) -> None:
    tests = (f"ext/{extension}/tests/" for extension in ("pdo", "pdo_sqlite", "sqlite3"))
    harness.unpack(archives, "php8.2", tree, "run-tests.php", *tests)


def units(place: harness.Place, short: bool) -> list[harness.Unit]:
    runner = [PHP, "run-tests.php", "-q", "-p", PHP, "-W", str(place.result)]
    return [
        harness.Unit(extension, [*runner, f"ext/{extension}/tests"], directory=place.tree)
        for extension in ("pdo_sqlite", "sqlite3")
    ]


def cases(output: str, place: harness.Place) -> Iterator[tuple[str, str]]:
    """Lines of outcome, tab and path."""
    words = {"PASSED": harness.PASSED, "XFAILED": harness.PASSED, "SKIPPED": harness.SKIPPED}
    if not place.result.exists():
        return
    for line in place.result.read_text().splitlines():
        outcome, _, path = line.partition("\t")
        yield path.rpartition("/tests/")[2], words.get(outcome, harness.FAILED)


SUITE = harness.Suite(
    name="PHP",
    package="php8.2",
    prepare=prepare,
    units=units,
    cases=cases,
    enough=(190, 190),  # Debian 13's PHP: 197
    # PHP loads its extensions past every preloaded library.
    settings={"SETTLE_DEEPBIND": "strip"},
)
