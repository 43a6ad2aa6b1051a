"""What it costs a program that has nothing to do with a store."""

import pathlib
import resource
import shutil
import statistics

import common
from common import PROGRAMS

ROUNDS = 41
TIMED = 3000
BATCH = 50
STARTS = 1000
START_GOAL = 29_000
PROGRAM = "/bin/true"

SMALL_ROUNDS = 9
SMALL_FILES = """my ($d, $how) = @ARGV;
for my $i (1 .. 40000) { open(my $f, $how, "$d/f" . $i % 100) or die; close $f }"""
MODES = {"<": "to be read", "+<": "to be read and written"}

# A row: what it is called, the call, the file's size, the goal in instructions. A database's size is
# a multiple of 512 bytes, so the library has to look longer at such a file.
CALLS = [
    ("close", "close", 100, 10),
    ("open", "open", 100, 60),
    ("open, size a multiple of 512", "open", 4096, 60),
    ("fopen and fclose", "stream", 100, None),
]


def file_of(space, size):
    path = space.directory("untracked") / f"file-{size}"
    path.write_bytes(b"x" * size)
    return path


def measure_calls(section, space, variants):
    counts = iter(common.in_parallel(
        common.instructions_of_call,
        [(call, file_of(space, size), variant.preload) for _, call, size, _ in CALLS for variant in variants]))
    table = section.table("Cost of a call on a file that is no store's", "call", "preloaded", "instructions",
                          "added", "ns", "added ns",
                          note=f"instructions: callgrind; ns: medians of {ROUNDS} rounds of {TIMED} calls, in which "
                               "all take turns; the system call is included")
    for name, call, size, limit in CALLS:
        common.say(f"cost: {name}")
        times = measure_times(call, file_of(space, size), variants)
        plain = None
        for variant in variants:
            count = next(counts)
            plain = count if plain is None else plain
            added_time = statistics.median(own - base for own, base in zip(times[variant.name], times["no preload"]))
            table.add(name, variant.name, round(count), round(count - plain),
                      f"{statistics.median(times[variant.name]):.0f}", f"{added_time:.0f}")
            if variant.name == "settle" and limit is not None:
                section.goal(f"untracked {name}", f"{limit} instructions more", str(round(count - plain)),
                             count - plain <= limit)


def measure_times(call, path, variants):
    times = {variant.name: [] for variant in variants}
    for _ in range(ROUNDS):
        for variant in variants:
            env = common.environment(variant.preload, {"FAKETIME": "+0d"})
            times[variant.name].append(float(common.output_of([PROGRAMS / "calls", call, TIMED, path, BATCH], env)))
    return times


def start_figures(count, preloads, env):
    """What starts.c prints, of each."""
    lines = common.output_of([PROGRAMS / "starts", count, PROGRAM, *(preload or "-" for preload in preloads)], env)
    return [[int(word) for word in line.split()] for line in lines.splitlines()]


def installed(space, library):
    """A copy, as installing makes one: what a linker has written lies in smaller pieces in the kernel's cache, and takes
    some 10 us longer to map."""
    if library is None:
        return None
    copy = space.directory("installed") / pathlib.Path(library).name
    return str(shutil.copyfile(library, copy))


def measure_start(section, space, variants):
    common.say("cost: start of a process")
    counts = common.in_parallel(common.instructions, [([PROGRAM], variant.preload) for variant in variants])
    env = common.environment(None, {"FAKETIME": "+0d"})
    lines = start_figures(STARTS, [installed(space, variant.preload) for variant in variants], env)
    table = section.table(f"Cost of the start of a process ({PROGRAM})", "preloaded", "instructions", "added",
                          "median us", "quartiles", "added us", "processor us", "added us", "page faults",
                          note=f"of {STARTS} starts each, taking turns; processor and page faults: medians")
    added = counts[-1] - counts[0]
    section.goal("start of a process: instructions added", f"{START_GOAL}", f"{added}", added <= START_GOAL)
    medians = {}
    for variant, count, (*times, faults) in zip(variants, counts, lines, strict=True):
        median, low, high, processor = (time / 1000 for time in times)
        medians[variant.name] = median, processor
        plain = medians["no preload"]
        table.add(variant.name, count, count - counts[0], f"{median:.0f}", f"{low:.0f} - {high:.0f}",
                  f"{median - plain[0]:.0f}", f"{processor:.0f}", f"{processor - plain[1]:.0f}", faults)
    for what, ours, theirs in zip(("time", "processor"), medians["settle"], medians.get("libeatmydata", ())):
        section.goal(f"start of a process: {what}", f"libeatmydata's {theirs:.0f} us, within 1 %", f"{ours:.0f} us",
                     ours <= theirs * 1.01, "alike but for what else the machine does (shim/README.md, preload)")


def measure_small_files(section, space):
    """A program that opens files all the time, and none that is a store's."""
    common.say("cost: small files in Perl")
    for number in range(100):
        (space.directory("small") / f"f{number}").write_bytes(b"x" * 100)
    stores = [("no preload", None, {}), ("settle, chroma", common.SETTLE, {}),
              ("settle, chroma:sqlite", common.SETTLE, {"SETTLE_STORES": "chroma:sqlite"})]
    environments = [common.environment(preload, settings) for _, preload, settings in stores]
    rounds = [[processor_time(["perl", "-e", SMALL_FILES, space.directory("small"), mode], env)
               for mode in MODES for env in environments] for _ in range(SMALL_ROUNDS)]
    table = section.table("40,000 opens and closes of files of 100 bytes in Perl", "how", "preloaded", "processor, ms",
                          "times", note=f"medians of {SMALL_ROUNDS} rounds, in which all take turns; with the start")
    columns = iter(zip(*rounds))
    for mode, what in MODES.items():
        plain = None
        for name, _, settings in stores:
            took = next(columns)
            plain = plain or took
            times = statistics.median(took) / statistics.median(plain)
            table.add(what, name, f"{statistics.median(took) * 1000:.0f}", f"{times:.2f}")
            if settings and mode == "<":
                section.goal("small files in Perl, chroma:sqlite", "1.1 times", f"{times:.2f}", times <= 1.1)


def processor_time(command, env):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    common.output_of(command, env)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def shared_memory():
    """What libfaketime makes for each program that it is preloaded to, and leaves there."""
    return {path for name in ("faketime_shm_*", "sem.faketime_sem_*") for path in pathlib.Path("/dev/shm").glob(name)}


def run(section, bench):
    variants = common.variants(section)
    before = shared_memory()
    try:
        measure_calls(section, bench.space, variants)
        measure_start(section, bench.space, variants)
        measure_small_files(section, bench.space)
    finally:
        for path in shared_memory() - before:
            path.unlink(missing_ok=True)
