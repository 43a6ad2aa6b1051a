"""holders.py DIRECTORY SEED SETS: random sets of holders of a database and its sidecars; what settle-wait
--list --json says of each is held against /proc/locks, /proc/*/fd, /proc/*/maps and against what each
holder says it holds. Prints "done" after each set, and every difference on standard error; the exit
status is the number of differences, at most 100.

holders.py keep JSON: one process of a set. Does what it is told, prints what it holds, waits."""

import fcntl
import json
import mmap
import os
import random
import signal
import struct
import subprocess
import sys

ENDINGS = ["", "-wal", "-shm", "-journal"]
NOBODY = 65534
SHARED, RESERVED = (0x40000002, 510), (0x40000001, 1)
F_OFD_SETLK = 37
TO_END = None


# --- a process of a set ---


def lock_argument(exclusive, start, length):
    return struct.pack("hhqqi4x", fcntl.F_WRLCK if exclusive else fcntl.F_RDLCK, 0, start, length, 0)


def take(what):
    fd = os.open(what["file"], os.O_RDWR if what["writes"] else os.O_RDONLY)
    kind = what["kind"]
    told = dict(what, fd=fd)
    if kind == "record":
        fcntl.fcntl(fd, fcntl.F_SETLK, lock_argument(what["exclusive"], what["start"], what["length"]))
        told["kind"] = "POSIX write lock" if what["exclusive"] else "POSIX read lock"
    elif kind == "OFD lock":
        fcntl.fcntl(fd, F_OFD_SETLK, lock_argument(what["exclusive"], what["start"], what["length"]))
    elif kind == "flock":
        fcntl.flock(fd, (fcntl.LOCK_EX if what["exclusive"] else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    elif kind == "lease":
        signal.signal(signal.SIGIO, signal.SIG_IGN)  # the request to give it back
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK if what["exclusive"] else fcntl.F_RDLCK)
    elif kind == "mapped":
        keep.mappings.append(mmap.mmap(fd, 4096, mmap.MAP_SHARED, mmap.PROT_READ))
        told["fd"] = None
    elif kind == "copy":
        os.dup(fd)
    return told, fd


def close_all_copies(path):
    """mmap keeps a copy of the descriptor that it was given."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.path.samefile("/proc/self/fd/" + name, path):
                os.close(int(name))
        except OSError:
            pass


def keep(plan):
    if plan["user"] != 0:
        os.setgid(plan["user"])
        os.setuid(plan["user"])
    pid = int(os.readlink("/proc/self"))  # as the outermost pid namespace counts
    told = [dict(take(what)[0], pid=pid) for what in plan["holds"]]
    for what in plan["holds"]:
        if what["kind"] == "mapped":
            close_all_copies(what["file"])
    if plan["forks"]:
        fork()
    print(json.dumps(told), flush=True)
    sys.stdin.readline()


def fork():
    if os.fork() == 0:
        sys.stdin.readline()  # its end comes with the parent's
        os._exit(0)


keep.mappings = []


# --- a random set ---


def is_free(used, path, first, last, exclusive):
    """Whether a lock would be granted besides those of the set so far, which it then is one of."""
    for other, other_first, other_last, other_exclusive in used:
        if path == other and first <= other_last and other_first <= last and (exclusive or other_exclusive):
            return False
    used.append((path, first, last, exclusive))
    return True


def random_hold(rng, database, used):
    path = database + rng.choice(ENDINGS)
    kind = rng.choice(["record", "record", "OFD lock", "flock", "open", "open", "copy"])
    writes = rng.random() < 0.6
    hold = {"kind": kind, "file": path, "writes": writes, "exclusive": writes and rng.random() < 0.4}
    if kind in ("record", "OFD lock"):
        start, length = rng.choice([SHARED, RESERVED, (rng.randrange(200), 1), (2**40 + rng.randrange(9), 0)])
        last = start + length - 1 if length > 0 else 2**63
        hold.update(start=start, length=length)
        free = is_free(used, path, start, last, hold["exclusive"])
    elif kind == "flock":
        free = is_free(used, (path, "flock"), 0, 0, hold["exclusive"])
    else:
        free = False
    if not free and kind != "copy":
        hold["kind"] = "open"
    return hold


def random_process(rng, database, used):
    holds = [random_hold(rng, database, used) for _ in range(rng.randrange(1, 5))]
    if rng.random() < 0.25:  # alone, since its descriptors are closed
        holds = [{"kind": "mapped", "file": database + rng.choice(ENDINGS), "writes": rng.random() < 0.5}]
    return {
        "holds": holds,
        "forks": rng.random() < 0.3,
        "user": NOBODY if rng.random() < 0.25 else 0,
        "namespace": rng.random() < 0.25,
    }


def random_set(rng, database):
    """A lease needs a file that nobody else has open in a way that is against it: one set in five is one of
    readers, each with a lease for reading, and one in ten is of a lease that tolerates nobody."""
    chance = rng.random()
    if chance < 0.3:
        alone = chance < 0.1
        kinds = ["lease"] if alone else ["lease", "lease", "open", "flock"]
        return [
            {
                "holds": [{"kind": rng.choice(kinds), "file": database, "writes": alone, "exclusive": alone}],
                "forks": False,
                "user": 0,
                "namespace": rng.random() < 0.3,
            }
            for _ in range(1 if alone else rng.randrange(1, 4))
        ]
    used = []
    return [random_process(rng, database, used) for _ in range(rng.randrange(1, 6))]


def start(plan):
    command = ["/usr/bin/python3", "-I", "-S", os.path.realpath(__file__), "keep", json.dumps(plan)]
    if plan["namespace"]:
        command = ["unshare", "--pid", "--fork", "--kill-child"] + command
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


# --- what /proc says ---


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def files_of(database):
    return {os.stat(database + e).st_ino: database + e for e in ENDINGS}


def true_descriptors(files):
    """{(pid, fd): (file, can write)}"""
    found = {}
    for pid in pids():
        try:
            names = os.listdir("/proc/%d/fd" % pid)
        except OSError:
            continue
        for name in names:
            link = "/proc/%d/fd/%s" % (pid, name)
            try:
                path = os.readlink(link)
                if path in files.values():
                    found[pid, int(name)] = path, bool(os.lstat(link).st_mode & 0o200)
            except OSError:
                pass
    return found


def true_mappings(files):
    """{(pid, file)} of the processes that have no descriptor of it."""
    found = set()
    for pid in pids():
        try:
            with open("/proc/%d/maps" % pid, errors="replace") as maps:
                lines = maps.read().splitlines()
        except OSError:
            continue
        found.update((pid, line.split(None, 5)[5]) for line in lines if line.endswith(tuple(files.values())))
    return found


def lines_of_locks(readings=4):
    """The kernel gives the list in parts, and between two of them locks of others that go take lines out of it."""
    for _ in range(readings):
        with open("/proc/locks") as locks:
            yield from locks


def true_locks(files):
    """[(kind, exclusive, pid, file, start, end)], each once. They stay as long as they are compared."""
    found = set()
    kinds = {"OFDLCK": "OFD lock", "FLOCK": "flock", "LEASE": "lease"}
    for line in lines_of_locks():
        fields = line.split()
        if fields[1] == "->":
            continue
        _, kind, state, mode, pid, where, first, last = fields
        path = files.get(int(where.split(":")[2]))
        if path is None:
            continue
        exclusive = mode == "WRITE" or state == "BREAKING"
        name = kinds.get(kind) or ("POSIX write lock" if exclusive else "POSIX read lock")
        end = TO_END if last == "EOF" else int(last)
        found.add((name, exclusive, int(pid), path, int(first), end))
    return found


# --- the comparison ---


def lock_of(holder):
    return holder["kind"], holder["exclusive"], holder["file"], holder.get("start", 0), holder.get("end", TO_END)


def list_holders(database, user):
    command = ["build/settle-wait", "--list", "--json", database]
    if user != 0:
        command = ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups"] + command
    answer = subprocess.run(command, stdout=subprocess.PIPE)
    return answer.returncode, json.loads(answer.stdout)["paths"][0]


class Differences:
    def __init__(self, seed):
        self.seed = seed
        self.count = 0

    def note(self, what, *details):
        self.count += 1
        print("seed %d: %s: %s" % (self.seed, what, " ".join(str(d) for d in details)), file=sys.stderr)

    def sets(self, what, expected, found):
        for one in sorted(expected - found, key=str):
            self.note(what + " missing", one)
        for one in sorted(found - expected, key=str):
            self.note(what + " that is not there", one)


def compare_locks(differences, holders, locks, owners):
    """owners: whether a pid that /proc/locks tells must be the holder's. That of a flock or lease is who
    took it, and the heirs have it, too."""
    told = [h for h in holders if "exclusive" in h]
    differences.sets(
        "lock",
        {(kind, exclusive, path, first, last) for kind, exclusive, _, path, first, last in locks},
        {lock_of(h) for h in told},
    )
    for kind, exclusive, pid, path, first, last in locks:
        if kind == "OFD lock" or not owners:
            continue
        if not any(lock_of(h) == (kind, exclusive, path, first, last) and h["pid"] == pid for h in told):
            differences.note("lock of the wrong process", kind, pid, path, first, last)


def compare_plan(differences, holders, plan):
    known = {(h["pid"], h["kind"], h["file"], h.get("fd")) for h in holders}
    for what in plan:
        kind = what["kind"]
        if kind in ("open", "copy"):
            kind = "open for writing" if what["writes"] else "open"
        lock = next((h for h in holders if h["pid"] == what["pid"] and h.get("fd") == what["fd"]), None)
        if (what["pid"], kind, what["file"], what["fd"]) not in known and not (
            kind.startswith("POSIX") and lock is not None
        ):
            differences.note("hold missing", what)


def compare(differences, database, plan, namespaces):
    files = files_of(database)
    status, answer = list_holders(database, 0)
    holders = answer["holders"]
    descriptors = true_descriptors(files)
    mappings = {m for m in true_mappings(files) if not any(m == (p, f) for (p, _), (f, _) in descriptors.items())}
    if status != 1 or answer["status"] != "held":
        differences.note("exit status", status, answer["status"])
    differences.sets("descriptor", set(descriptors), {(h["pid"], h["fd"]) for h in holders if "fd" in h})
    differences.sets("mapping", mappings, {(h["pid"], h["file"]) for h in holders if h["kind"] == "mapped"})
    for h in holders:
        if "fd" in h and descriptors.get((h["pid"], h["fd"])) not in (None, (h["file"], h["writes"])):
            differences.note("file or access", h, descriptors[h["pid"], h["fd"]])
        if (h["pid"] in namespaces) != ("inner_pid" in h):
            differences.note("pid namespace", h)
    compare_locks(differences, holders, true_locks(files), True)
    compare_plan(differences, holders, plan)


def compare_as_nobody(differences, database):
    """Who may not look into the processes is told of the locks and their owners all the same."""
    _, answer = list_holders(database, NOBODY)
    if answer["complete"]:
        differences.note("claimed to be complete")
    compare_locks(differences, answer["holders"], true_locks(files_of(database)), True)


def inside(process):
    """The pids below a process that made a pid namespace."""
    found = {process.pid}
    while True:
        more = set()
        for pid in pids():
            try:
                with open("/proc/%d/stat" % pid) as stat:
                    parent = int(stat.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent in found and pid not in found:
                more.add(pid)
        if not more:
            return found - {process.pid}
        found |= more


def run_set(directory, seed):
    rng = random.Random(seed)
    differences = Differences(seed)
    database = os.path.join(directory, "set-%d" % seed)
    for ending in ENDINGS:
        with open(database + ending, "wb") as file:
            file.write(bytes(8192))
        os.chmod(database + ending, 0o666)
    processes = [(plan, start(plan)) for plan in random_set(rng, database)]
    plan = [what for _, process in processes for what in json.loads(process.stdout.readline())]
    namespaces = set().union(*(inside(process) for p, process in processes if p["namespace"]), set())
    compare(differences, database, plan, namespaces)
    compare_as_nobody(differences, database)
    for _, process in processes:
        process.communicate()
        if process.returncode != 0:
            differences.note("a holder failed", process.returncode)
    print("done", flush=True)
    if differences.count > 0:
        print("the set of seed %d: %s" % (seed, json.dumps([p for p, _ in processes])), file=sys.stderr)
    return differences.count


def main():
    if sys.argv[1] == "keep":
        keep(json.loads(sys.argv[2]))
        return 0
    directory, seed, sets = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    print("seeds %d to %d" % (seed, seed + sets - 1), file=sys.stderr)
    for path in (directory, os.path.dirname(directory)):  # NOBODY is to come here
        os.chmod(path, 0o755)
    return min(100, sum(run_set(directory, seed + i) for i in range(sets)))


if __name__ == "__main__":
    sys.exit(main())
