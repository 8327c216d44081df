"""Packet sockets on a real veth pair: station A (eth1, 10.1.1.4) and station B (eth1, 10.1.1.6), a namespace each."""

import ctypes
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pytest
from pyroute2 import IPRoute
from scapy.layers.l2 import ARP, Dot1Q, Ether

from vipa import frames
from vipa.election.actions import Announce, Probe, SendBeat
from vipa.election.events import ArpKind, ArpSeen, BeatReceived
from vipa_agent.wire import Dropped, Mux, Nic, NicSocket, Sent, open_sink
from vipa_agent.wire.nic import DRAIN_MAX

PORT = 7117
MAC_A, MAC_B = "52:54:00:00:00:0a", "52:54:00:00:00:0b"
IP_A, IP_B = "10.1.1.4", "10.1.1.6"
DEADLINE_S = 5.0
CLONE_NEWNET = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
T = TypeVar("T")


class Namespace:
    """A network namespace held by a file descriptor alone; it dies with it."""

    def __init__(self) -> None:
        outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            if libc.unshare(CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "unshare: run this as root or inside `unshare -Urn`")
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            enter(outside)
        finally:
            os.close(outside)

    @contextmanager
    def inside(self) -> Iterator[None]:
        outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        enter(self.fd)
        try:
            yield
        finally:
            enter(outside)
            os.close(outside)


