"""One machine of the lab, empty: a network, PID, mount and UTS namespace without a name.

A thread of the lab's process lives inside it; :meth:`Namespace.call` runs a function there. The namespace's init is
``cat``, reading a pipe that only the lab's process can write to. When that process ends, however it ends, the pipe
closes, ``cat`` ends, and the kernel kills all that ran in its PID namespace and then frees the network. So nothing is
ever left behind, and no program in the lab needs to cooperate.

Inside, ``/run`` is a folder of this machine's own. ``/proc`` and ``/sys`` are the outer ones: ``/proc/self`` and
``/proc/sys/net`` are right, but ``/sys/class/net`` and ``/proc/<own pid>`` are not this machine's.
"""

import os
import socket
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from pyroute2 import IPRoute

from vipa_lab.errors import LabError
from vipa_lab.syscalls import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWUTS,
    MS_BIND,
    MS_PRIVATE,
    MS_REC,
    mount,
    unshare,
)

_T = TypeVar("_T")

# init waits until the last process is gone; killing 6 machines took 2-30 ms on a busy 2-core machine.
_CLOSE_TIMEOUT_S: Final = 10.0


class Namespace:
    """A live namespace. ``run_dir`` becomes its ``/run``. Close it, or let the process end."""

    def __init__(self, name: str, run_dir: Path) -> None:
        self.name = name
        self._run_dir = run_dir
        self._children: list[subprocess.Popen[bytes]] = []
        self._open = True
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"lab-{name}")
        try:
            self.fd, self._ipr, self._anchor = self._pool.submit(self._enter).result()
        except BaseException:
            self._pool.shutdown()
            raise

    @property
    def is_open(self) -> bool:
        """False once closed: the machine is off."""
        return self._open

    def call(self, function: Callable[[], _T]) -> _T:
        """Run ``function`` inside and give back its result or raise its exception. One at a time."""
        if not self._open:
            raise LabError(f"{self.name} is powered off: boot() it first")
        return self._pool.submit(function).result()

    def netlink(self, function: Callable[[Any], _T]) -> _T:
        """Run ``function(ipr)`` inside, with the namespace's own pyroute2 ``IPRoute``."""
        return self.call(lambda: function(self._ipr))

    def popen(
        self, argv: list[str], output: IO[bytes] | int, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program inside, in a session of its own, so that Ctrl-C reaches the lab and not its programs."""

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env, start_new_session=True
            )

        child = self.call(start)
        self._children.append(child)
        return child

    def pids(self) -> list[int]:
        """Every process inside, init excluded, children of children included (as seen from the lab)."""
        own = os.readlink(f"/proc/{self._anchor.pid}/ns/pid")
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == self._anchor.pid:
                continue
            try:
                if os.readlink(f"/proc/{entry}/ns/pid") == own:
                    found.append(int(entry))
            except OSError:
                continue  # ended meanwhile, or another user's
        return found

    def close(self) -> None:
        """Kill all inside at once, as pulling the plug does, and free the namespace. Safe to repeat."""
        if not self._open:
            return
        self._open = False
        self._anchor.kill()
        for child in self._children:
            child.wait(_CLOSE_TIMEOUT_S)  # init cannot end before the lab has reaped its own children
        self._anchor.wait(_CLOSE_TIMEOUT_S)
        if self._anchor.stdin is not None:
            self._anchor.stdin.close()
        self._pool.submit(self._ipr.close).result()
        os.close(self.fd)
        self._pool.shutdown()

    def _enter(self) -> tuple[int, Any, subprocess.Popen[bytes]]:
        unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS)
        mount("none", "/", MS_REC | MS_PRIVATE)  # our mounts must not spread to the host's mount namespace
        mount(str(self._run_dir), "/run", MS_BIND)
        socket.sethostname(self.name)
        anchor = subprocess.Popen(
            ["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        ipr = IPRoute()
        ipr.link("set", index=1, state="up")  # the loopback is always number 1 (net/core/dev.c)
        return fd, ipr, anchor
