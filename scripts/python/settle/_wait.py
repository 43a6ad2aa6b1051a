"""Waiting from outside: settle-wait, its answer, and its errors."""

import errno
import json
import math
import os
import stat
import subprocess
from types import TracebackType
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Type, Union

from ._where import command

Path = Union[str, "os.PathLike[str]"]

_LEVELS = ("unlocked", "unwritten", "closed")
_LONGEST = 86400.0  # seconds, as settle-wait has it
_SETTLED, _HELD, _USAGE, _UNEXAMINED = 0, 1, 2, 3  # exit codes of settle-wait


class UnexaminedError(OSError):
    """A path is there and cannot be examined: no store is recognised in a directory, or the file may
    not be looked at. `strerror` says why, `filename` which."""


class Holder(NamedTuple):
    """Who keeps a store from being settled."""

    pid: int  # 0: unknown, such as one in another container
    command: str
    kind: str  # such as "POSIX write lock"
    file: str
    lock: Optional[str]  # SQLite's name for it, such as "SHARED"


class PathResult(NamedTuple):
    """What became of one path."""

    path: str
    settled: bool
    elapsed: float  # seconds
    holders: List[Holder]  # empty where it is settled
    complete: bool  # all holders are listed


class Result(NamedTuple):
    """What became of a wait. It is true where everything is settled."""

    settled: bool
    elapsed: float  # seconds
    paths: List[PathResult]

    def __bool__(self) -> bool:
        return self.settled

    @property
    def holders(self) -> List[Holder]:
        """The holders of all paths."""
        return [holder for path in self.paths for holder in path.holders]


def _check_seconds(name: str, value: float) -> str:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= _LONGEST:
        raise ValueError(f"{name}={value!r}: expected seconds from 0 to {_LONGEST:.0f}")
    return f"{number:.9f}"


def _holder(holder: Dict[str, Any]) -> Holder:
    return Holder(holder["pid"], holder["command"], holder["kind"], holder["file"], holder.get("lock"))


def _path_result(path: Dict[str, Any]) -> PathResult:
    return PathResult(
        path["path"],
        path["status"] == "settled",
        path.get("elapsed", 0.0),
        [_holder(holder) for holder in path["holders"]],
        path.get("complete", True),
    )


def _raise_unexamined(answer: Dict[str, Any]) -> None:
    for path in answer["paths"]:
        if path["status"] == "unexamined":
            if not os.path.lexists(path["path"]):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path["path"])
            raise UnexaminedError(errno.EINVAL, path["reason"], path["path"])


def _environment() -> Dict[str, str]:
    """Without what concerns the preloaded library: what is asked for is what is waited for."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "LD_PRELOAD" and not name.startswith("SETTLE_")
    }


def _arguments(
    paths: Sequence[Path], max_wait: float, check_interval: float, until: str
) -> Tuple[List[str], List[str]]:
    """Paths and options of settle-wait; what is none raises."""
    if not paths:
        raise ValueError("paths: expected one at least")
    if until not in _LEVELS:
        raise ValueError(f"until={until!r}: expected one of {', '.join(_LEVELS)}")
    options = [
        "--max-wait",
        _check_seconds("max_wait", max_wait),
        "--check-interval",
        _check_seconds("check_interval", check_interval),
        "--until",
        until,
    ]
    for path in paths:
        if isinstance(path, (int, float)):
            raise TypeError(f"paths: {path!r}: expected a path; a time is given by its name, max_wait={path!r}")
    names = [os.fspath(path) for path in paths]
    if not all(names):
        raise ValueError("paths: '': expected a path")
    return names, options


def _run(paths: List[str], options: List[str]) -> Result:
    program = command("settle-wait")
    done = subprocess.run(
        [program, "--json", *options, "--", *paths],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(),
        check=False,
    )
    if done.returncode not in (_SETTLED, _HELD, _UNEXAMINED):
        said = os.fsdecode(done.stderr).strip()
        raise RuntimeError(f"{program} ended with {done.returncode}: {said}")
    answer = json.loads(os.fsdecode(done.stdout))
    if done.returncode == _UNEXAMINED:
        _raise_unexamined(answer)
    return Result(done.returncode == _SETTLED, answer["elapsed"], [_path_result(p) for p in answer["paths"]])


def wait(
    *paths: Path, max_wait: float = 2.0, check_interval: float = 0.05, until: str = "unlocked"
) -> Result:
    """Wait until all paths are settled, `max_wait` seconds at most for all of them together.

    paths: ChromaDB persist directories, SQLite databases, or any files.
    max_wait: seconds from 0 to 86400; 0 looks once.
    check_interval: the longest sleep between two looks, in seconds. Most waits end by an event of the
        file system, at once.
    until: "unlocked", an exclusive lock would be granted to somebody else; "unwritten", and nobody has
        it open for writing; "closed", and nobody has it open at all.

    Returns what became of it: true where all are settled. Where one is still held it is false, and its
    `holders` say by whom.
    Raises FileNotFoundError, UnexaminedError (an OSError), ValueError for a number or level that is none,
    and TypeError for what is no path.
    """
    return _run(*_arguments(paths, max_wait, check_interval, until))


def wait_file(
    path: Path, max_wait: float = 2.0, check_interval: float = 0.05, until: str = "unlocked"
) -> Result:
    """As :func:`wait`, for one file. Raises IsADirectoryError for a directory."""
    if stat.S_ISDIR(os.stat(path).st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    return wait(path, max_wait=max_wait, check_interval=check_interval, until=until)


class settled:
    """A context manager that waits on leaving, as :func:`wait` does with the same arguments::

        with settle.settled("./chroma") as store:
            ingest("./chroma")
        if not store.result:
            print("still held by", store.result.holders)

    `result` is None until then. An exception from within goes on; so that it is not hidden behind one of
    the wait's own, paths that are not there any more, or cannot be examined, are then no error. An argument
    that is wrong raises before anything is done.
    """

    def __init__(
        self, *paths: Path, max_wait: float = 2.0, check_interval: float = 0.05, until: str = "unlocked"
    ) -> None:
        self.result: Optional[Result] = None
        self._arguments = _arguments(paths, max_wait, check_interval, until)

    def __enter__(self) -> "settled":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        try:
            self.result = _run(*self._arguments)
        except OSError:
            if error is None:
                raise