def enter(namespace_fd: int) -> None:
    if libc.setns(namespace_fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@dataclass
class Pair:
    """The two stations, their NICs and whatever a test opens on them."""

    a: Namespace
    b: Namespace
    stack: ExitStack
    nic_a: Nic = field(init=False)
    nic_b: Nic = field(init=False)
    sinks: dict[tuple[Namespace, int], socket.socket] = field(default_factory=dict)

    def plug(self) -> None:
        with self.a.inside(), IPRoute() as ip:
            ip.link("add", ifname="eth1", kind="veth", address=MAC_A,
                    peer={"ifname": "eth1", "address": MAC_B, "net_ns_fd": self.b.fd})  # fmt: skip
        self.nic_a = self._up(self.a, MAC_A, IP_A)
        self.nic_b = self._up(self.b, MAC_B, IP_B)
        eventually(lambda: "1" in self._carrier(self.a) + self._carrier(self.b))

    def _carrier(self, where: Namespace) -> str:
        with where.inside(), IPRoute() as ip:
            return str(ip.link("get", index=ip.link_lookup(ifname="eth1")[0])[0].get_attr("IFLA_CARRIER"))

    def _up(self, where: Namespace, mac: str, address: str) -> Nic:
        with where.inside(), IPRoute() as ip:
            index = ip.link_lookup(ifname="eth1")[0]
            ip.addr("add", index=index, address=address, prefixlen=24)
            ip.link("set", index=index, state="up")
        return Nic("eth1", index, mac, (address,))

    def state(self, where: Namespace, state: str) -> None:
        with where.inside(), IPRoute() as ip:
            ip.link("set", index=ip.link_lookup(ifname="eth1")[0], state=state)

    def unplug(self) -> None:
        with self.a.inside(), IPRoute() as ip:
            ip.link("del", index=ip.link_lookup(ifname="eth1")[0])

    def hush(self, port: int) -> None:
        """Keep the kernels from answering beats, which makes them ask for MACs in the middle of a test."""
        for where in (self.a, self.b):
            with where.inside():
                self.sinks[where, port] = self.stack.enter_context(open_sink(port))

    def open_a(self) -> NicSocket:
        with self.a.inside():
            return self.stack.enter_context(closing(NicSocket(self.nic_a, PORT)))

    def open_b(self) -> NicSocket:
        with self.b.inside():
            return self.stack.enter_context(closing(NicSocket(self.nic_b, PORT)))

    def raw_a(self) -> socket.socket:
        """Anything at all from A's side of the cable."""
        with self.a.inside():
            sock = self.stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
            sock.bind(("eth1", 0))
            return sock


@contextmanager
def closing(sock: NicSocket) -> Iterator[NicSocket]:
    try:
        yield sock
    finally:
        sock.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ExitStack() as stack:
        a, b = Namespace(), Namespace()
        stack.callback(os.close, a.fd)
        stack.callback(os.close, b.fd)
        both = Pair(a, b, stack)
        both.plug()
        both.hush(PORT)
        both.hush(PORT + 1)
        yield both


def eventually(look: Callable[[], T]) -> T:
    """The first truthy answer; fails after the deadline."""
    end = time.monotonic() + DEADLINE_S
    while not (found := look()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.002)
    return found


def gather(sock: NicSocket, count: int) -> list[BeatReceived | ArpSeen]:
    """At least ``count`` events from the socket."""
    found: list[BeatReceived | ArpSeen] = []

    def enough() -> bool:
        found.extend(sock.drain())
        return len(found) >= count

    eventually(enough)
    return found


def beat(target: str = IP_B, mac: str = MAC_B, payload: bytes = b"x", port: int = PORT) -> bytes:
    return frames.BeatPath(MAC_A, mac, IP_A, target, port).frame(payload)


def after_marker(sock: NicSocket, raw: socket.socket) -> list[BeatReceived | ArpSeen]:
    """What arrived up to a marker sent last: so "nothing came" is known without waiting for it."""
    raw.send(beat(payload=b"marker"))
    raw.send(frames.arp_request(MAC_A, IP_A, "10.1.1.250"))
    found = []
    marks = 0
    end = time.monotonic() + DEADLINE_S
    while marks < 2:
        assert time.monotonic() < end, "the marker did not arrive"
        for event in sock.drain():
            if getattr(event, "payload", b"") == b"marker" or getattr(event, "target_address", "") == "10.1.1.250":
                marks += 1
            else:
                found.append(event)
    return found


def test_a_beat_arrives_with_its_sender(pair: Pair) -> None:
    a, b = pair.open_a(), pair.open_b()
    assert a.send_beat(IP_A, IP_B, MAC_B, b"to you") is Sent.SENT
    assert a.send_beat(IP_A, IP_B, "", b"to everyone") is Sent.SENT
    assert gather(b, 2) == [
        BeatReceived("eth1", IP_A, MAC_A, b"to you"),
        BeatReceived("eth1", IP_A, MAC_A, b"to everyone"),
    ]
    assert a.drain() == [], "what A sent itself must not come back to it"
    assert not +b.dropped


def test_probes_and_announcements_are_seen(pair: Pair) -> None:
    a, b = pair.open_a(), pair.open_b()
    assert a.probe("10.1.1.7", IP_A) is Sent.SENT
    assert a.probe("10.1.1.7", IP_A, MAC_B) is Sent.SENT
    assert a.announce("10.1.1.7") == (Sent.SENT, Sent.SENT)
    probe = ArpSeen("eth1", ArpKind.REQUEST, MAC_A, IP_A, "10.1.1.7")
    assert gather(b, 4) == [
        probe,
        probe,
        ArpSeen("eth1", ArpKind.REQUEST, MAC_A, "10.1.1.7", "10.1.1.7"),
        ArpSeen("eth1", ArpKind.REPLY, MAC_A, "10.1.1.7", "10.1.1.7"),
    ]
    assert a.drain() == []


def test_the_kernel_answers_a_probe_for_its_own_address(pair: Pair) -> None:
    a = pair.open_a()
    a.probe(IP_B, IP_A)
    assert gather(a, 1) == [ArpSeen("eth1", ArpKind.REPLY, MAC_B, IP_B, IP_A)]


def test_others_traffic_is_left_alone(pair: Pair) -> None:
    b, raw = pair.open_b(), pair.raw_a()
    raw.send(beat(port=PORT + 1))
    raw.send(beat(mac="52:54:00:00:00:0c"))
    other = "52:54:00:00:00:0c"
    raw.send(bytes(Ether(src=MAC_A, dst=other) / ARP(op=2, hwsrc=MAC_A, psrc="10.1.1.9", hwdst=other, pdst="10.1.1.8")))
    assert after_marker(b, raw) == []
    assert not +b.dropped


def test_broadcast_beats_for_a_neighbour_are_counted(pair: Pair) -> None:
    b, raw = pair.open_b(), pair.raw_a()
    raw.send(beat(target="10.1.1.5", mac=frames.BROADCAST_MAC))
    assert after_marker(b, raw) == []
    assert b.dropped == {Dropped.NOT_FOR_US: 1}


def test_forwarded_beats_are_counted(pair: Pair) -> None:
    b, raw = pair.open_b(), pair.raw_a()
    raw.send(beat()[:22] + bytes([254]) + beat()[23:])
    assert after_marker(b, raw) == []
    assert b.dropped == {Dropped.FORWARDED: 1}


def test_malformed_frames_are_counted(pair: Pair) -> None:
    b, raw = pair.open_b(), pair.raw_a()
    too_long = beat()
    raw.send(too_long[:38] + (500).to_bytes(2, "big") + too_long[40:])  # UDP length
    raw.send(bytes(Ether(src=MAC_A, dst=MAC_B) / ARP(op=9)))
    assert after_marker(b, raw) == []
    assert b.dropped == {Dropped.MALFORMED: 2}


def tagged(frame: bytes, vlan: int) -> bytes:
    return frame[:12] + bytes(Ether() / Dot1Q(vlan=vlan))[12:16] + frame[12:]


def test_a_device_stacked_on_the_interface_keeps_its_traffic(pair: Pair) -> None:
    # The kernel shows the lower device's sockets what goes to a macvlan, VLAN device or bond above it, too.
    stacked = "52:54:00:00:00:1b"
    with pair.b.inside(), IPRoute() as ip:
        ip.link("add", ifname="mv0", kind="macvlan", link=pair.nic_b.ifindex, address=stacked, macvlan_mode="bridge")
        ip.link("set", index=ip.link_lookup(ifname="mv0")[0], state="up")
    b, raw = pair.open_b(), pair.raw_a()
    raw.send(beat(mac=stacked))
    raw.send(frames.arp_request(MAC_A, IP_A, "10.1.1.9", stacked))
    assert after_marker(b, raw) == []


@pytest.mark.parametrize("mac", [MAC_B, frames.BROADCAST_MAC])
def test_tagged_frames_are_ignored_and_counted(pair: Pair, mac: str) -> None:
    b, raw = pair.open_b(), pair.raw_a()
    raw.send(tagged(beat(mac=mac), 5))
    raw.send(tagged(frames.arp_request(MAC_A, "10.1.1.7", "10.1.1.7", mac), 5))
    raw.send(tagged(frames.arp_request(MAC_A, "10.1.1.7", "10.1.1.7", "52:54:00:00:00:0c"), 5))
    assert after_marker(b, raw) == []
    assert b.dropped == {Dropped.TAGGED: 2}, "one beat and one ARP; the third was for somebody else"


def test_priority_tags_are_no_vlan(pair: Pair) -> None:
    b, raw = pair.open_b(), pair.raw_a()
    raw.send(tagged(beat(payload=b"urgent"), 0))
    assert after_marker(b, raw) == [BeatReceived("eth1", IP_A, MAC_A, b"urgent")]
    assert not +b.dropped


def test_nothing_slips_in_before_the_filter(pair: Pair) -> None:
    raw = pair.raw_a()
    raw.setblocking(False)
    stray = beat(port=PORT + 1)
    pid = os.fork()
    if pid == 0:  # a flood from another process, as long as this one opens sockets
        while os.getppid() != 1:
            with_room = True
            try:
                raw.send(stray)
            except OSError:
                with_room = False
            if not with_room:
                time.sleep(0.0001)
    try:
        for _ in range(100):
            b = pair.open_b()
            assert b.drain_beats() == []
            assert b.dropped[Dropped.MALFORMED] == 0
            b.close()
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_drain_is_bounded_and_loses_nothing(pair: Pair) -> None:
    a, b = pair.open_a(), pair.open_b()
    sent = [i.to_bytes(4, "big") for i in range(DRAIN_MAX + 50)]
    for payload in sent:
        assert a.send_beat(IP_A, IP_B, MAC_B, payload) is Sent.SENT
    # All of them wait before the first read: the last frame the kernel delivered is counted (struct tpacket_stats).
    delivered = 0

    def all_there() -> bool:
        nonlocal delivered
        statistics = socket.socket(fileno=os.dup(b.filenos()[0]))
        with statistics:
            delivered += int.from_bytes(statistics.getsockopt(263, 6, 8)[:4], sys.byteorder)
        return delivered >= len(sent)

    eventually(all_there)
    first, rest = b.drain_beats(), b.drain_beats()
    assert len(first) == DRAIN_MAX
    assert [e.payload for e in first + rest] == sent


def test_overflow_is_counted(pair: Pair) -> None:
    a, b = pair.open_a(), pair.open_b()
    for _ in range(5000):
        a.send_beat(IP_A, IP_B, MAC_B, b"x" * 1000)

    def overflowed() -> int:
        b.count_overflow()
        return b.dropped[Dropped.OVERFLOW]

    assert eventually(overflowed) > 0


def test_down_up_and_gone(pair: Pair) -> None:
    a, b = pair.open_a(), pair.open_b()
    pair.state(pair.a, "down")
    assert a.send_beat(IP_A, IP_B, MAC_B, b"x") is Sent.DOWN
    assert a.probe("10.1.1.7", IP_A) is Sent.DOWN
    assert a.announce("10.1.1.7") == (Sent.DOWN, Sent.DOWN)
    assert a.drain() == []
    pair.state(pair.a, "up")
    eventually(lambda: a.send_beat(IP_A, IP_B, MAC_B, b"back") is Sent.SENT and b.drain_beats())
    pair.unplug()
    assert a.send_beat(IP_A, IP_B, MAC_B, b"x") is Sent.GONE
    assert a.drain() == []


def nft(text: str) -> None:
    library = ctypes.CDLL("libnftables.so.1")
    library.nft_ctx_new.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.nft_ctx_new(0))
    assert library.nft_run_cmd_from_buffer(context, text.encode()) == 0
    library.nft_ctx_free(context)


