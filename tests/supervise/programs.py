"""Programs that no preloaded library reaches, each built once for what its sources are, in the tests' cache (tests/cache).
Go and Cargo keep what they download where they always do."""

import contextlib
import hashlib
import os
import shutil
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests"))

import kept
from kept import Missing, run  # noqa: F401

SOURCES = os.path.join(HERE, "programs")
# Debian's, whose sources of the standard library are those of the compiler: another one may come first in the path.
SYSTEM = {"PATH": "/usr/bin:/bin"}


def digest(*what):
    content = hashlib.sha256(repr(what).encode())
    for directory, _, names in sorted(os.walk(SOURCES)):
        for name in sorted(names):
            with open(os.path.join(directory, name), "rb") as file:
                content.update(name.encode() + file.read())
    return content.hexdigest()[:12]


@contextlib.contextmanager
def place(name, *compiler):
    """Where the program is to be made with that compiler, and whether it is yet to be: of two who want it, one does."""
    with kept.place("supervise", f"{name}-{digest(*compiler)}") as path:
        missing = not os.path.exists(path)
        if missing:
            print(f"tests/supervise: builds {path}", flush=True)
        yield path, missing


def static_c():
    """With Debian's libsqlite3.a."""
    with place("c", run("cc", "--version")) as (path, missing):
        if missing:
            run("cc", "-O2", "-static", "-o", path + ".made", os.path.join(SOURCES, "store.c"), "-lsqlite3", "-lm")
            os.rename(path + ".made", path)
    return path


def go(name, *options, cgo="0"):
    environment = dict(os.environ, CGO_ENABLED=cgo, GOFLAGS="-mod=readonly -buildvcs=false")
    version = run("go", "version", cwd=SOURCES, env=environment)
    with place(name, version, options, cgo) as (path, missing):
        if missing:
            run("go", "build", "-o", path + ".made", *options, "./" + name, cwd=SOURCES, env=environment)
            os.rename(path + ".made", path)
    return path


def go_static_c(name):
    """By cgo, with a libc."""
    return go(name, "-tags", "netgo osusergo sqlite_omit_load_extension", "-ldflags", "-linkmode external -extldflags -static",
              cgo="1")


def rust_musl():
    """With a standard library built from Debian's sources, since no package has one for musl. It asks for libunwind;
    gcc's has the same functions, but one of glibc's in it, by which a panic would find its way faster."""
    target = os.uname().machine + "-unknown-linux-musl"
    name = target.upper().replace("-", "_")
    with place("rust", run("rustc", "--version", env=SYSTEM)) as (path, missing):
        if missing:
            made = path + ".made"
            shutil.rmtree(made, ignore_errors=True)
            shutil.copytree(os.path.join(SOURCES, "rust"), made)
            shutil.copy(run("cc", "-print-file-name=libgcc_eh.a").strip(), os.path.join(made, "libunwind.a"))
            run("musl-gcc", "-O2", "-c", os.path.join(SOURCES, "rust/unwind.c"), cwd=made)
            run("ar", "r", "libunwind.a", "unwind.o", cwd=made)
            environment = {**SYSTEM, "HOME": os.environ.get("HOME", "/root"), "RUSTC_BOOTSTRAP": "1",
                           "CC_" + name.lower(): "musl-gcc", f"CARGO_TARGET_{name}_LINKER": "musl-gcc",
                           "RUSTFLAGS": "-C target-feature=+crt-static -C relocation-model=static -C link-self-contained=no -L " + made}
            run("cargo", "build", "--release", "--locked", "-Zbuild-std=std,panic_abort", "--target", target, cwd=made,
                env=environment)
            os.rename(os.path.join(made, "target", target, "release/store"), path)
            shutil.rmtree(made)
    return path


def pinned(module):
    """Its version in go.mod."""
    with open(os.path.join(SOURCES, "go.mod"), encoding="utf-8") as file:
        for line in file:
            if line.split()[:1] == [module]:
                return line.split()[1].lstrip("v")
    raise KeyError(module)
