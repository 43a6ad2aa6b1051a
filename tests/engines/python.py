"""python.py ENGINE PATH: a Python program that uses a database by ENGINE, and does what run tells it."""

import concurrent.futures
import os
import sys
import threading
import time


def sql(module, connect, text):
    """Engines of one kind: connect(path) gives a connection with close(), text(connection, statement) executes."""

    def engine(path):
        connection = connect(module, path)
        text(connection, "create table if not exists ours(a integer)")
        text(connection, "insert into ours values (1)")
        return connection.close

    return engine


def by_execute(connection, statement):
    connection.execute(statement)


def by_commit(connection, statement):
    connection.execute(statement)
    connection.commit()


def connect_anywhere(module, path):
    return module.connect(path, check_same_thread=False)


def with_sqlite3():
    import sqlite3
    return sqlite3.sqlite_version, sql(sqlite3, connect_anywhere, by_commit)


def with_pysqlite3():
    import pysqlite3
    return pysqlite3.sqlite_version, sql(pysqlite3, connect_anywhere, by_commit)


def with_apsw():
    import apsw
    return apsw.sqlite_lib_version(), sql(apsw, lambda module, path: module.Connection(path), by_execute)


def with_duckdb():
    import duckdb
    return duckdb.__version__, sql(duckdb, lambda module, path: module.connect(path), by_execute)


def with_chromadb():
    """Which SQLite it has it does not say. Its connections are closed by other threads, so what it takes for its close is that and the next look."""
    import chromadb
    from chromadb.config import Settings

    def engine(path):
        directory = os.path.dirname(path)
        client = chromadb.PersistentClient(path=directory, settings=Settings(anonymized_telemetry=False))
        client.get_or_create_collection("ours", embedding_function=None).add(ids=["1"], embeddings=[[0.5] * 8])

        def close():
            from chromadb.api.client import SharedSystemClient
            client._system.stop()
            for name in ("_identifier_to_system", "_identifer_to_system"):  # 0.4 spells it so
                getattr(SharedSystemClient, name, {}).clear()
            os.listdir(directory)

        return close

    return "", engine


class Ticker(threading.Thread):
    """Another thread of the program: the longest time that it stood still."""

    def __init__(self):
        super().__init__(daemon=True)
        self.longest, self.ends = 0.0, False
        self.start()

    def run(self):
        last = time.monotonic()
        while not self.ends:
            time.sleep(0.005)
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last), now

    def stop(self):
        self.ends = True
        self.join()
        return self.longest


class Program:
    def __init__(self, engine, path):
        self.engine, self.path = engine, path
        self.reader = self.closer = None
        self.thread = concurrent.futures.ThreadPoolExecutor(1)

    def open(self):
        self.closer = self.engine(self.path)

    def close(self):
        closer, self.closer = self.closer, None
        closer()

    def keep(self):
        self.reader = open(self.path, "rb", buffering=0)
        self.reader.read(16)

    def drop(self):
        self.reader.close()

    def list(self):
        os.listdir(os.path.dirname(self.path))

    def close_beside_a_thread(self):
        ticker = Ticker()
        self.close()
        self.list()
        return ticker.stop()

    def open_on_a_thread(self):
        self.thread.submit(self.open).result()

    def close_on_a_thread(self):
        closing = self.thread.submit(self.close)
        time.sleep(0.2)
        self.keep()
        closing.result()
        self.drop()


def main():
    version, engine = globals()["with_" + sys.argv[1]]()
    program = Program(engine, sys.argv[2])
    print(version, flush=True)
    for line in sys.stdin:
        result = getattr(program, line.strip().replace(" ", "_"))()
        print("done", *([] if result is None else [result]), flush=True)


if __name__ == "__main__":
    main()
