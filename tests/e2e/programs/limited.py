"""limited.py LIMIT STORE: a host that runs out of something before it closes its store."""
import os
import resource
import sqlite3
import sys


def fill_table():
    """Every number is taken, and those that a close sets free are above the limit."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    try:
        while True:
            os.open("/dev/null", os.O_RDONLY)
    except OSError as error:
        print(error.strerror, flush=True)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 64))


def limit(which, value):
    return lambda: resource.setrlimit(which, (value, resource.getrlimit(which)[1]))


limits = {
    "full-table": fill_table,
    "one-descriptor": limit(resource.RLIMIT_NOFILE, 1),
    "no-descriptor": limit(resource.RLIMIT_NOFILE, 0),
    "no-memory": limit(resource.RLIMIT_AS, 1),
    "no-thread": limit(resource.RLIMIT_NPROC, 0),
}

connection = sqlite3.connect(sys.argv[2])
connection.execute("create table if not exists t(a)")
connection.commit()
print("open", flush=True)
sys.stdin.readline()
limits[sys.argv[1]]()
connection.close()
print("closed", flush=True)
