"""What the library adds to opens, and to calls by name, of what is no store's: instructions, and time where databases are
known by their name and by their content."""

import shutil
import statistics

import common
import guard

INSTRUCTIONS, TIME, TIME_BY_CONTENT = 60, 0.7, 1  # us

# By content, a program that does nothing else: so many opens and closes of small files take at most so many times as long.
FILES, OPENS, RATIO, ROUNDS = 1000, 40_000, 1.1, 7
PERL = ("for my $i (1 .. $ARGV[1]) { open(my $f, '<', sprintf('%s/%d', $ARGV[0], $i % $ARGV[2])) or die; <$f>; "
        "close($f) }")

COUNTED = ["open", "open-512", "open-empty", "open-proc", "open-sys", "open-write", "open-new", "open-beside",
           "write-beside", "unlink", "unlink-beside", "rename", "rename-beside", "opendir", "opendir-beside"]


def measure_instructions(section, space, rows):
    table = section.table("Instructions added to a call on what is no store's", "measurement", "what it is", "added")
    for name in COUNTED:
        added = round(rows[name].measure(space))
        table.add(name, rows[name].said, added)
        section.goal(f"instructions added: {name}", f"{INSTRUCTIONS}", f"{added}", added <= INSTRUCTIONS)


def measure_times(section, space, rows):
    table = section.table("Time added to an open of what is no store's (us)", "file", "SETTLE_STORES=chroma", "sqlite")
    for name, said, _, _ in guard.OPENS:
        cells = []
        for way, limit in (("time", TIME), ("sqlite", TIME_BY_CONTENT)):
            common.say(f"opens: {said}, {way}")
            cells.append(guard.measure(rows[f"{way}-{name}"], space, limit))
            section.goal(f"added to an open of {said}" + (", SETTLE_STORES=sqlite" if way == "sqlite" else ""),
                         f"{limit} us", f"{cells[-1]:.2f} us", cells[-1] <= limit)
        table.add(said, *(f"{cell:.2f}" for cell in cells))


def processor_of(command, env):
    """Of a program and of all that it starts, in s."""
    words = common.output_of(["sh", "-c", '"$@" && times', "sh", *command], env).split()[-2:]
    return sum(float(minutes) * 60 + float(seconds) for minutes, seconds in
               (word.rstrip("s").split("m") for word in words))


def measure_program(section, space):
    if shutil.which("perl") is None:
        section.skip("opens and closes in Perl: not installed (scripts/setup check)")
        return
    directory = space.directory("here/small")
    for number in range(FILES):
        (directory / str(number)).write_text("small\n")
    command = ["perl", "-e", PERL, directory, OPENS, FILES]
    envs = [common.environment(None), common.environment(common.SETTLE, {"SETTLE_STORES": "chroma:sqlite"})]
    rounds = [[processor_of(command, env) for env in envs] for _ in range(ROUNDS)]
    plain, ours = (statistics.median(column) for column in zip(*rounds))
    ratio = statistics.median(own / base for base, own in rounds)
    table = section.table(f"{OPENS:,} opens, reads and closes of small files in Perl, SETTLE_STORES=chroma:sqlite: "
                          "processor time (s)", "plain", "settle", "times")
    table.add(f"{plain:.3f}", f"{ours:.3f}", f"{ratio:.2f}")
    section.goal(f"{OPENS:,} opens and closes in Perl, by content", f"{RATIO} times", f"{ratio:.2f} times",
                 ratio <= RATIO)


def run(section, bench):
    rows = {row.name: row for row in guard.ROWS}
    common.say("opens: instructions")
    measure_instructions(section, bench.space, rows)
    measure_times(section, bench.space, rows)
    measure_program(section, bench.space)
