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


class MoreRuns(unittest.TestCase):
    """Of one case, whose outcomes are written as letters, one for each run."""

    def again(self, plain: str, shimmed: str) -> tuple[int, bool]:
        ways = {"plain": iter(plain), "shimmed": iter(shimmed)}

        def run_in(way: str) -> harness.Run:
            return harness.Run({"case": next(ways[way])}, 0.0, 0.0, harness.Log(), "")

        runs = {way: [run_in(way)] for way in ways}
        (finding,) = harness.run_again(runs, "file", run_in)
        return len(finding.plain) + len(finding.shimmed), finding.differs()

    def test_are_not_needed_where_each_way_is_of_one_mind(self):
        self.assertEqual(self.again("pppp", "ffff"), (8, True))

    def test_are_not_needed_for_what_came_in_both_ways(self):
        self.assertEqual(self.again("pfpp", "fppf"), (8, False))

    def test_end_when_what_varies_under_the_library_varies_without(self):
        self.assertEqual(self.again("ppppppf", "fpfp"), (11, False))

    def test_end_when_what_varies_without_the_library_varies_under_it(self):
        self.assertEqual(self.again("fppf", "ppppf"), (9, False))

    def test_that_never_show_it_leave_a_difference(self):
        self.assertEqual(self.again("p" * 12, "fpfp"), (16, True))


class AReport(unittest.TestCase):
    def complaints(self, short: bool = False, **changes: object) -> list[str]:
        numbers = {"passed": 10, "closes": 1, "plain": 100.0, "shimmed": 105.0, "waited": 0.0} | changes
        suite = harness.Suite("name", "", lambda *_: None, lambda *_: [], lambda *_: iter(()), (10, 10))
        report = harness.Report(suite, closes=numbers["closes"])
        outcomes = {str(i): harness.PASSED for i in range(numbers["passed"])}
        log = harness.Log(waited=numbers["waited"], unusual=numbers.get("unusual", []))
        report.plain.add("file", harness.Run(outcomes, numbers["plain"], 10.0, harness.Log(), ""))
        report.shimmed.add("file", harness.Run(outcomes, numbers["shimmed"], numbers.get("work", 10.0), log, ""))
        if "again" in numbers:
            report.shimmed.add_times("file", harness.Run({}, numbers["again"], 10.0, harness.Log(), ""))
        report.different = numbers.get("different", [])
        return [complaint.split()[0] for complaint in report.complaints(short)]

    def test_of_a_suite_where_all_is_well_has_no_complaint(self):
        self.assertEqual(self.complaints(), [])

    def test_of_a_difference_complains(self):
        finding = harness.Finding("file", "case", ["passed"], ["failed"])
        self.assertEqual(self.complaints(different=[finding]), ["differs:"])

    def test_of_a_suite_that_does_not_work_here_complains(self):
        self.assertEqual(self.complaints(passed=9), ["only"])

    def test_of_a_library_that_is_not_at_work_complains(self):
        self.assertEqual(self.complaints(closes=0), ["no"])

    def test_of_a_warning_that_no_test_means_to_cause_complains(self):
        self.assertEqual(self.complaints(unusual=["..."]), ["unexpected:"])

    def test_of_a_slow_suite_complains_unless_it_is_a_subset(self):
        self.assertEqual(self.complaints(shimmed=111.0), ["takes"])
        self.assertEqual(self.complaints(shimmed=111.0, short=True), [])

    def test_of_a_suite_that_was_slow_once_has_no_complaint(self):
        self.assertEqual(self.complaints(shimmed=111.0, again=104.0), [])
        self.assertEqual(self.complaints(shimmed=112.0, again=111.0), ["takes"])

    def test_of_a_suite_that_takes_more_of_the_processor_complains(self):
        self.assertEqual(self.complaints(work=11.1), ["takes"])
        self.assertEqual(self.complaints(work=11.1, again=104.0), [])

    def test_of_a_suite_that_waited_for_others_has_no_complaint(self):
        self.assertEqual(self.complaints(shimmed=165.0, waited=60.0), [])


