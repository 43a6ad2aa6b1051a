"""ticking.py PATH: an SQLite program with a second thread, that tells for how long that one stood still while the close
lasted, in ms."""
import sqlite3
import sys
import threading
import time

STEP = 0.005
longest = 0.0
ends = threading.Event()


def tick():
    global longest
    last = time.monotonic()
    while not ends.is_set():
        time.sleep(STEP)
        now = time.monotonic()
        longest = max(longest, now - last)
        last = now


connection = sqlite3.connect(sys.argv[1])
connection.execute("create table if not exists t(a)")
thread = threading.Thread(target=tick)
thread.start()
print("open", flush=True)
sys.stdin.readline()
longest = 0.0
connection.close()
ends.set()
thread.join()
print("silent %d" % (longest * 1000), flush=True)
