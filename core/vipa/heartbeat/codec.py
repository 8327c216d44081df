"""Wire format of heartbeats: fixed header, type-length-value fields, message authentication code.

::

    magic "vipa" 4 | version 1 | flags 1 | cluster 4 | key id 4 | incarnation 8 | boot id 8 | sequence 4 | epoch 4
    | role digest 8 | interval in 0.1 ms 2 | permit left in ms 2 | fields: (type 1, length 2, value) ... | MAC 16

Golden frames in tests/unit/test_heartbeat.py pin them. Fields with an unknown
type are skipped and counted, so that neighbouring versions understand each other (N/N−1). Big-endian throughout.
"""

import struct
from collections.abc import Container, Iterator, Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from vipa.errors import PeerError
from vipa.heartbeat.keys import MAC_BYTES, Key
from vipa.heartbeat.model import Beat, Echo, EndpointState, Handover, HandoverStep, PathEcho, Relay, RoleEntry, WireRole
from vipa.heartbeat.signed import verified

MAGIC: Final = b"vipa"
VERSION: Final = 1
BYTES_MAX: Final = 1200
"""Fits every Ethernet and tunnel MTU in use (QUIC chose the same, RFC 9000 §14)."""

_HEADER: Final = struct.Struct("!4sBBIIQQIIQHH")
# magic version flags cluster key incarnation boot seq epoch digest interval permit_left
_FIELD: Final = struct.Struct("!BH")
_ENDPOINT: Final = struct.Struct("!BBI")  # healthy, flaps, healthy_for_ms
_ECHO: Final = struct.Struct("!QQB")  # incarnation, digest, number of paths
_SEQ: Final = struct.Struct("!I")
_ROLE: Final = struct.Struct("!QBIBI")
_RELAY: Final = struct.Struct("!QQIBBH")
_HANDOVER: Final = struct.Struct("!QQBII")

_NODE, _ENDPOINTS, _ECHOES, _ROLES, _RELAYS, _HANDOVERS = range(1, 7)
_ISOLATED: Final = 1
_STOPPING: Final = 2
_U16: Final = 0xFFFF
_U32: Final = 0xFFFFFFFF


@lru_cache(maxsize=4096)
def _pack_address(text: str) -> bytes:
    packed = ip_address(text).packed
    return bytes((len(packed),)) + packed


@lru_cache(maxsize=4096)
def _unpack_address(packed: bytes) -> str:
    return str(ip_address(packed))


def encode(beat: Beat, key: Key, cluster: int) -> bytes:
    """Bytes of one signed heartbeat."""
    flags = (_ISOLATED if beat.isolated else 0) | (_STOPPING if beat.stopping else 0)
    out = bytearray(
        _HEADER.pack(
            MAGIC, VERSION, flags, cluster, key.id, beat.incarnation, beat.boot_id, beat.seq & _U32, beat.epoch & _U32,
            beat.digest, min(round(beat.interval_s * 10_000), _U16), min(round(beat.permit_left_s * 1000), _U16),
        )
    )  # fmt: skip
    for kind, body in _fields(beat):
        if body:
            out += _FIELD.pack(kind, len(body)) + body
    return bytes(out) + key.tag(bytes(out))


def _fields(beat: Beat) -> Iterator[tuple[int, bytes]]:
    yield _NODE, beat.node.encode()
    yield (
        _ENDPOINTS,
        b"".join(
            _pack_address(e.address)
            + _ENDPOINT.pack(e.healthy, min(e.flaps, 255), min(round(e.healthy_for_s * 1000), _U32))
            for e in beat.endpoints
        ),
    )
    yield _ECHOES, b"".join(map(_pack_echo, beat.echoes))
    yield _ROLES, b"".join(_ROLE.pack(r.vip, r.role, r.term, r.rank, r.plan) for r in beat.roles)
    yield (
        _RELAYS,
        b"".join(
            _RELAY.pack(r.vip, r.holder, r.epoch, r.rank, r.isolated, min(round(r.age_s * 1000), _U16))
            for r in beat.relays
        ),
    )
    yield _HANDOVERS, b"".join(_HANDOVER.pack(h.vip, h.target, h.step, h.term, h.epoch) for h in beat.handovers)


