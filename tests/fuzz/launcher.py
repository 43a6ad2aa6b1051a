"""launcher.py COMMAND RUNS: the launcher with random values of its options and variables.

It either refuses, with exit code 125, a message that names the option and the value, and no command
run; or it runs the command with the value in the option's variable, and where the library then
refuses that, the library has said so.
"""
import os
import random
import re
import subprocess
import sys
import tempfile
import time

OPTIONS = {
    "--max-wait": "SETTLE_MAX_WAIT",
    "--check-interval": "SETTLE_CHECK_INTERVAL",
    "--fallback-delay": "SETTLE_FALLBACK_DELAY",
    "--until": "SETTLE_UNTIL",
    "--trigger": "SETTLE_TRIGGER",
    "--at-use": "SETTLE_AT_USE",
    "--keep-locks": "SETTLE_KEEP_LOCKS",
    "--at-exit": "SETTLE_AT_EXIT",
    "--deepbind": "SETTLE_DEEPBIND",
    "--stores": "SETTLE_STORES",
    "--dir": "SETTLE_DIRS",
    "--max-collections": "SETTLE_MAX_COLLECTIONS",
    "--max-files": "SETTLE_MAX_FILES",
    "--log": "SETTLE_LOG",
    "--log-file": "SETTLE_LOG_FILE",
}
PATHS = ("--dir", "--log-file")
GOOD = {
    "--max-wait": (b"2.0", b".5s", b"1.", b"250ms", b"0", b"86400", b"86400000ms", b"0.0000000001"),
    "--until": (b"unlocked",),
    "--trigger": (b"last", b"every", b"use"),
    "--at-use": (b"settled", b"pending", b"off"),
    "--keep-locks": (b"on", b"off"),
    "--at-exit": (b"pending", b"off"),
    "--deepbind": (b"keep", b"strip"),
    "--stores": (b"chroma", b"sqlite:chroma", b"chroma" + b":sqlite" * 50),
    "--dir": (b"data", b"d*", b"a b", b"x" * 300, b"d/" * 2500, b"d/" * 9000),
    "--max-files": (b"0", b"7", b"000007", b"1000000"),
    "--log": (b"warn", b"info", b"debug", b"off"),
    "--log-file": (b"log", b"log.%p", b"%p%p", b"missing/log", b"x" * 300, b"d/" * 2500),
}
GOOD["--check-interval"] = GOOD["--fallback-delay"] = GOOD["--max-wait"]
GOOD["--max-collections"] = GOOD["--max-files"]
PIECES = [b"0", b"1", b"2.0", b"500", b"86400", b"00", b"99999999999", b"1000000", b".", b"-",
          b"+", b"ms", b"s", b"us", b"e3", b" ", b"unlocked", b"every", b"off", b"chroma",
          b"sqlite", b":", b"data", b"d/", b"%p", b"*", b"?", b"[a]", b"'", b'"', b"\\", b"$(id)",
          b"`id`", b"$HOME", b"!", b";", b"&", b"=", b"--", b"\n", b"\t", b"\x1b[2J", b"\xc3\xbc",
          b"\xff", b"x" * 300]


def random_value(name, scratch):
    value = random.choice(GOOD[name])
    chance = random.random()
    if chance < 0.15:
        value = b"".join(random.choices(PIECES, k=random.randint(0, 4)))
    elif chance < 0.3:
        value += random.choice(PIECES)
    if name in PATHS and value.startswith(b"/"):
        value = scratch + value  # only here may files be made
    return value


def random_values(most, names, scratch):
    chosen = random.sample(sorted(names), random.randint(0, most))
    return {name: random_value(name, scratch) for name in chosen}


def arguments(options):
    for name, value in options.items():
        if random.random() < 0.5:
            yield os.fsencode(name) + b"=" + value
        else:
            yield os.fsencode(name)
            yield value


def check_refusal(options, result):
    assert result.returncode == 125, result
    assert result.stdout == b"", "the command was run"
    assert result.stderr.startswith(b"settle: ") and result.stderr.endswith(b"\n"), result.stderr
    assert any(b"settle: " + os.fsencode(name) + b" '" + value + b"'" in result.stderr
               for name, value in options.items()), result.stderr


def said(result, variables, pid, scratch):
    """What the library had to say, wherever its log goes."""
    text = result.stderr
    path = os.path.join(scratch, variables.get(b"SETTLE_LOG_FILE", b"").replace(b"%p", pid))
    try:
        with open(path, "rb") as log:
            text += log.read()
        os.unlink(path)
    except OSError:
        pass
    return re.findall(rb"^settle\[\d+\]: warning: (SETTLE_[A-Z_]+)='.*': expected ", text, re.M)


def check_run(options, result, scratch):
    assert result.returncode == 0, result
    pid, refused, *entries = result.stdout.split(b"\0")[:-1]
    variables = dict(entry.split(b"=", 1) for entry in entries)
    for name, value in options.items():
        got = variables[os.fsencode(OPTIONS[name])]
        assert value != b"", name + " was taken without a value"
        if name in PATHS and not value.startswith(b"/"):
            assert got.startswith(b"/"), got
        else:
            assert got == value, got
    warnings = said(result, variables, pid, scratch)
    if variables.get(b"SETTLE_LOG") != b"off":
        assert len(warnings) == int(refused), (refused, warnings)
    for name in warnings:
        assert name.decode() in OPTIONS.values(), name


def main():
    command, runs = sys.argv[1], int(sys.argv[2])
    seed = random.randrange(1 << 32)
    random.seed(seed)
    root = os.getcwd()
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith("SETTLE_") and name != "LD_PRELOAD"}
    environment["SETTLE_LIBRARY"] = root + "/build/libsettle.so"
    began = time.monotonic()
    refused = 0
    with tempfile.TemporaryDirectory(prefix="settle-fuzz-") as scratch:
        for done in range(runs):
            where = os.fsencode(scratch)
            options = random_values(4, OPTIONS, where)
            inherited = random_values(2, OPTIONS.keys() - options.keys(), where)
            variables = {OPTIONS[name]: value for name, value in inherited.items()}
            line = [root + "/scripts/settle", *arguments(options), "--", root + "/" + command]
            result = subprocess.run(line, cwd=scratch, env={**environment, **variables},
                                    capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
            try:
                if result.returncode == 0:
                    check_run(options, result, where)
                else:
                    check_refusal(options, result)
                    refused += 1
            except AssertionError:
                print("launcher: seed", seed, "run", done, "options", options, "inherited", inherited,
                      file=sys.stderr)
                raise
    print(f"  FUZZ   launcher: {runs} inputs, {refused} refused, "
          f"{time.monotonic() - began:.0f} s, nothing found")


main()
