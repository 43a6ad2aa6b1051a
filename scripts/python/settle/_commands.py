"""settle's commands, as pip installs them: each becomes the program that is in the package."""

import os
import sys
from typing import NoReturn

from ._where import command


def _become(name: str) -> NoReturn:
    program = command(name)
    os.execv(program, [program, *sys.argv[1:]])


def settle() -> NoReturn:
    _become("settle")


def settle_wait() -> NoReturn:
    _become("settle-wait")


def settle_report() -> NoReturn:
    # A Python script: by this interpreter, since there may be no other.
    program = command("settle-report")
    os.execv(sys.executable, [sys.executable, program, *sys.argv[1:]])


def settle_entrypoint() -> NoReturn:
    _become("settle-entrypoint")
