"""docker_filtered.py PROFILE COMMAND...: runs a command under a seccomp profile in Docker's format, and
with the capabilities that Docker gives a container."""
import json
import os
import platform
import sys

import seccomp

# Docker's oci/caps/defaults.go
CAPABILITIES = (
    "chown dac_override fsetid fowner mknod net_raw setgid setuid setfcap setpcap"
    " net_bind_service sys_chroot kill audit_write"
).split()
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
OPERATORS = {"SCMP_CMP_EQ": seccomp.EQ, "SCMP_CMP_MASKED_EQ": seccomp.MASKED_EQ}


def version(text):
    return [int(part) for part in text.split(".")[:2]]


def holds(condition):
    """Of each kind that a rule's "includes" or "excludes" names, whether it holds here."""
    tests = {
        "arches": lambda names: ARCH in names,
        "caps": lambda names: all(name.lower().removeprefix("cap_") in CAPABILITIES for name in names),
        "minKernel": lambda least: version(platform.release()) >= version(least),
    }
    return [tests[kind](value) for kind, value in condition.items()]


def action(rule):
    if rule["action"] == "SCMP_ACT_ALLOW":
        return seccomp.ALLOW
    return seccomp.ERRNO(rule.get("errnoRet", 1))


def argument(a):
    return seccomp.Arg(a["index"], OPERATORS[a["op"]], a["value"], a.get("valueTwo", 0))


def filter_of(profile):
    f = seccomp.SyscallFilter(seccomp.ERRNO(profile.get("defaultErrnoRet", 1)))
    f.set_attr(seccomp.Attr.CTL_NNP, 0)
    for rule in profile["syscalls"]:
        if not all(holds(rule["includes"])) or any(holds(rule["excludes"])):
            continue
        for name in rule["names"]:
            try:
                f.add_rule(action(rule), name, *(argument(a) for a in rule["args"] or []))
            except RuntimeError:
                pass  # a system call that this libseccomp or architecture does not know
    return f


with open(sys.argv[1]) as file:
    filter_of(json.load(file)).load()
bounds = ",".join(["-all"] + ["+" + name for name in CAPABILITIES])
os.execvp("setpriv", ["setpriv", "--bounding-set", bounds, "--inh-caps=-all", *sys.argv[2:]])
