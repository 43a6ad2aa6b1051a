"""docker_filtered.py PROFILE COMMAND...: runs a command under a seccomp profile in Docker's format, and
with the capabilities that Docker gives a container."""
import os
import sys

import seccomp

from docker_profile import DEFAULT_CAPABILITIES, Profile

OPERATORS = {"SCMP_CMP_EQ": seccomp.EQ, "SCMP_CMP_MASKED_EQ": seccomp.MASKED_EQ}


def action(rule):
    if rule["action"] == "SCMP_ACT_ALLOW":
        return seccomp.ALLOW
    return seccomp.ERRNO(rule.get("errnoRet", 1))


def argument(a):
    return seccomp.Arg(a["index"], OPERATORS[a["op"]], a["value"], a.get("valueTwo", 0))


def filter_of(profile):
    f = seccomp.SyscallFilter(seccomp.ERRNO(profile.default_errno))
    f.set_attr(seccomp.Attr.CTL_NNP, 0)
    for rule in profile.rules:
        for name in rule["names"]:
            try:
                f.add_rule(action(rule), name, *(argument(a) for a in rule["args"] or []))
            except RuntimeError:
                pass  # a system call that this libseccomp or architecture does not know
    return f


filter_of(Profile(sys.argv[1], DEFAULT_CAPABILITIES)).load()
bounds = ",".join(["-all"] + ["+" + name for name in DEFAULT_CAPABILITIES])
os.execvp("setpriv", ["setpriv", "--bounding-set", bounds, "--inh-caps=-all", *sys.argv[2:]])
