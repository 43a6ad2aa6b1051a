#!/usr/bin/python3
"""The harness compares what it is meant to compare, and notices what it is meant to notice."""

import contextlib
import pathlib
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True

import cpython  # noqa: E402
import dbd_sqlite  # noqa: E402
import harness  # noqa: E402
import php  # noqa: E402
import sqlite_tcl  # noqa: E402

LIBRARY = pathlib.Path(__file__).resolve().parent.parent.parent / "build/libsettle.so"


def differs(plain: str, shimmed: str) -> bool:
    """Of outcomes written as letters, one for each run."""
    return harness.Finding("file", "case", list(plain), list(shimmed)).differs()


class TheRule(unittest.TestCase):
    def test_a_failure_that_comes_again_and_only_under_the_library_is_a_difference(self):
        self.assertTrue(differs("pppp", "ffff"))
        self.assertTrue(differs("pppp", "fpfp"))

    def test_a_failure_that_comes_again_and_only_without_the_library_is_a_difference(self):
        self.assertTrue(differs("ffff", "pppp"))

    def test_a_failure_that_came_once_is_flaky(self):
        self.assertFalse(differs("pppp", "fppp"))

    def test_a_failure_that_came_in_both_ways_is_flaky(self):
        self.assertFalse(differs("fppp", "ffpp"))

    def test_a_case_that_mostly_passes_and_never_under_the_library_is_a_difference(self):
        self.assertTrue(differs("fppp", "ffff"))

    def test_a_case_that_is_absent_in_one_way_is_a_difference(self):
        plain, shimmed = {"a": "passed", "b": "passed"}, {"a": "passed"}
        found = harness.findings("file", [plain] * 4, [shimmed] * 4)
        self.assertEqual([finding.case for finding in found if finding.differs()], ["b"])


class ASuiteOfShellScripts(unittest.TestCase):
    """Each line that a script prints is a case that passed."""

    def compare(self, script: str, seconds: int = 60) -> harness.Report:
        suite = harness.Suite(
            name="shell",
            package="",
            prepare=lambda archives, tree: None,
            units=lambda place, short: [
                harness.Unit("script", ["/bin/sh", "-c", script], seconds=seconds)
            ],
            cases=lambda output, place: ((line, harness.PASSED) for line in output.splitlines()),
            enough=(1, 1),
            settings={"SETTLE_MAX_WAIT": "0.2"},
        )
        with contextlib.ExitStack() as stack:
            tree = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
            place = stack.enter_context(harness.place_for(tree, LIBRARY))
            return harness.compare(suite, place, True, tree / "outputs", lambda message: None)

    def different(self, script: str, seconds: int = 60) -> list[str]:
        return [finding.case for finding in self.compare(script, seconds).different]

    def test_that_print_the_same_does_not_differ(self):
        report = self.compare("echo one; echo two")
        self.assertEqual((report.different, report.flaky), ([], []))
        self.assertEqual(report.plain.outcomes[harness.PASSED], 2)

    def test_that_see_the_library_differs(self):
        self.assertEqual(self.different('echo one; echo "${LD_PRELOAD+two}"'), ["", "two"])

    def test_that_end_otherwise_differs(self):
        self.assertEqual(self.different('[ -z "${LD_PRELOAD-}" ]'), ["(how it ended)"])

    def test_that_hang_differs_and_is_ended(self):
        began = time.monotonic()
        self.assertEqual(self.different('[ -z "${LD_PRELOAD-}" ] || sleep 60', 1), ["(how it ended)"])
        self.assertLess(time.monotonic() - began, 30)

    def test_run_in_an_empty_directory_of_its_own(self):
        report = self.compare('ls -A; echo "$((1 + $(ls -A | wc -l)))" >>file')
        self.assertEqual(report.plain.outcomes[harness.PASSED], 0)

    def test_that_open_no_database_show_no_close(self):
        self.assertEqual(self.compare("echo one").closes, 0)

    def test_that_open_a_database_show_its_close(self):
        self.assertGreater(self.compare("sqlite3 db 'CREATE TABLE t(x)'; echo one").closes, 0)

    def test_that_close_a_held_database_show_the_time_waited(self):
        holder = "sqlite3 db 'CREATE TABLE t(x); BEGIN; SELECT * FROM sqlite_master;' '.shell sleep 2' &"
        report = self.compare(f"{holder} sleep 1; sqlite3 db 'SELECT 1 FROM t'; echo one")
        log = report.shimmed.log
        self.assertGreater(log.waits, 0)
        self.assertAlmostEqual(log.waited / log.waits, 0.2, delta=0.1)

    def test_that_a_broken_library_breaks_differs(self):
        with tempfile.NamedTemporaryFile(suffix=".so") as broken:
            broken.write(b"not a library")
            broken.flush()
            global LIBRARY
            LIBRARY, whole = pathlib.Path(broken.name), LIBRARY
            try:
                report = self.compare("/bin/true")
            finally:
                LIBRARY = whole
        self.assertIn("the loader did not take the library", report.shimmed.log.unusual[0])


if __name__ == "__main__":
    unittest.main()
