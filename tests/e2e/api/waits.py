"""waits.py LIBRARY PATH...: asks settle.h's functions by ctypes; "-" is what is loaded already.
Prints "SETTLED ERROR SECONDS" for each path: a directory is a store."""
import ctypes
import os
import sys


class Result(ctypes.Structure):
    _fields_ = [
        ("settled", ctypes.c_int),
        ("error", ctypes.c_int),
        ("elapsed", ctypes.c_double),
    ]


settle = ctypes.CDLL(None if sys.argv[1] == "-" else sys.argv[1])
settle.settle_wait_file.restype = Result
settle.settle_wait_file.argtypes = [ctypes.c_char_p, ctypes.c_double, ctypes.c_double]
settle.settle_wait_store.restype = Result
settle.settle_wait_store.argtypes = [ctypes.c_char_p, ctypes.c_double]

for path in sys.argv[2:]:
    if os.path.isdir(path):
        result = settle.settle_wait_store(path.encode(), -1)
    else:
        result = settle.settle_wait_file(path.encode(), -1, -1)
    print(result.settled, result.error, "%.6f" % result.elapsed, flush=True)
