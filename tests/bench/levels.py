"""What a question to the kernel costs at each level of `until`, and whom it delays: levels.c."""

import common
from common import PROGRAMS

COUNT = 5000


def run(section, bench):
    common.say("levels")
    table = section.table("What a look at a file costs at each level, and what naming holders does (us)", "measurement")
    for line in common.output_of([PROGRAMS / "levels", bench.space.directory("here") / "file", COUNT]).splitlines():
        table.add(line)