class TheLog(unittest.TestCase):
    def test_has_waits_of_all_outcomes(self):
        log = harness.read_log(
            "settle[1]: File unlocked after polling: /a after 0.500 s probes=2 sleeps=1 events=0\n"
            "settle[1]: warning: /a: still locked after 2.000 s, held by POSIX read lock of pid 2 (b)"
            " probes=9 sleeps=8 events=0\n"
            "settle[1]: /a: opened again by this process after 0.250 s, the wait ends probes=3\n"
            "settle[1]: warning: /a-shm: cannot be examined (EACCES), a fixed delay instead probes=1\n"
            "settle[1]: debug: unlocked at once: /a probes=1 sleeps=0 events=0\n"
        )
        self.assertEqual((log.closes, log.waits, log.waited, log.unusual), (5, 4, 2.85, []))

    def test_has_no_warning_of_what_tests_arrange(self):
        line = "settle[1]: warning: waits in vain have taken twice max_wait: those that follow end after 0.100 s"
        self.assertEqual(harness.read_log(line).unusual, [])

    def test_has_warnings_that_no_test_means_to_cause(self):
        line = "settle[1]: warning: /a: cannot be tracked (too many stores are open, or no memory)"
        self.assertEqual(harness.read_log(line).unusual, [line])


class TheCases(unittest.TestCase):
    def cases(self, suite: harness.Suite, output: str = "", result: str = "") -> list[tuple[str, str]]:
        with tempfile.TemporaryDirectory() as directory:
            place = harness.Place(pathlib.Path(directory))
            place.result.parent.mkdir()
            place.result.write_text(result)
            return [(name, outcome[0]) for name, outcome in suite.cases(output, place)]

    def test_of_cpython(self):
        result = """<suite>
            <testcase name="good"/>
            <testcase name="bad"><failure/></testcase>
            <testcase name="broken"><error/></testcase>
            <testcase/>
            <testcase name="too good"><outcome/></testcase>
            <testcase name="left out"><skipped/></testcase>
        </suite>"""
        expected = [("good", "p"), ("bad", "f"), ("broken", "f"), ("(a case with subtests)", "f")]
        expected += [("too good", "f"), ("left out", "s")]
        self.assertEqual(self.cases(cpython.SUITE, result=result), expected)

    def test_of_dbd_sqlite(self):
        output = "1..4\nok 1 - in foo1234\nnot ok 2\nok 3 # skip no\nnot ok 4 - later # TODO yes\n"
        expected = [("1", "p"), ("2", "f"), ("3", "s"), ("4", "p")]
        self.assertEqual(self.cases(dbd_sqlite.SUITE, output), expected)

    def test_of_a_whole_file_of_dbd_sqlite(self):
        output = "1..0 # SKIP for Win32 only\n"
        self.assertEqual(self.cases(dbd_sqlite.SUITE, output), [("(the whole file)", "s")])

    def test_of_php(self):
        result = "PASSED\t/x/tests/a.phpt\nFAILED\t/x/tests/b.phpt\nSKIPPED\t/x/tests/c.phpt\n"
        expected = [("a.phpt", "p"), ("b.phpt", "f"), ("c.phpt", "s")]
        self.assertEqual(self.cases(php.SUITE, result=result), expected)

    def test_of_sqlite(self):
        output = (
            "a-1.1... Ok\na-1.(2 3)... (8 ms) Ok\nNo support. Skipping tests...\n"
            "a-1.4...\n! a-1.4 expected: [1]\n! a-1.4 got:      [2]\na-1.5...\nError: no such table\n"
            "2 errors out of 4 tests on a machine\nOmitted test cases:\n.  a-2.0 no threads\n"
        )
        expected = [("a-1.1", "p"), ("a-1.(2 3)", "p"), ("a-1.4", "f"), ("a-1.5", "f")]
        expected += [("a-2.0", "s"), ("(the summary)", "2")]
        self.assertEqual(self.cases(sqlite_tcl.SUITE, output), expected)


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
        hanging = '[ -z "${LD_PRELOAD-}" ] || sleep 60'
        self.assertEqual(self.different(hanging, 1), ["(how it ended)"])
        self.assertLess(time.monotonic() - began, 30)

    def test_run_in_an_empty_directory_of_its_own(self):
        report = self.compare("ls -A; touch file")
        self.assertEqual(report.shimmed.outcomes[harness.PASSED], 0)

    def test_that_print_a_name_twice_have_two_cases(self):
        script = 'echo one; [ -n "${LD_PRELOAD-}" ] || echo one; true'
        self.assertEqual(self.different(script), ["one #2"])

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
