"""Wait until embedded stores are settled: until nobody holds their files any more.

A store is a ChromaDB persist directory, an SQLite database, or any file. Programs close one and at
once copy, upload, delete or reopen its files, while another process, a connection on another thread
or a worker still holds them. :func:`wait` returns when they are free, or when the time is up::

    import settle

    client.close()
    if settle.wait("./chroma", max_wait=2.0):
        shutil.copytree("./chroma", "/backup/chroma")

This looks from outside, by the command settle-wait in a process of its own: it takes and drops no
lock of the calling process, and the calling process's own locks count as anybody's. Nothing has to
be preloaded. To have a program's own closes wait, without a change to it, run it under the library::

    settle -- python3 program.py        (or: python3 -m settle -- python3 program.py)

Every function may be called by any thread. Times are seconds.
"""

from ._wait import Holder, PathResult, Result, UnexaminedError, settled, wait, wait_file
from ._where import library, preloaded

__all__ = [
    "Holder",
    "PathResult",
    "Result",
    "UnexaminedError",
    "library",
    "preloaded",
    "settled",
    "wait",
    "wait_file",
]
