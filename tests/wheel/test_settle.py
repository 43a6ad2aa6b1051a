"""The Python package, as pip has installed it: run by the interpreter of an environment that has nothing else."""

import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from importlib.metadata import version

import settle

BIN = os.path.dirname(sys.executable)
HOLDER = """
import fcntl, sys, time
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


class WithStore(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="settle-wheel-")
        self.addCleanup(shutil.rmtree, self.dir)
        self.primary = os.path.join(self.dir, "chroma.sqlite3")
        open(self.primary, "wb").close()

    def hold(self, seconds):
        holder = subprocess.Popen([sys.executable, "-c", HOLDER, self.primary, str(seconds)], stdout=subprocess.PIPE)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        self.addCleanup(holder.stdout.close)
        holder.stdout.readline()
        return holder


class Waiting(WithStore):
    def test_a_free_store_is_settled_at_once(self):
        result = settle.wait(self.dir, max_wait=10)
        self.assertTrue(result)
        self.assertLess(result.elapsed, 5)
        self.assertEqual(result.holders, [])

    def test_a_wait_ends_when_the_holder_lets_go(self):
        self.hold(1)
        result = settle.wait(self.dir, max_wait=20)
        self.assertTrue(result)
        self.assertGreater(result.elapsed, 0.1)
        self.assertLess(result.elapsed, 15)

    def test_a_store_that_stays_held_is_not_settled_and_its_holder_is_named(self):
        holder = self.hold(30)
        result = settle.wait(self.dir, max_wait=0.2)
        self.assertFalse(result)
        self.assertGreaterEqual(result.elapsed, 0.2)
        self.assertEqual([h.pid for h in result.holders], [holder.pid])
        self.assertEqual(result.paths[0].holders[0].kind, "POSIX write lock")

    def test_the_lock_of_the_calling_process_counts_and_stays(self):
        import fcntl

        with open(self.primary, "r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            self.assertFalse(settle.wait(self.primary, max_wait=0))
            self.assertFalse(settle.wait(self.primary, max_wait=0), "it was dropped")

    def test_levels_ask_for_more(self):
        with open(self.primary, "rb"):
            self.assertTrue(settle.wait(self.dir, max_wait=0, until="unwritten"))
            self.assertFalse(settle.wait(self.dir, max_wait=0, until="closed"))
        self.assertTrue(settle.wait(self.dir, max_wait=0, until="closed"))

    def test_several_paths_are_one_wait(self):
        other = os.path.join(self.dir, "other")
        open(other, "wb").close()
        self.hold(30)
        result = settle.wait(other, self.dir, max_wait=0.1)
        self.assertEqual([path.settled for path in result.paths], [True, False])
        self.assertFalse(result)

    def test_what_is_set_for_the_library_has_no_effect(self):
        os.environ["SETTLE_MAX_WAIT"] = "nonsense"
        self.addCleanup(os.environ.pop, "SETTLE_MAX_WAIT")
        self.assertTrue(settle.wait(self.dir, max_wait=1))


class Errors(WithStore):
    def test_a_path_that_is_not_there(self):
        with self.assertRaises(FileNotFoundError) as caught:
            settle.wait(os.path.join(self.dir, "nothing"))
        self.assertEqual(caught.exception.filename, os.path.join(self.dir, "nothing"))

    def test_a_directory_without_a_store(self):
        empty = os.path.join(self.dir, "empty")
        os.mkdir(empty)
        with self.assertRaises(settle.UnexaminedError) as caught:
            settle.wait(empty)
        self.assertIn("no store is recognised", str(caught.exception))

    def test_a_directory_is_no_file(self):
        with self.assertRaises(IsADirectoryError):
            settle.wait_file(self.dir)
        self.assertTrue(settle.wait_file(self.primary))

    def test_an_argument_that_is_wrong_is_named_with_what_would_be_right(self):
        for arguments, words in (
            ({"max_wait": -1}, ["max_wait=-1", "from 0 to 86400"]),
            ({"max_wait": "soon"}, ["max_wait='soon'", "seconds"]),
            ({"max_wait": float("nan")}, ["max_wait=nan"]),
            ({"check_interval": 1e9}, ["check_interval=1000000000.0"]),
            ({"until": "free"}, ["until='free'", "unlocked, unwritten, closed"]),
        ):
            with self.assertRaises(ValueError) as caught:
                settle.wait(self.dir, **arguments)
            for word in words:
                self.assertIn(word, str(caught.exception))
        with self.assertRaises(ValueError):
            settle.wait()
        with self.assertRaisesRegex(TypeError, "max_wait=0.5"):
            settle.wait(self.dir, 0.5)
        for nothing in ("", b""):
            with self.assertRaises(ValueError):
                settle.wait(nothing)
        with self.assertRaises(ValueError):
            settle.settled(self.dir, until="free")  # not after all the work


class OnLeaving(WithStore):
    def test_a_context_waits_when_it_is_left(self):
        with settle.settled(self.dir, max_wait=20) as store:
            self.hold(1)
            self.assertIsNone(store.result)
            began = time.monotonic()
        self.assertTrue(store.result)
        self.assertGreater(time.monotonic() - began, 0.1)

    def test_an_exception_from_within_goes_on(self):
        with self.assertRaises(KeyError):
            with settle.settled(self.dir) as store:
                raise KeyError
        self.assertTrue(store.result)
        with self.assertRaises(KeyError), settle.settled(os.path.join(self.dir, "nothing")):
            raise KeyError
        with self.assertRaises(FileNotFoundError), settle.settled(os.path.join(self.dir, "nothing")):
            pass


class Commands(WithStore):
    def run_command(self, *command, **more):
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **more)

    def test_each_is_there_and_of_the_packages_version(self):
        for name in ("settle", "settle-wait", "settle-report", "settle-entrypoint"):
            done = self.run_command(os.path.join(BIN, name), "--version")
            self.assertEqual((done.returncode, done.stdout.split()[-1]), (0, version("settle")), done.stderr)

    def test_settle_wait_says_who_holds_it(self):
        holder = self.hold(30)
        done = self.run_command(os.path.join(BIN, "settle-wait"), "--max-wait", "0", self.dir)
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(holder.pid), done.stderr)

    def test_a_program_knows_whether_it_is_under_the_library(self):
        question = "import settle; print(settle.preloaded())"
        plain = self.run_command(sys.executable, "-c", question)
        self.assertEqual(plain.stdout, "False\n", plain.stderr)
        for launcher in ([os.path.join(BIN, "settle")], [sys.executable, "-m", "settle"]):
            done = self.run_command(*launcher, "--", sys.executable, "-c", question)
            self.assertEqual(done.stdout, "True\n", done.stderr)
        preload = dict(os.environ, LD_PRELOAD=settle.library())
        self.assertEqual(self.run_command(sys.executable, "-c", question, env=preload).stdout, "True\n")

    def test_a_close_under_it_waits_and_is_reported(self):
        record = os.path.join(self.dir, "record")
        self.hold(3)
        program = "import sys, time\nf = open(sys.argv[1], 'r+b')\nt = time.monotonic()\nf.close()\nprint(time.monotonic() - t)"
        done = self.run_command(os.path.join(BIN, "settle"), "--max-wait", "20", "--record", record, "--", sys.executable,
                                "-c", program, self.primary)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertGreater(float(done.stdout), 0.1)
        report = self.run_command(os.path.join(BIN, "settle-report"), "--json", record)
        self.assertEqual(report.returncode, 0, report.stderr)
        json.loads(report.stdout)

    @unittest.skipIf(platform.machine() == "aarch64", "its settle-wait is built without SQLite")
    def test_a_database_is_copied_without_a_library_of_the_system(self):
        primary = os.path.join(self.dir, "app.db")
        copy = os.path.join(self.dir, "copy.db")
        with sqlite3.connect(primary) as database:
            database.execute("CREATE TABLE t (a)")
        database.close()
        subprocess.run([os.path.join(BIN, "settle-wait"), "--copy", copy, primary], check=True)
        with sqlite3.connect(copy) as database:
            self.assertEqual(database.execute("SELECT count(*) FROM t").fetchall(), [(0,)])
        database.close()

    def test_the_exit_code_is_that_of_the_program(self):
        done = self.run_command(sys.executable, "-m", "settle", "--", sys.executable, "-c", "raise SystemExit(7)")
        self.assertEqual(done.returncode, 7)
        self.assertEqual(self.run_command(sys.executable, "-m", "settle", "--", "./nothing").returncode, 127)


if __name__ == "__main__":
    unittest.main(verbosity=1)
