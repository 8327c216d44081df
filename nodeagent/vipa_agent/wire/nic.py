"""The packet sockets of one service interface: heartbeats, ARP and ND in, heartbeats, probes and announcements out.

A socket per protocol, since the kernel stamps what is sent with the socket's protocol (the egress gate looks at it) and
hands a socket of one protocol neither other traffic nor what the node sends itself.
"""

import errno
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Container
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vipa import frames, frames6
from vipa.election.events import ArpKind, ArpSeen, BeatReceived
from vipa.remote import talk
from vipa_agent.wire import bpf
from vipa_agent.wire.sieve import Sieve

DRAIN_MAX: Final = 256
"""Frames read per socket and call: a flood must not keep the loop from its timers (256 cost about 2 ms)."""

PATHS_MAX: Final = 1024
"""Prepared heartbeat headers kept per interface, some 700 bytes each: more peers than one LAN's successions have."""

_RECEIVE_BUFFER: Final = 1 << 20
"""Bytes asked for (net.core.rmem_max may give less): a peer's 800 beats/s for about half a second."""

_PRIORITY: Final = 6
"""TC_PRIO_INTERACTIVE: first band of pfifo_fast; 7 would need a capability."""

_IPV6_SOURCE_AT, _ICMP_TYPE_AT, _ND_TARGET_AT = 22, 54, 62
"""In a frame that the filter has let through: ND without extension headers."""

EVERYONE: Final = ("255.255.255.255", "ff02::1")
"""Whom a router asks: it knows no node."""

_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6


@dataclass(frozen=True, slots=True)
class Nic:
    """A service interface as it is now. ``addresses`` are its own, without prefix length; ``router``: its kernel
    says of itself that it is one, in IPv6."""

    name: str
    ifindex: int
    mac: str
    addresses: tuple[str, ...] = ()
    router: bool = False


class Sent(StrEnum):
    """What became of a frame; the value is the ``result`` label of the metric."""

    SENT = "sent"
    GATED = "gated"
    """ENOBUFS: the egress gate (or a full queue) dropped it."""
    DOWN = "down"
    """ENETDOWN: the interface is administratively down."""
    GONE = "gone"
    """ENXIO, ENODEV: the interface is gone."""
    BUSY = "busy"
    """EAGAIN: the socket's send buffer is full."""
    FAILED = "failed"


class Dropped(StrEnum):
    """Why a frame was not handed on; the value is the ``result`` label of the metric."""

    TAGGED = "tagged"
    FORWARDED = "forwarded"
    MALFORMED = "malformed"
    NOT_FOR_US = "not_for_us"
    OVERFLOW = "overflow"
    SURPLUS = "surplus"
    """Of a storm, what tells nothing more (see :mod:`vipa_agent.wire.sieve`)."""


_RESULTS: Final = {
    errno.ENOBUFS: Sent.GATED,
    errno.ENETDOWN: Sent.DOWN,
    errno.ENXIO: Sent.GONE,
    errno.ENODEV: Sent.GONE,
    errno.EAGAIN: Sent.BUSY,
}

_Read = Callable[[bytes], BeatReceived | ArpSeen | Dropped]

_SHORT: Final = {bpf.SNAP_TAGGED: Dropped.TAGGED, bpf.SNAP_FORWARDED: Dropped.FORWARDED}


