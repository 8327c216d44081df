"""An OCI runtime: runc without the capabilities that this machine itself lacks. Only such machines use it.

Docker asks runc to give privileged containers every capability there is, and runc refuses when it has not got one.
dockerd runs a copy of this file as it runs runc, so it needs nothing but Python's standard library.
"""

import json
import os
import shutil
import sys
from typing import Any, Final

# include/uapi/linux/capability.h, by number.
CAPABILITIES: Final = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)


def lacking(status: str) -> set[str]:
    """Capabilities ("CAP_CHOWN") outside the bounding set that ``status`` (/proc/self/status) tells."""
    bounding = int(next(line for line in status.splitlines() if line.startswith("CapBnd:")).split()[1], 16)
    return {f"CAP_{name}" for number, name in enumerate(CAPABILITIES.split()) if not bounding >> number & 1}


def option(words: list[str], *names: str) -> str:
    """The value of an option, "--bundle DIR" or "--bundle=DIR"; "" without it."""
    for at, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names:
            return value if equals else words[at + 1]
    return ""


def lessen(process: dict[str, Any], gone: set[str]) -> None:
    """Take ``gone`` out of a process of the OCI runtime specification."""
    sets = process.get("capabilities") or {}
    for kind in sets:
        sets[kind] = [name for name in sets[kind] if name not in gone]


def main() -> None:
    """Change what runc is about to read, then be runc."""
    words = sys.argv[1:]
    if "create" in words or "run" in words:
        path = os.path.join(option(words, "--bundle", "-b") or os.getcwd(), "config.json")
    else:
        path = option(words, "--process", "-p") if "exec" in words else ""
    if path:
        with open("/proc/self/status") as status:
            gone = lacking(status.read())
        with open(path) as file:
            config = json.load(file)
        lessen(config if "exec" in words else config.get("process", {}), gone)
        with open(path, "w") as file:
            json.dump(config, file)
    os.execv(shutil.which("runc") or "/usr/sbin/runc", ["runc", *words])


if __name__ == "__main__":
    main()
