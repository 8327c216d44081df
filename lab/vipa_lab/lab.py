"""A whole lab: switches, nodes, clients and stations, made and removed together.

Use it as a context manager. Leaving the block removes everything; so does the end of the process, in any way, kill -9
included: see :mod:`vipa_lab.namespace` for processes and networks. The folder with logs and sockets is removed by a
janitor, a shell that waits for the lab's end.
"""

import secrets
import shutil
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from vipa_lab.client import Client
from vipa_lab.errors import LabError
from vipa_lab.host import Host
from vipa_lab.node import Node
from vipa_lab.observer import Observer
from vipa_lab.privileges import ensure_privileges
from vipa_lab.switch import Switch

# Above every number the kernel gives out by itself in a small namespace, so both ends of a cable can have it.
_FIRST_INDEX: Final = 100
_SETTLE_POLL_S: Final = 0.002
_KEY_BYTES: Final = 32
# The number of a host is one byte of its MAC addresses.
_HOSTS_MAX: Final = 255

_H = TypeVar("_H", bound=Host)


class Lab:
    """An empty lab. ``work_dir``: where logs go and stay; without it a temporary folder that is removed.

    LabError when the machine allows neither root nor user namespaces.
    """

    def __init__(self, work_dir: Path | None = None) -> None:
        ensure_privileges()
        self._janitor: subprocess.Popen[bytes] | None = None
        if work_dir is None:
            self.work_dir = Path(tempfile.mkdtemp(prefix="vipa-lab-"))
            self._janitor = _start_janitor(self.work_dir)
        else:
            self.work_dir = work_dir
            work_dir.mkdir(parents=True, exist_ok=True)
        self.key_file = self.work_dir / "heartbeat.key"
        self.key_file.touch(mode=0o600)
        self.key_file.write_text(f"lab:{secrets.token_hex(_KEY_BYTES)}\n")
        self.switches: dict[str, Switch] = {}
        self.hosts: dict[str, Host] = {}
        self._index = _FIRST_INDEX

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add_switch(self, name: str = "lan") -> Switch:
        """A LAN of its own."""
        self._check_name(name)
        run_dir = self.work_dir / name / "run"
        run_dir.mkdir(parents=True, exist_ok=True)
        switch = Switch(name, run_dir)
        self.switches[name] = switch
        return switch

    def add_node(self, name: str) -> Node:
        """A machine for agents and echo servers; give it adapters with ``add_nic``."""
        return self._add(Node(self, name, self._number(name)))

    def add_client(self, name: str) -> Client:
        """A machine to measure from."""
        return self._add(Client(self, name, self._number(name)))

    def add_station(self, name: str) -> Host:
        """A neutral machine: it answers ARP and ping for its own addresses and does nothing else."""
        return self._add(Host(self, name, self._number(name)))

    def observe(self, switch: Switch) -> Observer:
        """Start capturing ARP at ``switch``."""
        return Observer(switch, self.work_dir / switch.name)

    def settle(self, timeout_s: float = 5.0) -> None:
        """Wait until the kernel has brought every link up: mostly 10 ms, at times a second. LabError when it takes
        longer than ``timeout_s``; only for labs without ports that are down."""
        waiting = [nic for host in self.hosts.values() if host.is_on for nic in host.nics.values()]
        deadline = time.monotonic() + timeout_s
        while waiting := [nic for nic in waiting if not nic.is_operational()]:
            if time.monotonic() > deadline:
                names = ", ".join(f"{nic.host.name} {nic.name}" for nic in waiting)
                raise LabError(f"links still not up after {timeout_s:g} s: {names}")
            time.sleep(_SETTLE_POLL_S)

    def next_index(self) -> int:
        """An interface number that no interface of this lab has."""
        self._index += 1
        return self._index

    def close(self) -> None:
        """Remove everything. Safe to repeat."""
        with ExitStack() as closing:  # one that cannot be closed must not keep the others
            for switch in self.switches.values():
                closing.callback(switch.close)
            for host in self.hosts.values():
                closing.callback(host.close)
        if self._janitor is not None:
            shutil.rmtree(self.work_dir, ignore_errors=True)  # what this leaves, the janitor takes
            if self._janitor.stdin is not None:
                self._janitor.stdin.close()
            self._janitor.wait()
            self._janitor = None

    def _add(self, host: _H) -> _H:
        self.hosts[host.name] = host
        return host

    def _number(self, name: str) -> int:
        self._check_name(name)
        if len(self.hosts) >= _HOSTS_MAX:
            raise LabError(f"a lab has at most {_HOSTS_MAX} machines")
        return len(self.hosts) + 1

    def _check_name(self, name: str) -> None:
        if name in self.hosts or name in self.switches:
            raise LabError(f"the lab already has a machine called {name!r}")


def _start_janitor(work_dir: Path) -> subprocess.Popen[bytes]:
    """A shell in a session of its own that reads until the lab's process has ended, then removes the folder."""
    return subprocess.Popen(
        ["sh", "-c", 'cat; rm -rf -- "$0"', str(work_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
