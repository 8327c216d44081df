"""Become able to make network namespaces, as root or as anybody else.

Root needs nothing: every namespace is entered by a thread of its own (:mod:`vipa_lab.namespace`), so the host's
network is never touched. Anybody else gets a user namespace of their own in which they are root. It is entered in
place, without running the program again, which is why it must come before the first thread.
"""

import os
import threading
import time
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.syscalls import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER, unshare

# A joined thread is gone for Python a moment before it is gone for the kernel.
_THREAD_END_S: Final = 1.0
_THREAD_POLL_S: Final = 0.001


def ensure_privileges() -> None:
    """Make this process able to create network and mount namespaces; does nothing when it already is.

    Afterwards an ordinary user sees themselves as uid 0; their files stay theirs. LabError says what is missing when
    the machine allows neither, or when threads are already running (a user namespace is entered by one-thread
    processes only).
    """
    if _try_in_thread() is None:
        return
    _wait_for_one_thread()
    _enter_user_namespace()
    refusal = _try_in_thread()
    if refusal is not None:
        raise LabError(
            f"user namespaces are restricted here ({refusal.strerror}): run as root, or on Ubuntu "
            "'sysctl kernel.apparmor_restrict_unprivileged_userns=0'"
        )


def _enter_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    try:
        unshare(CLONE_NEWUSER)
        # setgroups must be given up before an ordinary user may map a group (user_namespaces(7)).
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    except OSError as error:
        raise LabError(
            f"neither root nor user namespaces ({error.strerror}): run as root, or "
            "'sysctl user.max_user_namespaces=10000', on old Debian also 'sysctl kernel.unprivileged_userns_clone=1'"
        ) from error


def _wait_for_one_thread() -> None:
    deadline = time.monotonic() + _THREAD_END_S
    while (threads := len(os.listdir("/proc/self/task"))) > 1:
        if time.monotonic() > deadline:
            raise LabError(f"{threads} threads are running: call ensure_privileges() before starting the first one")
        time.sleep(_THREAD_POLL_S)


def _try_in_thread() -> OSError | None:
    """What the kernel says to a thread that wants namespaces: None for yes. The thread takes them with it."""
    refusals: list[OSError] = []

    def attempt() -> None:
        try:
            unshare(CLONE_NEWNET | CLONE_NEWNS)
        except OSError as error:
            refusals.append(error)

    thread = threading.Thread(target=attempt, name="privileges")
    thread.start()
    thread.join()
    return refusals[0] if refusals else None
