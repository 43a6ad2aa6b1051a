"""A holder, a waiter, and who looks whether the file is free when the wait returns: duel.c. And all the
ways to wait, ours and the others."""

import dataclasses
import queue
import shutil
import subprocess
import threading

import common
from common import BUILD, PROGRAMS, SETTLE

LONG = "10"  # seconds; longer than any holding time

# The time that a peer without a bound of its own gets beyond the holding time.
GIVE_UP = 0.5


@dataclasses.dataclass
class Method:
    name: str
    command: list           # of waiter
    preload: str = None
    settings: dict = dataclasses.field(default_factory=dict)
    only: tuple = ()        # kinds of holder that it can see; empty: all
    needs: str = ""         # a program that may be missing
    bound: float = None     # seconds after which it is ended; None: GIVE_UP after the release


# Kinds of holder whose locks fcntl sees.
POSIX = ("closes", "unlocks", "commits", "commits-wal", "killed")


def loop(program):
    return ["command", "sh", "-c", f'while {program} "$1" >/dev/null 2>&1; do sleep 0.05; done', "sh"]


OURS = Method("settle", ["close"], SETTLE, {"SETTLE_MAX_WAIT": LONG})
COMMAND = Method("settle-wait", ["command", str(BUILD / "settle-wait"), "--max-wait", LONG], bound=2 * float(LONG))
SLEEP = Method("sleep 0.5", ["sleep"])
OPENING = Method("polling r+b, 50 ms", ["open"])
ASKING = Method("polling F_GETLK, 50 ms", ["ask"], only=POSIX)
METHODS = [
    OURS,
    COMMAND,
    SLEEP,
    OPENING,
    ASKING,
    Method("asking all the time", ["ask-only"], only=POSIX),
    Method("lsof loop, 50 ms", loop("lsof -t"), needs="lsof"),
    Method("fuser loop, 50 ms", loop("fuser -s"), needs="fuser"),
    Method("inotifywait -e close", ["command", "inotifywait", "-qq", "-e", "close"], needs="inotifywait"),
    Method("blocking flock", ["flock"], only=("flock",)),
    Method("flock(1)", ["command", "sh", "-c", 'flock "$1" true', "sh"], only=("flock",), needs="flock"),
]


@dataclasses.dataclass
class Kind:
    name: str    # duel's
    said: str
    event: bool  # whether inotify tells of the release


KINDS = [
    Kind("closes", "closes", True),
    Kind("unlocks", "unlocks, stays open", False),
    Kind("commits", "commits (rollback)", True),
    Kind("commits-wal", "commits, closes (WAL)", True),
    Kind("killed", "is killed", True),
    Kind("flock", "drops a flock, stays open", False),
]


@dataclasses.dataclass
class Trial:
    """Seconds."""
    hold: float         # as asked for
    began: float
    returned: float
    released: float     # 0: nobody held it
    held: bool          # when it returned, as another process sees it
    gave_up: bool
    processor: float

    @property
    def waited(self):
        return self.returned - self.began

    @property
    def held_for(self):
        """How long a wait could not but last."""
        return max(0.0, self.released - self.began) if self.released else 0.0

    @property
    def overshoot(self):
        """From the release, or from the begin if that came later, to the return."""
        return self.returned - max(self.released, self.began)

    @property
    def early(self):
        return not self.gave_up and (self.held or self.returned < self.released)


class Duel:
    def __init__(self, method, settings=None):
        env = common.environment(None, {**method.settings, **(settings or {}), "SETTLE_LOG_FILE": "/dev/null"})
        if method.preload:
            env["WAITER_PRELOAD"] = method.preload
        self.method = method
        self.process = common.start([PROGRAMS / "duel", PROGRAMS / "waiter", *method.command], env=env,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=1)
        # lsof and fuser complain of processes that they may not look into
        self.complaints = queue.Queue()
        threading.Thread(target=self.read_complaints, daemon=True).start()

    def read_complaints(self):
        for line in self.process.stderr:
            self.complaints.put(line)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        common.end(self.process)

    def trial(self, kind, path, hold, bound=None, processor=False):
        """hold, bound: seconds; kind "-": nobody holds it."""
        bound = bound or self.method.bound or hold + GIVE_UP
        try:
            self.process.stdin.write(f"{kind} {hold * 1e6:.0f} {bound * 1e6:.0f} {processor:d} {path}\n")
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.process.wait()
            said = "".join(list(self.complaints.queue)[-5:])
            raise common.Failure(f"duel of {self.method.name} and {kind}: {said.strip() or 'ended'}")
        began, returned, released, held, gave_up, used = (int(word) for word in line.split())
        return Trial(hold, began / 1e9, returned / 1e9, released / 1e9, bool(held), bool(gave_up), used / 1e9)


def make_store(directory):
    """The path of the primary of an empty store in it."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "chroma.sqlite3"
    path.touch()
    return path


def check(directory):
    """That a wait which ends early is seen: without that, "none early" would say nothing."""
    with Duel(OPENING) as duel:
        for kind in KINDS:
            if not duel.trial(kind.name, make_store(directory / kind.name), 0.02).early:
                raise common.Failure(f"a wait that waits for nothing was not seen to end early (holder: {kind.said})")


def available(section):
    for method in METHODS:
        if method.needs and shutil.which(method.needs) is None:
            section.skip(f"{method.name}: {method.needs} is not installed (scripts/setup bench)")
        else:
            yield method
