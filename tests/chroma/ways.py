"""A program that uses ChromaDB as programs do, and the ways in which such programs believe that they close it."""

import gc
import os
import random
import time

import chromadb
from chromadb.config import Settings

try:
    from chromadb.api.shared_system_client import SharedSystemClient
except ImportError:  # 0.4
    from chromadb.api.client import SharedSystemClient

DATABASE = "chroma.sqlite3"
DIMENSIONS = 32


def open_client(directory):
    return chromadb.PersistentClient(path=directory, settings=Settings(anonymized_telemetry=False))


def rows(first, count, name="row"):
    """What Collection.add takes: as many rows, with ids that count on from `first`."""
    numbers = random.Random(f"{name} {first}")
    return {"ids": [f"{name} {i}" for i in range(first, first + count)],
            "embeddings": [[numbers.random() for _ in range(DIMENSIONS)] for _ in range(count)],
            "documents": [f"document {i}" for i in range(first, first + count)],
            "metadatas": [{"number": i} for i in range(first, first + count)]}


class Program:
    """Holds a client and a collection, as a service does. often: the index's files are written after each so many
    rows; None: as seldom as ChromaDB does of itself."""

    def __init__(self, directory, often=None):
        self.directory = directory
        self.client = open_client(directory)
        settings = {"hnsw:sync_threshold": often, "hnsw:batch_size": often} if often else None
        self.collection = self.client.get_or_create_collection("rows", metadata=settings, embedding_function=None)

    def forget(self):
        self.client = self.collection = None
        gc.collect()
        gc.collect()


def drop(program):
    program.forget()


def drop_and_poll(program):
    """The loop that people write on Linux as they did on Windows: it succeeds at once, whoever holds a lock."""
    program.forget()
    for _ in range(40):
        try:
            with open(os.path.join(program.directory, DATABASE), "r+b") as file:
                file.flush()
            return
        except OSError:
            time.sleep(0.05)


def stop(program):
    program.client._system.stop()


def stop_and_forget(program):
    cached = getattr(SharedSystemClient, "_identifier_to_system", None)
    if cached is None:  # 0.4 spells it so
        cached = SharedSystemClient._identifer_to_system
    program.client._system.stop()
    cached.pop(program.client._identifier)
    program.forget()


def clear_cache(program):
    SharedSystemClient.clear_system_cache()
    program.forget()


def close(program):
    program.client.close()


WAYS = {
    "references dropped": drop,
    "references dropped, `r+b` polled": drop_and_poll,
    "`_system.stop()`": stop,
    "`_system.stop()`, cache cleared": stop_and_forget,
    "`clear_system_cache()`": clear_cache,
    "`close()`": close,
}


def ways():
    """Those that this version has."""
    return [name for name in WAYS if name != "`close()`" or hasattr(chromadb.api.client.Client, "close")]


def really_close():
    """What a way has left open does not pile up from round to round."""
    SharedSystemClient.clear_system_cache()
    gc.collect()
