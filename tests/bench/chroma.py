"""A real program: what the library adds to the life of a ChromaDB server."""

import json
import statistics
import subprocess

import common
from common import ROOT

PAIRS = 12
PATIENCE = 600
# Of the median of a whole life: a difference that is noise for sure, and an interval that says nothing.
NOISE = 0.02
NO_ANSWER = 0.1
PARTS = ["start", "load", "stop", "total"]


def measure(space):
    """A list of lives: pair, way, and the milliseconds of each part."""
    command = ["sh", ROOT / "tests/e2e/chroma/run", ROOT / "tests/bench/chroma.mjs", PAIRS]
    process = common.start(command, env=common.environment(None, {"TMPDIR": str(space.path)}),
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
    try:
        output, errors = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        raise common.Failure(f"chroma: has not ended after {PATIENCE} s") from None
    finally:
        common.end(process)
    if process.returncode != 0:
        raise common.Failure(f"chroma: {errors.strip()[-800:]}")
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def run(section, bench):
    common.say(f"chroma: {PAIRS} pairs of lives of a server")
    lives = measure(bench.space)
    section.details["lives"] = lives
    table = section.table("A ChromaDB server: start on a new store, 1200 vectors, questions, stop (ms)", "part",
                          "plain", "settle", "difference", "95 % interval",
                          note=f"medians of {PAIRS} pairs that take turns; the difference is the median of the pairs', "
                               "its interval by bootstrap")
    for part in PARTS:
        times = {way: [life[part] for life in sorted(lives, key=lambda life: life["pair"]) if life["way"] == way]
                 for way in ("plain", "settle")}
        differences = [ours - plain for ours, plain in zip(times["settle"], times["plain"])]
        median, low, high = common.median_and_interval(differences)
        plain = statistics.median(times["plain"])
        table.add(part, f"{plain:.0f}", f"{statistics.median(times['settle']):.0f}", f"{median:+.1f}",
                  f"{low:+.1f} to {high:+.1f}")
        if part == "total":
            section.goal("a ChromaDB server's life",
                         f"interval includes 0 and is within {NO_ANSWER:.0%}, or below {NOISE:.0%}",
                         f"{median:+.1f} ms ({low:+.1f} to {high:+.1f}) of {plain:.0f}",
                         high < NOISE * plain or low <= 0 and high < NO_ANSWER * plain,
                         "no answer: on a busy machine lives differ by more than that" if low <= 0 else "")
