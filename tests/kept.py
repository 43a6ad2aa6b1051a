"""What tests install or build once, and keep outside of the checkout (tests/cache)."""

import contextlib
import fcntl
import os
import subprocess

TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))


class Missing(Exception):
    """Why something cannot be had here."""


def run(*command, **how):
    """Its output; Missing if it fails."""
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, **how)
    if answer.returncode != 0:
        raise Missing(f"{' '.join(command)} failed:\n{answer.stdout}")
    return answer.stdout


@contextlib.contextmanager
def place(kind, name):
    """The path for a name among those of a kind in the cache, which nobody else looks at meanwhile: of two that want the
    same, one makes it."""
    path = os.path.join(run("sh", os.path.join(TOP, "tests/cache"), kind).strip(), name)
    with open(path + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path
