"""A node's kernel layer (:mod:`vipa_lab.kernel_rig`) and a station that asks by raw socket who answers."""

import select
import socket
import time

from vipa.timing import PROFILES, Timing
from vipa_agent.kernel.clock import boottime_s
from vipa_lab import arp
from vipa_lab.kernel_rig import VIP, KernelRig
from vipa_lab.lab import Lab
from vipa_lab.within import within

VIP2 = "10.1.1.8"
PERMIT_S = PROFILES[Timing.DEFAULT].permit_s
QUIET_S = 0.3
"""An answer takes well under 1 ms; what has not come by then was not sent."""


class Rig(KernelRig):
    """One node, one station, one switch."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.station = lab.add_station("client")
        self.station.add_nic(self.switch, "10.1.1.100/24")
        lab.settle()
        self.socket = within(self.station, open_arp)
        self.kernel = self.start()

    def close(self) -> None:
        """End the kernel layer, and the socket, which would outlive the lab."""
        super().close()
        self.socket.close()

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


def open_arp() -> socket.socket:
    """Sees all ARP of eth1."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(arp.ETH_P_ARP))
    raw.bind(("eth1", arp.ETH_P_ARP))
    return raw


def wait_past(until: float | None) -> None:
    """Until a permit has certainly ended: it was made a transaction after the time it is counted from."""
    assert until is not None
    time.sleep(max(0.0, until + 0.5 - boottime_s()))
