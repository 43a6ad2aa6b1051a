"""Tests of our own in the manner of the Linux Test Project's: what descriptors do (descriptors.c)."""

import hashlib
import pathlib
import subprocess

import dbd_sqlite
import harness

SOURCE = pathlib.Path(__file__).with_suffix(".c")


def prepare(_: pathlib.Path, tree: pathlib.Path) -> None:
    subprocess.run(["cc", "-O1", "-D_GNU_SOURCE", "-std=gnu11", "-o", tree / "descriptors", SOURCE], check=True)


SUITE = harness.Suite(
    name="descriptors",
    package=f"descriptors-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]}",
    fetch=lambda archives: None,
    prepare=prepare,
    units=lambda place, short: [harness.Unit("descriptors", [str(place.tree / "descriptors"), "."])],
    cases=dbd_sqlite.cases,
    enough=(420, 0),
    short=False,
)
