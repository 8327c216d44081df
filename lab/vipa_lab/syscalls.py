"""The few system calls Python 3.11 does not offer, by ctypes: unshare(2), setns(2) and mount(2).

They act on the calling *thread* for network, mount, UTS and PID namespaces, which is what
:mod:`vipa_lab.namespace` builds on.
"""

import ctypes
import os
from typing import Final

# include/uapi/linux/sched.h
CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
CLONE_NEWNET: Final = 0x40000000

# include/uapi/linux/mount.h
MS_BIND: Final = 4096
MS_REC: Final = 16384
MS_PRIVATE: Final = 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Give the calling thread namespaces of its own; OSError with the kernel's errno when refused."""
    if _libc.unshare(ctypes.c_int(flags)) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"unshare({flags:#x}): {os.strerror(error)}")


def setns(fd: int, flags: int) -> None:
    """Move the calling thread into the namespace that ``fd`` is open on; OSError when refused."""
    if _libc.setns(ctypes.c_int(fd), ctypes.c_int(flags)) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"setns({flags:#x}): {os.strerror(error)}")


def mount(source: str, target: str, flags: int) -> None:
    """mount(2) without a filesystem type: bind mounts and changes of propagation. OSError when refused."""
    result = _libc.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None)
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"mount {source} on {target}: {os.strerror(error)}")
