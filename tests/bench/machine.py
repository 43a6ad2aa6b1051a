"""Where and when a run was made."""

import datetime
import os
import platform
import subprocess

from common import ROOT


def first_value(path, name):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                key, colon, value = line.partition(":")
                if colon and key.strip() == name:
                    return value.strip()
    except OSError:
        pass
    return "unknown"


def git(*arguments):
    try:
        return subprocess.run(["git", "-C", ROOT, *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def file_system(path):
    """The type of the deepest mount that holds the path."""
    best = ("", "unknown")
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            _, place, kind = line.split()[:3]
            inside = place == "/" or str(path) == place or str(path).startswith(place + "/")
            if inside and len(place) >= len(best[0]):
                best = (place, kind)
    return best[1]


def load():
    return " ".join(f"{value:.2f}" for value in os.getloadavg())


def describe(workspace):
    changed = git("status", "--porcelain", "--untracked-files=no")
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "commit": git("rev-parse", "--short=12", "HEAD") + (", with changes" if changed else ""),
        "processor": first_value("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "kernel": f"{platform.release()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
        "working directory on": file_system(workspace),
        "root": os.geteuid() == 0,
        "load before": load(),
    }
