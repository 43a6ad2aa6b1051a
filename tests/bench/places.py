"""File systems to measure on. The mounts live in a mount namespace of this run's own, so that they
are gone with its last process, however it ends."""

import ctypes
import os
import shutil
import subprocess
import sys
import time

import common
import machine

MARK = "SETTLE_BENCH_NAMESPACE"


def enter_namespace():
    """Starts this program again in a mount namespace of its own, where that is possible."""
    mark = os.environ.pop(MARK, None)
    if mark is not None or os.geteuid() != 0 or shutil.which("unshare") is None:
        return mark == "own"
    possible = subprocess.run(["unshare", "--mount", "true"], stderr=subprocess.DEVNULL).returncode == 0
    if possible:
        os.environ[MARK] = "own"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])
    return False


def mount(*arguments):
    done = subprocess.run(["mount", *map(str, arguments)], stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise common.Failure(done.stderr.strip())


def make_tmpfs(space):
    place = space.directory("tmpfs")
    mount("-t", "tmpfs", "tmpfs", place)
    return place


def make_overlay(space):
    place = space.directory("overlay/merged")
    lower, upper, work = (space.directory(f"overlay/{name}") for name in ("lower", "upper", "work"))
    mount("-t", "overlay", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", place)
    return place


def make_fuse(space):
    """bindfs shows another directory; the locks are the kernel's."""
    if shutil.which("bindfs") is None or not os.path.exists("/dev/fuse"):
        raise common.Failure("bindfs (scripts/setup bench) or /dev/fuse is missing")
    place = space.directory("fuse/mounted")
    behind = space.directory("fuse/behind")
    daemon = common.start(["setpriv", "--pdeathsig", "KILL", "bindfs", "-f", behind, place], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for _ in range(100):
        if os.path.ismount(place):
            return place
        if daemon.poll() is not None:
            raise common.Failure(f"bindfs: {daemon.stderr.read().strip()}")
        time.sleep(0.05)
    raise common.Failure("bindfs has not mounted anything after 5 s")


# Beside the working directory's. A row: the name, how it is made.
MOUNTED = [("tmpfs", make_tmpfs), ("overlayfs", make_overlay), ("FUSE (bindfs)", make_fuse)]


class Places:
    def __init__(self, space, own_namespace):
        self.space = space
        self.own_namespace = own_namespace
        self.made = None

    def working(self):
        """Name and directory."""
        place = self.space.directory("here")
        return machine.file_system(place), place

    def all(self, section):
        if self.made is None:
            self.made = [self.working()]
            for name, make in MOUNTED:
                if name == self.made[0][0]:
                    continue
                try:
                    if not self.own_namespace:
                        raise common.Failure("needs root, and a mount namespace of its own")
                    self.made.append((name, make(self.space)))
                except common.Failure as failure:
                    section.skip(f"{name}: {failure}")
        return self.made

    def close(self):
        """Before the workspace is deleted, which would look into them."""
        if not self.own_namespace:
            return
        detach = 2
        libc = ctypes.CDLL(None)
        for _, place in (self.made or [])[1:]:
            libc.umount2(os.fsencode(place), detach)
