"""A GlusterFS on loopback, without its management daemon: one server, and two clients that each have the
volume mounted. The second lives in a pid namespace of its own, as if on another host: the pids that it
tells the server mean nothing here."""

import os
import shutil
import socket
import subprocess
import time

PATIENCE = 20
IN_ITS_NAMESPACE = ["unshare", "--pid", "--fork", "--kill-child"]

SERVER = """\
volume files
  type storage/posix
  option directory {top}/brick
end-volume
volume locks
  type features/locks
  subvolumes files
end-volume
volume server
  type protocol/server
  option transport-type tcp
  option transport.socket.bind-address 127.0.0.1
  option transport.socket.listen-port {port}
  option auth.addr.locks.allow 127.0.0.1
  subvolumes locks
end-volume
"""
CLIENT = """\
volume client
  type protocol/client
  option transport-type tcp
  option remote-host 127.0.0.1
  option remote-port {port}
  option remote-subvolume locks
end-volume
"""


def why_not():
    """What is missing for it; None if nothing is."""
    if not os.path.exists("/dev/fuse"):
        return "there is no /dev/fuse"
    if os.geteuid() != 0:
        return "only root can mount"
    if shutil.which("glusterfsd") is None:
        return "glusterfs-server is not installed"
    return None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def await_that(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("gluster: " + what)
        time.sleep(0.02)


class Gluster:
    """here, there: where the two clients have it mounted. on_there: the beginning of a command that runs on
    the second client's host."""

    def __init__(self, top):
        self.top, self.processes = str(top), []
        self.here, self.there = self.path("here"), self.path("there")

    def path(self, name):
        return os.path.join(self.top, name)

    def __enter__(self):
        port = free_port()
        for name in ("brick", "here", "there"):
            os.makedirs(self.path(name))
        for name, volume in (("server", SERVER), ("client", CLIENT)):
            with open(self.path(name + ".vol"), "w") as file:
                file.write(volume.format(top=self.top, port=port))
        try:
            self.start(["glusterfsd"], "server")
            await_that(lambda: listens(port), "the server does not listen; see " + self.path("server.log"))
            self.start(["glusterfs"], "client", self.here)
            self.start(IN_ITS_NAMESPACE + ["glusterfs"], "client", self.there)
            for place in (self.here, self.there):
                await_that(lambda place=place: os.path.ismount(place), place + " is not mounted; see " + place + ".log")
        except BaseException:
            self.__exit__()
            raise
        self.on_there = ["nsenter", "--pid", "--target", str(self.first_of_there())]
        return self

    def start(self, command, volume, *place):
        log = (place[0] if place else self.path(volume)) + ".log"
        options = ["--no-daemon", "--volfile", self.path(volume + ".vol"), "--log-file", log]
        self.processes.append(subprocess.Popen(command + options + list(place), stdin=subprocess.DEVNULL,
                                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def first_of_there(self):
        pid = self.processes[-1].pid
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            return int(children.read().split()[0])

    def __exit__(self, *_):
        for place in (self.here, self.there):
            subprocess.run(["umount", "--lazy", place], stderr=subprocess.DEVNULL)
        for process in reversed(self.processes):
            process.kill()
            process.wait()