def _pack_echo(echo: Echo) -> bytes:
    paths = b"".join(_pack_address(p.mine) + _pack_address(p.theirs) + _SEQ.pack(p.seq) for p in echo.paths)
    return _ECHO.pack(echo.incarnation, echo.digest, len(echo.paths)) + paths


def decode(payload: bytes, keys: Sequence[Key], clusters: Container[int]) -> Beat:
    """The heartbeat in ``payload``, signed with one of ``keys`` for one of ``clusters``.

    Raises PeerError whose ``result`` is the metric label: garbled, version, cluster, key, forged.
    """
    if len(payload) < _HEADER.size + MAC_BYTES or payload[:4] != MAGIC:
        raise PeerError("garbled")
    head = _HEADER.unpack_from(payload)
    _, version, flags, theirs, key_id, incarnation, boot_id, seq, epoch, digest, interval, permit_left = head
    if version != VERSION:
        raise PeerError("version", str(version))
    signed = verified(payload, theirs, key_id, keys, clusters)
    try:
        fields, unknown = _split(signed)
        return Beat(
            node=fields.get(_NODE, b"").decode(),
            incarnation=incarnation,
            boot_id=boot_id,
            seq=seq,
            epoch=epoch,
            interval_s=interval / 10_000,
            permit_left_s=permit_left / 1000,
            isolated=bool(flags & _ISOLATED),
            stopping=bool(flags & _STOPPING),
            digest=digest,
            endpoints=_endpoints(fields.get(_ENDPOINTS, b"")),
            echoes=_echoes(fields.get(_ECHOES, b"")),
            roles=tuple(
                RoleEntry(vip, WireRole(role), term, rank, plan)
                for vip, role, term, rank, plan in _ROLE.iter_unpack(fields.get(_ROLES, b""))
            ),
            relays=tuple(
                Relay(vip, holder, e, rank, bool(isolated), age / 1000)
                for vip, holder, e, rank, isolated, age in _RELAY.iter_unpack(fields.get(_RELAYS, b""))
            ),
            handovers=tuple(
                Handover(vip, target, HandoverStep(step), term, e)
                for vip, target, step, term, e in _HANDOVER.iter_unpack(fields.get(_HANDOVERS, b""))
            ),
            unknown_fields=unknown,
        )
    except (struct.error, ValueError, IndexError) as error:
        raise PeerError("garbled", str(error)) from error


def _split(signed: bytes) -> tuple[dict[int, bytes], int]:
    fields: dict[int, bytes] = {}
    unknown = 0
    offset = _HEADER.size
    while offset < len(signed):
        kind, length = _FIELD.unpack_from(signed, offset)
        offset += _FIELD.size
        if offset + length > len(signed):
            raise ValueError("a field is longer than the heartbeat")
        if _NODE <= kind <= _HANDOVERS:
            fields[kind] = signed[offset : offset + length]
        else:
            unknown += 1
        offset += length
    return fields, unknown


def _take_address(body: bytes, offset: int) -> tuple[str, int]:
    end = offset + 1 + body[offset]
    return _unpack_address(body[offset + 1 : end]), end


def _endpoints(body: bytes) -> tuple[EndpointState, ...]:
    found: list[EndpointState] = []
    offset = 0
    while offset < len(body):
        address, offset = _take_address(body, offset)
        healthy, flaps, healthy_for_ms = _ENDPOINT.unpack_from(body, offset)
        offset += _ENDPOINT.size
        found.append(EndpointState(address, bool(healthy), flaps, healthy_for_ms / 1000))
    return tuple(found)


def _echoes(body: bytes) -> tuple[Echo, ...]:
    found: list[Echo] = []
    offset = 0
    while offset < len(body):
        incarnation, digest, count = _ECHO.unpack_from(body, offset)
        offset += _ECHO.size
        paths: list[PathEcho] = []
        for _ in range(count):
            mine, offset = _take_address(body, offset)
            theirs, offset = _take_address(body, offset)
            (seq,) = _SEQ.unpack_from(body, offset)
            offset += _SEQ.size
            paths.append(PathEcho(mine, theirs, seq))
        found.append(Echo(incarnation, digest, tuple(paths)))
    return tuple(found)
