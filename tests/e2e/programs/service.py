"""service.py DIRECTORY...: opens the store in each directory; then, on threads of their own, closes
all of them at the same time, and says of each what its close took and when it returned, in ns:
"closed TOOK MOMENT"."""
import os
import sqlite3
import sys
import threading
import time

directories = sys.argv[1:]
clients = []
for directory in directories:
    client = sqlite3.connect(os.path.join(directory, "chroma.sqlite3"), check_same_thread=False)
    client.execute("create table if not exists t(a)")
    clients.append(client)
closed = {}
together = threading.Barrier(len(clients))


def close(directory, client):
    together.wait()
    began = time.monotonic_ns()
    client.close()
    now = time.monotonic_ns()
    closed[directory] = now - began, now


print("open", flush=True)
sys.stdin.readline()
threads = [threading.Thread(target=close, args=pair) for pair in zip(directories, clients)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for directory in directories:
    print("closed", *closed[directory], flush=True)
