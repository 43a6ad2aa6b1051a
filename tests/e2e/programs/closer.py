"""closer.py PATH: an SQLite program that says when its close has returned."""
import sqlite3
import sys

connection = sqlite3.connect(sys.argv[1])
connection.execute("create table if not exists t(a)")
connection.execute("insert into t values (1)")
connection.commit()
print("open", flush=True)
sys.stdin.readline()
connection.close()
print("closed", flush=True)
