"""Two stations and a cable between them, for tests of the agent's packet sockets: A (eth1, 10.1.1.4) and B (eth1,
10.1.1.6). The kernels' own side is hushed: they answer no heartbeats, so that nobody asks for MACs in the middle.
"""

import socket
from contextlib import ExitStack, closing
from typing import Any

from vipa import frames
from vipa.election.events import ArpSeen, BeatReceived
from vipa_agent.wire import Nic, NicSocket, open_sink
from vipa_lab.host import Host
from vipa_lab.lab import Lab
from vipa_lab.until import until
from vipa_lab.within import inside

PORT = 7117
MAC_A, MAC_B = "52:54:00:00:00:0a", "52:54:00:00:00:0b"
IP_A, IP_B = "10.1.1.4", "10.1.1.6"

_MARKER = b"marker"
_MARKER_ADDRESS = "10.1.1.250"


class Wire:
    """The stations, their NICs and whatever a test opens on them. ``sinks``: what hushes a station, by station and
    UDP port."""

    nic_a: Nic
    nic_b: Nic

    def __init__(self, lab: Lab) -> None:
        self.a, self.b = lab.add_station("a"), lab.add_station("b")
        for station in (self.a, self.b):
            # Kernels that discover their neighbours by themselves would speak in between; packet sockets do not care.
            station.set_ipv6_conf(disable_ipv6=1)
        self.sinks: dict[tuple[Host, int], ExitStack] = {}
        self._opened = ExitStack()
        self.plug()
        for port in (PORT, PORT + 1):  # the second: that of somebody else's heartbeats
            for station in (self.a, self.b):
                with inside(station):
                    self.sinks[station, port] = self._opened.enter_context(open_sink(port))

    def close(self) -> None:
        """Close what tests opened; stations and cable go with the lab."""
        self._opened.close()

    def plug(self) -> None:
        """A new cable with two new NICs; names, MACs and addresses are always the same."""
        peer = {"ifname": "eth1", "address": MAC_B, "net_ns_fd": self.b.namespace.fd}
        self.a.namespace.netlink(lambda ipr: ipr.link("add", ifname="eth1", kind="veth", address=MAC_A, peer=peer))
        self.nic_a = _bring_up(self.a, MAC_A, IP_A)
        self.nic_b = _bring_up(self.b, MAC_B, IP_B)
        until(lambda: _carrier(self.a, self.nic_a) and _carrier(self.b, self.nic_b), "the cable has carrier")

    def unplug(self) -> None:
        """Both NICs are gone."""
        self.a.namespace.netlink(lambda ipr: ipr.link("del", index=self.nic_a.ifindex))

    def set_a(self, state: str) -> None:
        """``ip link set eth1 up|down`` on A."""
        self.a.namespace.netlink(lambda ipr: ipr.link("set", index=self.nic_a.ifindex, state=state))

    def open_a(self) -> NicSocket:
        """An agent's sockets on A."""
        with inside(self.a):
            return self._opened.enter_context(closing(NicSocket(self.nic_a, PORT)))

    def open_b(self) -> NicSocket:
        """An agent's sockets on B."""
        with inside(self.b):
            return self._opened.enter_context(closing(NicSocket(self.nic_b, PORT)))

    def raw_a(self) -> socket.socket:
        """Sends anything at all from A's end of the cable."""
        with inside(self.a):
            raw = self._opened.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
            raw.bind(("eth1", 0))
            return raw


def beat(target: str = IP_B, mac: str = MAC_B, payload: bytes = b"x", port: int = PORT) -> bytes:
    """A frame with a heartbeat of A."""
    return frames.BeatPath(MAC_A, mac, IP_A, target, port).frame(payload)


def gather(sock: NicSocket, count: int) -> list[BeatReceived | ArpSeen]:
    """At least ``count`` events from the socket."""
    found: list[BeatReceived | ArpSeen] = []

    def enough() -> bool:
        found.extend(sock.drain(sock.filenos()))
        return len(found) >= count

    until(enough, lambda: f"{count} events, only {found}")
    return found


def after_marker(sock: NicSocket, raw: socket.socket) -> list[BeatReceived | ArpSeen]:
    """What arrived up to markers sent last: so "nothing came" is known without waiting for it."""
    raw.send(beat(payload=_MARKER))
    raw.send(frames.arp_request(MAC_A, IP_A, _MARKER_ADDRESS))
    found: list[BeatReceived | ArpSeen] = []
    markers: list[BeatReceived | ArpSeen] = []

    def both() -> bool:
        for event in sock.drain(sock.filenos()):
            (markers if _is_marker(event) else found).append(event)
        return len(markers) == 2

    until(both, lambda: f"both markers arrive, only {markers} did")
    return found


def _is_marker(event: BeatReceived | ArpSeen) -> bool:
    if isinstance(event, BeatReceived):
        return event.payload == _MARKER
    return event.target_address == _MARKER_ADDRESS


def _bring_up(station: Host, mac: str, address: str) -> Nic:
    def change(ipr: Any) -> int:  # noqa: ANN401 - pyroute2 is untyped
        index = int(ipr.link_lookup(ifname="eth1")[0])
        ipr.addr("add", index=index, address=address, prefixlen=24)
        ipr.link("set", index=index, state="up")
        return index

    return Nic("eth1", station.namespace.netlink(change), mac, (address,))


def _carrier(station: Host, nic: Nic) -> bool:
    links = station.namespace.netlink(lambda ipr: ipr.link("get", index=nic.ifindex))
    return bool(links[0].get_attr("IFLA_CARRIER"))
