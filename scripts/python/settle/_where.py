"""Where the library and the commands are, and whether this process has the library."""

import ctypes
import os

_FILES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_files")


def command(name: str) -> str:
    """The path of one of settle's commands, such as settle-wait."""
    return os.path.join(_FILES, "bin", name)


def library() -> str:
    """The path of libsettle.so, for LD_PRELOAD. The same file serves every libc."""
    return os.path.join(_FILES, "lib", "settle", "libsettle.so")


def preloaded() -> bool:
    """Whether this process runs under the library, so that its own closes wait.

    True as well where SETTLE_DISABLE is set: the library is there then and passes everything through.
    """
    return hasattr(ctypes.CDLL(None), "settle_wait_store")
