"""One embedded store, by its real library: opens it, says "open", and at a line of its input closes it and says how
long that took. usage: worker.py STORE DIRECTORY [read]; "turn" in place of "read" does not wait for a line, and
tries again until it is let in."""

import sys
import time


def duckdb(directory, read):
    import duckdb as library

    connection = library.connect(f"{directory}/a.duckdb", read_only=read)
    if not read:
        connection.execute("create table if not exists t(x int)")
        connection.execute("insert into t values(1)")
    return connection.close


def leveldb(directory, read):
    import plyvel

    database = plyvel.DB(f"{directory}/p", create_if_missing=True)
    database.put(b"k", b"v")
    return database.close


def rocksdb(directory, read):
    import rocksdict

    database = rocksdict.Rdict(f"{directory}/r")
    for number in range(2000):
        database[str(number)] = "v" * 100
    return database.close


def rocksdb_writes(directory, read):
    """200,000 writes, by which files come and go: logs, tables, what is merged."""
    import rocksdict

    options = rocksdict.Options()
    options.create_if_missing(True)
    options.set_write_buffer_size(1 << 20)
    database = rocksdict.Rdict(f"{directory}/r", options=options)
    for number in range(200_000):
        database[str(number * 7919 % 200_000)] = "v" * 100
    return database.close


def lmdb(directory, read):
    import lmdb as library

    environment = library.open(f"{directory}/l")
    with environment.begin(write=True) as transaction:
        transaction.put(b"k", b"v")
    return environment.close


def hdf5(directory, read):
    import h5py

    file = h5py.File(f"{directory}/a.h5", "r" if read else "a")
    if not read:
        file.attrs["x"] = 1
    return file.close


def kuzu(directory, read):
    import kuzu as library

    database = library.Database(f"{directory}/k.kuzu", read_only=read)
    connection = library.Connection(database)
    if not read:
        connection.execute("create node table if not exists T(id int64, primary key(id))")

    def close():
        connection.close()
        database.close()

    return close


def qdrant(directory, read):
    from qdrant_client import QdrantClient, models

    client = QdrantClient(path=f"{directory}/q")
    if not client.collection_exists("c"):
        client.create_collection("c", models.VectorParams(size=2, distance=models.Distance.DOT))
    client.upsert("c", [models.PointStruct(id=1, vector=[0.1, 0.2])])
    return client.close


def main():
    store, directory, *how = sys.argv[1:]
    opener = globals()[store]
    while True:
        try:
            close = opener(directory, how == ["read"])
            break
        except Exception:
            if how != ["turn"]:
                raise
            time.sleep(0.01)
    print("open", flush=True)
    if how == ["turn"]:
        time.sleep(0.3)
    else:
        sys.stdin.readline()
    began = time.monotonic()
    close()
    print(f"closed {time.monotonic() - began:.3f}", flush=True)


if __name__ == "__main__":
    main()