def test_an_egress_gate_on_arp_sees_announcements_and_lets_beats_pass(pair: Pair) -> None:
    a = pair.open_a()
    with pair.a.inside():
        nft(
            'table netdev t { chain out { type filter hook egress device "eth1" priority 0; policy accept;'
            " ether type arp arp saddr ip 10.1.1.7 drop\n }\n }\n"
        )
    assert a.announce("10.1.1.7") == (Sent.GATED, Sent.GATED)
    assert a.probe("10.1.1.7", IP_A) is Sent.SENT
    assert a.send_beat(IP_A, IP_B, MAC_B, b"x") is Sent.SENT


def unreachables(where: Namespace) -> int:
    with where.inside():
        lines = Path("/proc/thread-self/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Icmp:"))
    return int(values[names.index("OutDestUnreachs")])


def test_the_sink_keeps_the_kernel_from_answering_beats(pair: Pair) -> None:
    b, raw = pair.open_b(), pair.raw_a()
    with pair.b.inside(), open_sink(PORT):  # a second one: two agents, during an upgrade
        raw.send(beat())
        assert len(after_marker(b, raw)) == 1
        assert unreachables(pair.b) == 0
    pair.sinks[pair.b, PORT].close()
    raw.send(beat())
    eventually(lambda: unreachables(pair.b) > 0)


