"""A machine of the lab: adapters, settings, programs, and a plug to pull.

Clients and neutral stations are plain hosts; :class:`vipa_lab.node.Node` adds what runs on a node.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vipa_lab.errors import LabError
from vipa_lab.namespace import Namespace
from vipa_lab.nic import Nic
from vipa_lab.process import Process, is_stopped
from vipa_lab.switch import Switch

if TYPE_CHECKING:
    from vipa_lab.lab import Lab

# What a new namespace has depends on the host's sysctls (net.core.devconf_inherit_init_net), so the lab says it.
_IPV4_DEFAULTS: Final[dict[str, int]] = {
    "rp_filter": 0,
    "arp_ignore": 0,
    "arp_announce": 0,
    "arp_filter": 0,
    "arp_accept": 0,
    "arp_notify": 0,
    "proxy_arp": 0,
    "accept_local": 0,
    "src_valid_mark": 0,
}
# As said, and: an address works at once (real DAD takes a second), and nothing comes from router advertisements.
_IPV6_DEFAULTS: Final[dict[str, int]] = {
    "disable_ipv6": 0,
    "accept_dad": 0,
    "accept_ra": 0,
    "autoconf": 0,
    "forwarding": 0,
    "ndisc_notify": 0,
    "drop_unsolicited_na": 0,
    "keep_addr_on_down": 0,
}
_FREEZE_TIMEOUT_S: Final = 5.0
# include/uapi/linux/neighbour.h: NUD_NOARP and NUD_PERMANENT, entries that were never asked for.
_NUD_FIXED: Final = 0x40 | 0x80


class Host:
    """``name`` is its hostname; ``number`` (1-255) goes into its MAC addresses, which are fixed by it."""

    def __init__(self, lab: Lab, name: str, number: int) -> None:
        self.lab = lab
        self.name = name
        self.number = number
        self.dir = lab.work_dir / name
        self.run_dir = self.dir / "run"  # its own /run
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self.nics: dict[str, Nic] = {}
        self._ip_conf = {"ipv4": dict(_IPV4_DEFAULTS), "ipv6": dict(_IPV6_DEFAULTS)}
        self._sysctls: dict[str, str] = {}
        self._routes: list[tuple[str, str]] = []
        self._logs = 0
        self.namespace = Namespace(name, self.run_dir)
        self._configure()

    def add_nic(self, switch: Switch, *addresses: str, mac: str | None = None) -> Nic:
        """The next adapter (eth1, eth2 …), with a cable to a new port of ``switch``; addresses as "10.1.1.4/24"."""
        name = f"eth{len(self.nics) + 1}"
        # 02: locally administered (IEEE 802); the rest says where a frame came from when one reads a capture.
        mac = mac or f"02:76:69:70:{self.number:02x}:{len(self.nics) + 1:02x}"
        nic = Nic(self, name, mac, addresses, switch.add_port(f"{self.name}-{name}"))
        self.nics[name] = nic
        nic.plug_in()
        return nic

    def set_ipv4_conf(self, **values: int) -> None:
        """net.ipv4.conf settings (``rp_filter=1, arp_ignore=1``) for all present and future interfaces."""
        self._set_conf("ipv4", values)

    def set_ipv6_conf(self, **values: int) -> None:
        """net.ipv6.conf settings for all present and future interfaces: ``accept_dad=1`` for real duplicate address
        detection, ``drop_unsolicited_na=1`` for a client that heeds no announcement, ``forwarding=1`` for a router."""
        self._set_conf("ipv6", values)

    def set_sysctl(self, key: str, value: str | int) -> None:
        """Any sysctl below net, by its slash name ("net/ipv4/ip_forward"), kept over boots."""
        self._sysctls[key] = str(value)
        self._write_sysctl(key, str(value))

    def add_route(self, destination: str, gateway: str) -> None:
        """A route ("default" or "10.2.0.0/16") by ``gateway``, kept over boots."""
        self._routes.append((destination, gateway))
        self._add_routes([(destination, gateway)])

    def start(
        self,
        argv: Sequence[str],
        name: str,
        *,
        capabilities: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Process:
        """Start a program here. Its output goes to a log file of its own, named after ``name``."""
        self._logs += 1
        log = self.dir / f"{name}-{self._logs}.log"
        return Process(self.namespace, argv, log, capabilities=capabilities, env=env)

    def run(self, argv: Sequence[str], timeout_s: float = 10.0) -> str:
        """Run a program to its end and give back its standard output; LabError with its words when it fails."""
        done = self.namespace.call(
            lambda: subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s, check=False)
        )
        if done.returncode != 0:
            raise LabError(f"{self.name}: {' '.join(argv)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def neighbour(self, address: str) -> str | None:
        """The MAC this machine's kernel holds for ``address`` in its ARP or ND cache, None when it has none."""
        entries = self.namespace.netlink(lambda ipr: list(ipr.get_neighbours(dst=address)))
        macs = [entry.get_attr("NDA_LLADDR") for entry in entries]
        return next((str(mac) for mac in macs if mac), None)

    def flush_neighbours(self) -> None:
        """Forget all ARP and ND entries: a cold client."""
        self.namespace.netlink(_flush_neighbours)

    def freeze(self) -> None:
        """Stop every process here at once, as a hypervisor's snapshot does; the kernel's timers go on."""
        deadline = time.monotonic() + _FREEZE_TIMEOUT_S
        while running := [pid for pid in self.namespace.pids() if not is_stopped(pid)]:
            if time.monotonic() > deadline:
                raise LabError(f"{self.name}: processes {running} could not be frozen")
            for pid in running:
                _signal(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Inverse of :meth:`freeze`."""
        for pid in self.namespace.pids():
            _signal(pid, signal.SIGCONT)

    @property
    def is_on(self) -> bool:
        """False between :meth:`power_off` and :meth:`boot`."""
        return self.namespace.is_open

    def power_off(self) -> None:
        """Pull the plug: cables first, so that no farewell gets out, then everything is gone at once."""
        ports = [nic.port for nic in self.nics.values()]
        carried = [port for port in ports if port.is_up]
        for port in carried:
            port.down()
        self.namespace.close()
        for port in ports:
            port.unplug()
        for port in carried:  # the port itself is well: it has carrier again after the boot
            port.up()

    def boot(self) -> None:
        """Inverse of :meth:`power_off`: settings, adapters, addresses and routes are back, programs are not."""
        if self.is_on:
            raise LabError(f"{self.name} is on already")
        for entry in self.run_dir.iterdir():  # /run is empty after a boot
            _remove(entry)
        self.namespace = Namespace(self.name, self.run_dir)
        self._configure()
        for nic in self.nics.values():
            nic.plug_in()
        self._add_routes(self._routes)

    def close(self) -> None:
        """End everything here, at the end of the lab."""
        self.namespace.close()

    def configure_nic(self, nic: Nic) -> None:
        """Apply the machine's settings to an interface that was just made."""
        self._write_conf([nic.name])

    def _add_routes(self, routes: list[tuple[str, str]]) -> None:
        self.namespace.netlink(lambda ipr: [ipr.route("add", **_route(dst, via)) for dst, via in routes])

    def _configure(self) -> None:
        self._write_conf(["all", "default"])
        for name, text in self._sysctls.items():
            self._write_sysctl(name, text)

    def _set_conf(self, version: str, values: dict[str, int]) -> None:
        self._ip_conf[version].update(values)
        self._write_sysctls(_conf(version, ["all", "default", *self.nics], values))

    def _write_conf(self, scopes: list[str]) -> None:
        for version, conf in self._ip_conf.items():
            self._write_sysctls(_conf(version, scopes, conf))

    def _write_sysctl(self, key: str, value: str) -> None:
        self._write_sysctls({key: value})

    def _write_sysctls(self, values: dict[str, str]) -> None:
        def write() -> None:
            for key, value in values.items():
                try:
                    (Path("/proc/sys") / key).write_text(value)
                except OSError as error:
                    raise LabError(f"{self.name}: sysctl {key} = {value}: {error.strerror}") from error

        self.namespace.call(write)


def _conf(version: str, scopes: list[str], values: dict[str, int]) -> dict[str, str]:
    return {f"net/{version}/conf/{scope}/{key}": str(value) for scope in scopes for key, value in values.items()}


def _route(destination: str, gateway: str) -> dict[str, Any]:
    family = socket.AF_INET6 if ":" in gateway else socket.AF_INET
    return {"dst": destination, "gateway": gateway, "family": family}


def _flush_neighbours(ipr: Any) -> None:  # noqa: ANN401 - pyroute2 is untyped
    for entry in list(ipr.get_neighbours()):
        address = entry.get_attr("NDA_DST")
        if not entry["state"] & _NUD_FIXED:
            ipr.neigh("del", dst=address, ifindex=entry["ifindex"], family=entry["family"])


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended meanwhile: nothing left to stop


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        for child in entry.iterdir():
            _remove(child)
        entry.rmdir()
    else:
        entry.unlink()
