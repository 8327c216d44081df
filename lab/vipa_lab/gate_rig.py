"""A node's kernel layer (:mod:`vipa_lab.kernel_rig`) and a station that asks by raw socket who answers."""

import select
import socket
import time
from collections.abc import Callable

from vipa.timing import PROFILES, Timing
from vipa_agent.kernel.clock import boottime_s
from vipa_lab import arp, nd
from vipa_lab.kernel_rig import VIP, KernelRig
from vipa_lab.lab import Lab
from vipa_lab.stack import of_stack
from vipa_lab.within import within

VIP2 = "10.1.1.8"
PERMIT_S = PROFILES[Timing.DEFAULT].permit_s
QUIET_S = 0.2
"""An answer takes well under 1 ms; what has not come by then was not sent."""


class Rig(KernelRig):
    """One node, one station, one switch."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.station = lab.add_station("client")
        self.station.add_nic(self.switch, *of_stack("dual", "10.1.1.100/24"))
        lab.settle()
        self.socket = within(self.station, open_arp)
        self.nd_socket = within(self.station, open_nd)
        self.kernel = self.start()

    def close(self) -> None:
        """End the kernel layer, and the sockets, which would outlive the lab."""
        super().close()
        self.socket.close()
        self.nd_socket.close()

    def ask(self, target: str = VIP, wait_s: float = QUIET_S, enough: int = 0) -> set[str]:
        """Interfaces of the node that answer "who has TARGET?"; returns at once after ``enough`` answers."""
        if ":" in target:
            return self.ask_nd(target, "multicast", "", wait_s, enough)
        question = arp.who_has(self.station.nics["eth1"].mac, "10.1.1.100", target)

        def told(data: bytes) -> str:
            frame = arp.parse(data)
            return frame.sender_mac if frame and (frame.operation, frame.sender_ip) == (arp.REPLY, target) else ""

        return self._answers(self.socket, question, told, wait_s, enough)

    def ask_nd(
        self, target: str, form: nd.Form, to_mac: str = "", wait_s: float = QUIET_S, enough: int = 0
    ) -> set[str]:
        """The same for an IPv6 address, in any form of neighbour solicitation."""
        nic = self.station.nics["eth1"]

        def told(data: bytes) -> str:
            frame = nd.parse(data)
            return frame.mac if frame and (frame.kind, frame.target) == ("advertise", target) else ""

        question = nd.solicit(nic.mac, nic.address6, target, form, to_mac)
        return self._answers(self.nd_socket, question, told, wait_s, enough)

    def announce(self, interface: str, address: str = VIP) -> None:
        """One announcement by raw socket, as the agent sends it: gratuitous ARP request, or advertisement to all nodes;
        OSError when the gate stops it."""
        mac = self.node.nics[interface].mac
        if ":" in address:
            return self.send(interface, nd.advertisement(mac, address))
        return self.send(interface, arp.announcement(mac, address))

    def send(self, interface: str, frame: bytes) -> None:
        """A whole frame out of an interface of the node; OSError when the gate stops it."""

        def write() -> None:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
                raw.bind((interface, 0))
                raw.send(frame)

        self.call(write)

    def _answers(
        self, sock: socket.socket, question: bytes, told: Callable[[bytes], str], wait_s: float, enough: int
    ) -> set[str]:
        while sock.recv(128) if select.select([sock], [], [], 0)[0] else b"":
            pass
        sock.send(question)
        names = {nic.mac: nic.name for nic in self.node.nics.values()}
        seen: set[str] = set()
        end_s = time.monotonic() + wait_s
        while not enough or len(seen) < enough:
            # Past the end what has come is still read: this thread may have stood still meanwhile.
            if not select.select([sock], [], [], max(0.0, end_s - time.monotonic()))[0]:
                break
            if mac := told(sock.recv(128)):
                seen.add(names[mac])
        return seen


def open_arp() -> socket.socket:
    """Sees all ARP of eth1."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(arp.ETH_P_ARP))
    raw.bind(("eth1", arp.ETH_P_ARP))
    return raw


def open_nd() -> socket.socket:
    """Sees all IPv6 of eth1."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(nd.ETH_P_IPV6))
    raw.bind(("eth1", nd.ETH_P_IPV6))
    return raw


def wait_past(until: float | None) -> None:
    """Until a permit has certainly ended: it was made a transaction after the time it is counted from."""
    assert until is not None
    time.sleep(max(0.0, until + 0.5 - boottime_s()))
