"""What a router on the LAN and the agents say to each other, as signed datagrams on the heartbeats' port.

::

    magic "vipr" 4 | version 1 | kind 1 | cluster 4 | key id 4 | body (MessagePack) | MAC 16

The magic differs from the heartbeats', so an agent that knows nothing of routers drops an ask as garbled, and no report
can be taken for a heartbeat, whatever its key. Bodies are arrays: who is newer may add at their end.
"""

import struct
from collections.abc import Container, Sequence
from enum import IntEnum
from typing import Final, TypeVar

import msgspec

from vipa.errors import PeerError
from vipa.heartbeat.keys import MAC_BYTES, Key
from vipa.heartbeat.signed import verified

MAGIC: Final = b"vipr"
VERSION: Final = 1
BYTES_MAX: Final = 1200
"""As heartbeats: fits every Ethernet and tunnel MTU in use."""

HEARS_MAX: Final = 80
"""Agents named in one ask: 9 bytes each; the rest is for names and addresses. Of more, each ask names others."""

_HEADER: Final = struct.Struct("!4sBBII")
_ASK, _REPORT = 1, 2
_ARRAY_BYTES: Final = 2
"""More than an empty array's one byte, for one of more than fifteen (MessagePack, array 16)."""


class Part(IntEnum):
    """What a node has to do with a virtual IP. ``YIELDING`` has said *go* and serves what still arrives."""

    NONE = 0
    HOLDER = 1
    YIELDING = 2


class Ask(msgspec.Struct, frozen=True, array_like=True):
    """A router wants reports. ``incarnation`` is random per start of it; ``hears`` are the agents' incarnations that it
    has heard: only who is named in it sends more than one report, so that a recorded ask starts nothing. ``address``
    and ``mac`` are those it is sent from: sent on by another station it counts for nothing."""

    incarnation: int
    seq: int
    name: str
    hears: tuple[int, ...] = ()
    leaving: bool = False
    address: str = ""
    mac: str = ""


class Adapter(msgspec.Struct, frozen=True, array_like=True):
    """An adapter of the reporting node on the router's LAN. ``others``: further addresses of its own, with prefix
    length. ``heard_ms``: since the router was last heard on it; -1: never."""

    address: str
    healthy: bool
    others: tuple[str, ...] = ()
    heard_ms: int = -1


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A virtual IP of the node's plan. ``adapters``: indexes of those on which it is bound. ``copy``: it is bound
    whoever holds it (binding EveryCandidate), and remote clients may be sent here."""

    addresses: tuple[str, ...]
    part: Part
    term: int
    adapters: tuple[int, ...] = ()
    copy: bool = False


class Report(msgspec.Struct, frozen=True, array_like=True):
    """What one node serves. ``router``: the incarnation of who asked. ``edition`` counts changes of the entries;
    all ``pages`` of one edition together are the whole table. ``adapters``: None for one that is on no LAN of that
    router. ``source``: the address of the adapter that sends it."""

    node: str
    incarnation: int
    seq: int
    router: int
    interval_ms: float
    edition: int
    page: int
    pages: int
    adapters: tuple[Adapter | None, ...]
    entries: tuple[Entry, ...]
    source: str = ""


_T = TypeVar("_T", Ask, Report)
_encoder: Final = msgspec.msgpack.Encoder()
_ask: Final = msgspec.msgpack.Decoder(Ask)
_report: Final = msgspec.msgpack.Decoder(Report)


def is_ask(payload: bytes) -> bool:
    """Whether a datagram on the heartbeats' port is one of these; unchecked."""
    return payload[:4] == MAGIC


def encode(said: Ask | Report, key: Key, cluster: int) -> bytes:
    """Bytes of one signed datagram."""
    kind = _ASK if isinstance(said, Ask) else _REPORT
    signed = _HEADER.pack(MAGIC, VERSION, kind, cluster, key.id) + _encoder.encode(said)
    return signed + key.tag(signed)


def decode_ask(payload: bytes, keys: Sequence[Key], clusters: Container[int]) -> Ask:
    """Raises PeerError whose ``result`` is garbled, version, cluster, key or forged."""
    return _decode(payload, keys, clusters, _ASK, _ask)


def decode_report(payload: bytes, keys: Sequence[Key], clusters: Container[int]) -> Report:
    """Likewise."""
    return _decode(payload, keys, clusters, _REPORT, _report)


def _decode(
    payload: bytes, keys: Sequence[Key], clusters: Container[int], kind: int, decoder: msgspec.msgpack.Decoder[_T]
) -> _T:
    if len(payload) < _HEADER.size + MAC_BYTES or payload[:4] != MAGIC:
        raise PeerError("garbled")
    _, version, told, cluster, key_id = _HEADER.unpack_from(payload)
    if version != VERSION:
        raise PeerError("version", str(version))
    signed = verified(payload, cluster, key_id, keys, clusters)
    if told != kind:
        raise PeerError("garbled", f"kind {told}")
    try:
        return decoder.decode(signed[_HEADER.size :])
    except msgspec.MsgspecError as error:
        raise PeerError("garbled", str(error)) from error


def named(hears: Sequence[int], turn: int) -> tuple[int, ...]:
    """Of the agents heard those that ask number ``turn`` names: all of up to HEARS_MAX, of more each in its turn."""
    turns = max(1, -(-len(hears) // HEARS_MAX))
    first = turn % turns * HEARS_MAX
    return tuple(hears[first : first + HEARS_MAX])


def head_bytes(node: str) -> int:
    """Bytes at most of a report of ``node`` besides its adapters and entries."""
    most = (1 << 64) - 1
    widest = Report(node, most, most, most, 1e9, most, most, most, (), (), "ffff:" * 7 + "ffff")
    return _HEADER.size + len(_encoder.encode(widest)) + 2 * _ARRAY_BYTES + MAC_BYTES


def fitting(adapters: Sequence[Adapter | None], room: int) -> tuple[Adapter | None, ...]:
    """``adapters``, with None in the place of those that ``room`` bytes have no place for."""
    left = room - len(adapters)  # None is a byte
    fit: list[Adapter | None] = []
    for adapter in adapters:
        size = len(_encoder.encode(adapter)) - 1 if adapter is not None else 0
        fit.append(adapter if size <= left else None)
        left -= size if size <= left else 0
    return tuple(fit)


def size_of(parts: Sequence[Adapter | None] | Sequence[Entry]) -> int:
    """Bytes of them in a report."""
    return sum(len(_encoder.encode(part)) for part in parts)


def paged(entries: Sequence[Entry], room: int) -> list[tuple[Entry, ...]]:
    """``entries`` in pages of at most ``room`` bytes each; at least one page."""
    pages: list[tuple[Entry, ...]] = []
    page: list[Entry] = []
    left = room
    for entry in entries:
        size = len(_encoder.encode(entry))
        if page and size > left:
            pages.append(tuple(page))
            page, left = [], room
        page.append(entry)
        left -= size
    return [*pages, tuple(page)]