def test_a_port_in_other_hands_is_an_error(pair: Pair) -> None:
    pair.sinks[pair.b, PORT].close()
    with pair.b.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", PORT))
        with pytest.raises(OSError, match="in use"):
            open_sink(PORT)


def test_mux_follows_interfaces(pair: Pair) -> None:
    story: list[tuple[str, int]] = []
    with pair.a.inside():
        mux = Mux(
            PORT,
            lambda s: story.append(("opened", s.nic.ifindex)),
            lambda s: story.append(("closing", s.nic.ifindex * (min(s.filenos()) >= 0))),
        )
        first = pair.nic_a
        assert mux.sync([first]) == {}
        assert mux.sync([replace(first, addresses=(IP_A, "10.1.1.40"))]) == {}
        assert story == [("opened", first.ifindex)], "an address more is no reason for a new socket"

        assert mux.send_beat(SendBeat("eth1", IP_A, IP_B, "", b"x")) is Sent.SENT
        assert mux.probe(Probe("eth1", IP_B, IP_A)) is Sent.SENT
        eventually(lambda: ArpSeen("eth1", ArpKind.REPLY, MAC_B, IP_B, IP_A) in mux.drain())
        assert mux.announce(Announce("erp", ("10.1.1.7", "10.1.1.8"), "eth1")) == {Sent.SENT: 4}
        assert mux.send_beat(SendBeat("eth9", IP_A, IP_B, "", b"x")) is Sent.GONE
        assert mux.probe(Probe("eth9", IP_B, IP_A)) is Sent.GONE
        assert mux.announce(Announce("erp", ("10.1.1.7",), "eth9")) == {Sent.GONE: 2}

        pair.unplug()
        pair.plug()
        again = pair.nic_a
        assert again.ifindex != first.ifindex
        assert mux.sync([again]) == {}
        assert story[1:] == [("closing", first.ifindex), ("opened", again.ifindex)]
        assert mux.send_beat(SendBeat("eth1", IP_A, IP_B, "", b"x")) is Sent.SENT

        # Stale news: the name is there, the index is not; and an interface that never was.
        problems = mux.sync([first, Nic("eth9", 99, MAC_A)])
        assert set(problems) == {"eth1", "eth9"}
        assert "no longer interface number" in problems["eth1"]
        assert mux.sync([again]) == {}, "and the next look opens it"
        assert mux.sync([]) == {}
        assert story[-1] == ("closing", again.ifindex)
        mux.close()


def test_mux_keeps_counts_of_closed_sockets(pair: Pair) -> None:
    raw = pair.raw_a()
    with pair.b.inside():
        mux = Mux(PORT, lambda _: None, lambda _: None)
        mux.sync([pair.nic_b])
        raw.send(beat(target="10.1.1.5", mac=frames.BROADCAST_MAC))

        def counted() -> bool:
            mux.drain()
            return mux.dropped()[Dropped.NOT_FOR_US] == 1

        eventually(counted)
        mux.sync([])
        assert mux.dropped() == {Dropped.NOT_FOR_US: 1}
