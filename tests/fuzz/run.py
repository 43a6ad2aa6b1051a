"""run.py RUNS SECONDS PROGRAM...: fuzz targets, each with its seeds, and how many inputs each had.

Each program stops at RUNS inputs or after SECONDS, whichever comes first. A line of
seeds/NAME.txt is one seed, with backslash escapes as in C.
"""
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).parent


def write_seeds(name, corpus):
    shutil.rmtree(corpus, ignore_errors=True)
    corpus.mkdir(parents=True)
    lines = (HERE / "seeds" / (name + ".txt")).read_text("ascii").splitlines()
    for number, line in enumerate(lines):
        seed = line.encode("ascii").decode("unicode_escape").encode("latin-1")
        (corpus / f"seed-{number}").write_bytes(seed)


def statistic(name, output):
    found = re.search(rf"^stat::{name}:\s+(\d+)", output, re.M)
    return int(found.group(1)) if found else 0


def run(program, runs, seconds):
    corpus = program.with_suffix(".corpus")
    write_seeds(program.name, corpus)
    result = subprocess.run(
        [program, f"-runs={runs}", f"-max_total_time={seconds}", "-max_len=512", "-timeout=10",
         "-print_final_stats=1", f"-dict={HERE / 'words.dict'}",
         f"-artifact_prefix={program}-", corpus],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        encoding="utf-8", errors="replace", check=False)
    inputs = statistic("number_of_executed_units", result.stderr)
    if result.returncode != 0:
        print(result.stderr[-6000:], file=sys.stderr)
        sys.exit(f"fuzz: {program.name}: found something after {inputs} inputs")
    taken = re.search(r"^Done \d+ runs in (\d+) second", result.stderr, re.M).group(1)
    print(f"  FUZZ   {program.name}: {inputs} inputs, {taken} s, nothing found", flush=True)


def main():
    runs, seconds = sys.argv[1:3]
    for program in sys.argv[3:]:
        run(pathlib.Path(program), runs, seconds)


main()
