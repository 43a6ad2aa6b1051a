"""witness.py LIBRARY STORE: a host that sees the effect of another preloaded library, and ends if it does
not."""
import errno
import os
import sqlite3
import sys
import time


def fsync_of_a_pipe():
    try:
        os.fsync(os.pipe()[1])
    except OSError as error:
        return error.errno
    return 0


effects = {
    "libeatmydata": lambda: fsync_of_a_pipe() != errno.EINVAL,  # it syncs nothing (fsync(2))
    "libfaketime": lambda: time.gmtime().tm_year == 2001,
    "libfakeroot": lambda: os.getuid() == 0,
}
if not effects[sys.argv[1]]():
    sys.exit(sys.argv[1] + " has no effect")
connection = sqlite3.connect(sys.argv[2])
connection.execute("create table if not exists t(a)")
connection.commit()
print("open", flush=True)
sys.stdin.readline()
connection.close()
print("closed", effects[sys.argv[1]](), flush=True)