class NicSocket:
    """Open sockets on one interface. A changed name, ifindex or MAC needs a new one (see :class:`vipa_agent.wire.Mux`).

    ``dropped`` counts what was ignored since it was opened, ``arp_read`` the ARP frames read. Without a ``sieve`` every
    ARP frame is handed on; without ``neighbours`` neither ARP nor ND. OSError from the constructor: EPERM without
    NET_RAW, ENODEV when the interface is gone or is another one by now.
    """

    def __init__(self, nic: Nic, port: int, sieve: Sieve | None = None, *, neighbours: bool = True) -> None:
        self.nic = nic
        self.dropped: Counter[Dropped] = Counter()
        self.arp_read = 0
        self._sieve = sieve
        self._port = port
        self._paths: dict[tuple[str, str, str], frames.BeatPath | frames6.BeatPath6] = {}
        mac = frames.pack_mac(nic.mac)
        with ExitStack() as undo:
            self._beats = undo.enter_context(
                open_socket(nic, frames.ETHERTYPE_IPV4, bpf.beat_filter(nic.ifindex, mac, port))
            )
            six = frames6.ETHERTYPE_IPV6
            self._beats6 = undo.enter_context(open_socket(nic, six, bpf.beat6_filter(nic.ifindex, mac, port)))
            arp_filter, nd_filter = (
                (bpf.arp_filter(nic.ifindex, mac), bpf.nd_filter(nic.ifindex, mac))
                if neighbours
                else (bpf.drop_all(), bpf.drop_all())
            )
            self._arp = undo.enter_context(open_socket(nic, frames.ETHERTYPE_ARP, arp_filter))
            self._nd = undo.enter_context(open_socket(nic, six, nd_filter))
            self._resources = undo.pop_all()
        self._readers: tuple[tuple[socket.socket, _Read], ...] = (
            (self._beats, self._beat),
            (self._beats6, self._beat6),
            (self._arp, self._arp_seen),
            (self._nd, self._nd_seen),
        )

    def beat_filenos(self) -> tuple[int, int]:
        """File descriptors to wait on for heartbeats."""
        return self._beats.fileno(), self._beats6.fileno()

    def arp_filenos(self) -> tuple[int, int]:
        """Those of ARP and ND. On a busy LAN they may be read by the clock instead: they are kept apart so that a
        thousand requests a second need not wake anyone a thousand times."""
        return self._arp.fileno(), self._nd.fileno()

    def filenos(self) -> tuple[int, ...]:
        """All of them."""
        return *self.beat_filenos(), *self.arp_filenos()

    def close(self) -> None:
        """Close the sockets."""
        self._resources.close()

    def drain(self, ready: Container[int]) -> list[BeatReceived | ArpSeen]:
        """Everything waiting on the sockets with these file descriptors, ``DRAIN_MAX`` at most of each: heartbeats
        first, then ARP and ND of other stations (and of the node's other NICs on the same LAN)."""
        found: list[BeatReceived | ArpSeen] = []
        for sock, read in self._readers:
            if sock.fileno() in ready:
                found += self._drain(sock, read)
        return found

    def send_beat(self, source_address: str, target_address: str, target_mac: str, payload: bytes) -> Sent:
        """One heartbeat; ``target_mac`` "" is everyone. ValueError for what cannot be put into a frame."""
        key = (source_address, target_address, target_mac)
        path = self._paths.get(key)
        if path is None:
            if len(self._paths) >= PATHS_MAX:
                self._paths.clear()
            kind = frames6.BeatPath6 if ":" in source_address else frames.BeatPath
            path = kind(self.nic.mac, target_mac or frames.BROADCAST_MAC, source_address, target_address, self._port)
            self._paths[key] = path
        return _send(self._beats6 if ":" in source_address else self._beats, path.frame(payload))

    def probe(self, address: str, sender_address: str, mac: str = "") -> Sent:
        """Ask who has ``address``: everyone, or only the station ``mac``."""
        if ":" in address:
            return _send(self._nd, frames6.solicitation(self.nic.mac, sender_address, address, mac))
        return _send(self._arp, frames.arp_request(self.nic.mac, sender_address, address, mac or frames.BROADCAST_MAC))

    def announce(self, address: str) -> tuple[Sent, ...]:
        """Gratuitous ARP for ``address``, results of the request form and of the reply form; or an unsolicited
        neighbour advertisement."""
        if ":" in address:
            return (_send(self._nd, frames6.advertisement(self.nic.mac, address, router=self.nic.router)),)
        request, reply = frames.announcements(self.nic.mac, address)
        return _send(self._arp, request), _send(self._arp, reply)

    def count_overflow(self) -> None:
        """Fetch what the kernel dropped because the receive buffers were full (it forgets the number when read)."""
        for sock, _read in self._readers:
            statistics = sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)  # struct tpacket_stats: packets, drops
            self.dropped[Dropped.OVERFLOW] += int.from_bytes(statistics[4:8], sys.byteorder)

    def _drain(self, sock: socket.socket, read: _Read) -> list[BeatReceived | ArpSeen]:
        found: list[BeatReceived | ArpSeen] = []
        for _ in range(DRAIN_MAX):
            try:
                frame = sock.recv(2048)
            except BlockingIOError:
                break
            except OSError:
                # ENETDOWN, told once when the interface goes down or away: the link watcher is who acts on it.
                continue
            result = _SHORT.get(len(frame)) or read(frame)
            if isinstance(result, Dropped):
                self.dropped[result] += 1
            else:
                found.append(result)
        return found

    def _beat(self, frame: bytes) -> BeatReceived | Dropped:
        return self._beat_seen(frames.parse_beat(frame, self._port))

    def _beat6(self, frame: bytes) -> BeatReceived | Dropped:
        return self._beat_seen(frames6.parse_beat6(frame, self._port))

    def _beat_seen(self, beat: frames.Beat | None) -> BeatReceived | Dropped:
        if beat is None:
            return Dropped.MALFORMED
        if beat.target_address not in self.nic.addresses and not (
            beat.target_address in EVERYONE and talk.is_ask(beat.payload)
        ):
            return Dropped.NOT_FOR_US  # broadcast, for want of a MAC, to one of our neighbours
        return BeatReceived(self.nic.name, beat.source_address, beat.source_mac, beat.payload)

    def _arp_seen(self, frame: bytes) -> ArpSeen | Dropped:
        return self._shown(frame, frame[22:28], frame[28:32], frames.parse_arp)

    def _nd_seen(self, frame: bytes) -> ArpSeen | Dropped:
        advertises = frame[_ICMP_TYPE_AT] == frames6.ADVERTISE
        claimed = (
            frame[_ND_TARGET_AT : _ND_TARGET_AT + 16] if advertises else frame[_IPV6_SOURCE_AT : _IPV6_SOURCE_AT + 16]
        )
        return self._shown(frame, frame[6:12], claimed, frames6.parse_nd)

    def _shown(
        self, frame: bytes, mac: bytes, claimed: bytes, parse: Callable[[bytes], frames.Arp | None]
    ) -> ArpSeen | Dropped:
        """What the election is shown of a frame in which ``mac`` says to have the address ``claimed``."""
        self.arp_read += 1
        if self._sieve is not None and not self._sieve.passes(time.monotonic(), frame, mac, claimed):
            return Dropped.SURPLUS
        arp = parse(frame)
        if arp is None:
            return Dropped.MALFORMED
        kind = ArpKind.REPLY if arp.is_reply else ArpKind.REQUEST
        return ArpSeen(self.nic.name, kind, arp.sender_mac, arp.sender_address, arp.target_address)


def open_socket(nic: Nic, protocol: int, program: bytes) -> socket.socket:
    """A packet socket that has its filter before its interface: with protocol 0 nothing comes in until it is bound."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    try:
        bpf.attach(sock, program)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY)
        # No PACKET_QDISC_BYPASS: on some kernels it goes past the egress gate too.
        sock.bind((nic.name, protocol))
        # Python binds by name; the name may have come to mean another interface since the caller looked.
        same = socket.if_nametoindex(nic.name) == nic.ifindex
    except OSError:
        sock.close()
        raise
    if not same:
        sock.close()
        raise OSError(errno.ENODEV, f"{nic.name} is no longer interface number {nic.ifindex}")
    return sock


def _send(sock: socket.socket, frame: bytes) -> Sent:
    try:
        sock.send(frame)
    except OSError as error:
        return _RESULTS.get(error.errno or 0, Sent.FAILED)
    return Sent.SENT
