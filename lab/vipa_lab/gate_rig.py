"""One node with two NICs on one LAN, an agent's kernel layer on it, and a station that asks by raw socket who answers.

The node: eth1 10.1.1.4, eth2 10.1.1.5; the virtual IP 10.1.1.7 is bound on both.
"""

import ctypes
import os
import select
import socket
import time
from collections.abc import Callable
from typing import TypeVar

from vipa.timing import PROFILES, Timing
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.kernel.kernel import Kernel
from vipa_lab import arp
from vipa_lab.host import Host
from vipa_lab.lab import Lab
from vipa_lab.syscalls import CLONE_NEWNET

VIP, VIP2 = "10.1.1.7", "10.1.1.8"
CLAIM_S = 0.1  # the longest that the election asks for
OWN = (("eth1", "10.1.1.4/24"), ("eth2", "10.1.1.5/24"))
BOTH = ("eth1", "eth2")
PERMIT_S = PROFILES[Timing.DEFAULT].permit_s
LONG_S = 60.0
"""For tests that are not about expiry: no stall of a busy machine ends it."""
DEADLINE_S = 10.0
QUIET_S = 0.3
"""An answer takes well under 1 ms; what has not come by then was not sent."""
T = TypeVar("T")
libc = ctypes.CDLL(None, use_errno=True)


class Rig:
    """One node, one station, one switch. Of the kernel layer, ``renewed`` and ``lapsed`` are what it told."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.switch = lab.add_switch()
        self.node = lab.add_node("w1")
        for _name, address in OWN:
            self.node.add_nic(self.switch, address)
        self.station = lab.add_station("client")
        self.station.add_nic(self.switch, "10.1.1.100/24")
        lab.settle()
        self.renewed: list[tuple[str, float]] = []
        self.lapsed: list[str] = []
        self.socket = within(self.station, open_arp)
        self.kernel = self.start()

    def call(self, function: Callable[[], T]) -> T:
        """Run on the node."""
        return within(self.node, function)

    def start(self) -> Kernel:
        """An agent's kernel layer; a second one is the agent after a restart."""
        return self.call(lambda: Kernel(lambda i, until: self.renewed.append((i, until)), self.lapsed.append))

    def serve(self, addresses: tuple[str, ...] = (VIP,)) -> None:
        """Guard and bind, nobody elected."""
        self.call(lambda: self.kernel.guard(addresses, OWN))
        self.call(lambda: self.kernel.bind(addresses, BOTH))

    def claim(self, interface: str, permit_s: float | None = LONG_S, address: str = VIP) -> float | None:
        """Claim and permit; retried, since a stall between the two rightly fails it."""
        until = eventually(lambda: self._claim_once(interface, permit_s, address))
        return until[0]

    def _claim_once(self, interface: str, permit_s: float | None, address: str) -> tuple[float | None] | None:
        assert self.kernel.begin_claim((address,), CLAIM_S)
        ok, until = self.kernel.permit((address,), interface, permit_s)
        return (until,) if ok else None

    def ask(self, target: str = VIP, wait_s: float = QUIET_S, enough: int = 0) -> set[str]:
        """Interfaces of the node that answer "who has TARGET?"; returns at once after ``enough`` answers."""
        while self.socket.recv(128) if select.select([self.socket], [], [], 0)[0] else b"":
            pass
        mac = self.station.nics["eth1"].mac
        self.socket.send(arp.who_has(mac, "10.1.1.100", target))
        names = {nic.mac: nic.name for nic in self.node.nics.values()}
        seen: set[str] = set()
        end_s = time.monotonic() + wait_s
        while not enough or len(seen) < enough:
            # Past the end what has come is still read: this thread may have stood still meanwhile.
            if not select.select([self.socket], [], [], max(0.0, end_s - time.monotonic()))[0]:
                break
            frame = arp.parse(self.socket.recv(128))
            if frame and frame.operation == arp.REPLY and frame.sender_ip == target:
                seen.add(names[frame.sender_mac])
        return seen

    def announce(self, interface: str, address: str = VIP) -> None:
        """One gratuitous ARP request by raw socket, as the agent sends it; OSError when the gate stops it."""
        mac = self.node.nics[interface].mac
        frame = arp.build(arp.Arp(arp.BROADCAST, mac, arp.REQUEST, mac, address, arp.BROADCAST, address))

        def send() -> None:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
                raw.bind((interface, arp.ETH_P_ARP))
                raw.send(frame)

        self.call(send)


def within(host: Host, function: Callable[[], T]) -> T:
    """Run in the machine's network namespace, on this thread: the lab's own threads there cannot start threads, since
    they make their children in another PID namespace (clone(2), CLONE_THREAD)."""
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        enter(host.namespace.fd)
        return function()
    finally:
        enter(outside)
        os.close(outside)


def enter(namespace_fd: int) -> None:
    """This thread, from now on."""
    if libc.setns(namespace_fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def open_arp() -> socket.socket:
    """Sees all ARP of eth1."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(arp.ETH_P_ARP))
    raw.bind(("eth1", arp.ETH_P_ARP))
    return raw


def wait_past(until: float | None) -> None:
    """Until a permit has certainly ended: it was made a transaction after the time it is counted from."""
    assert until is not None
    time.sleep(max(0.0, until + 0.5 - boottime_s()))


def eventually(check: Callable[[], T | None], timeout_s: float = DEADLINE_S) -> T:
    """The first true value of ``check``."""
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        value = check()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError(f"not within {timeout_s:g} s")
