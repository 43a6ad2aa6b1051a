"""Docker's seccomp profile, read as Docker reads it: which of its rules hold here depends on the machine and on
the container's capabilities."""
import json
import platform

# Docker's oci/caps/defaults.go
DEFAULT_CAPABILITIES = (
    "chown dac_override fsetid fowner mknod net_raw setgid setuid setfcap setpcap"
    " net_bind_service sys_chroot kill audit_write"
).split()
ARCH, SCMP_ARCH = {
    "x86_64": ("amd64", "SCMP_ARCH_X86_64"),
    "aarch64": ("arm64", "SCMP_ARCH_AARCH64"),
}[platform.machine()]


def version(text):
    return [int(part) for part in text.split(".")[:2]]


def holds(condition, capabilities):
    """Of each kind that a rule's "includes" or "excludes" names, whether it holds here."""
    tests = {
        "arches": lambda names: ARCH in names,
        "caps": lambda names: all(name.lower().removeprefix("cap_") in capabilities for name in names),
        "minKernel": lambda least: version(platform.release()) >= version(least),
    }
    return [tests[kind](value) for kind, value in condition.items()]


class Profile:
    def __init__(self, path, capabilities):
        with open(path) as file:
            profile = json.load(file)
        self.default_errno = profile.get("defaultErrnoRet", 1)
        self.architectures = [SCMP_ARCH] + [
            sub
            for row in profile["archMap"]
            if row["architecture"] == SCMP_ARCH
            for sub in row["subArchitectures"]
        ]
        self.rules = [
            rule
            for rule in profile["syscalls"]
            if all(holds(rule["includes"], capabilities)) and not any(holds(rule["excludes"], capabilities))
        ]
