"""What one heartbeat says. All ids are unsigned; addresses are canonical text; durations are seconds."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class WireRole(IntEnum):
    """Role of the sender for one VIP. Only ``HOLDER`` keeps spares quiet; ``CLAIMING`` probes without answers so far;
    ``PERMITTING`` has set its claim element; ``YIELDING`` said *go*."""

    SPARE = 1
    CLAIMING = 2
    HOLDER = 3
    YIELDING = 4
    EXCLUDED = 5
    PERMITTING = 6


class HandoverStep(IntEnum):
    """The three messages of a planned move (rule 4)."""

    OFFER = 1
    READY = 2
    GO = 3


class EndpointState(NamedTuple):
    """One endpoint of the sender. ``healthy_for_s`` and ``flaps`` carry its failback time (rule 9)."""

    address: str
    healthy: bool
    flaps: int
    healthy_for_s: float


class PathEcho(NamedTuple):
    """Last sequence heard on one path: sent from ``theirs`` (receiver's endpoint) to ``mine`` (sender's endpoint)."""

    mine: str
    theirs: str
    seq: int


class Echo(NamedTuple):
    """What the sender last heard of one peer, named by its incarnation. ``digest`` is the sender's record of that
    peer's roles: when it differs from the truth the peer sends pages."""

    incarnation: int
    digest: int
    paths: tuple[PathEcho, ...]


class RoleEntry(NamedTuple):
    """The sender's role for one VIP. ``rank`` is the index of its elected or best endpoint in the succession, 128 more
    while a health check fails there (255: none); ``plan`` the digest of its succession and policy."""

    vip: int
    role: WireRole
    term: int
    rank: int
    plan: int


class Relay(NamedTuple):
    """News of a holder the sender hears two-way, told to one that claims or also holds (rules 5 and 7)."""

    vip: int
    holder: int
    epoch: int
    rank: int
    isolated: bool
    age_s: float


class Handover(NamedTuple):
    """One message of a planned move, meant for node id ``target`` only."""

    vip: int
    target: int
    step: HandoverStep
    term: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Beat:
    """One heartbeat. ``permit_left_s`` is the longest permit the sender's kernel still has (0: none)."""

    node: str
    incarnation: int
    boot_id: int
    seq: int
    epoch: int
    interval_s: float
    permit_left_s: float = 0.0
    isolated: bool = False
    stopping: bool = False
    digest: int = 0
    endpoints: tuple[EndpointState, ...] = ()
    echoes: tuple[Echo, ...] = ()
    roles: tuple[RoleEntry, ...] = ()
    relays: tuple[Relay, ...] = ()
    handovers: tuple[Handover, ...] = ()
    unknown_fields: int = 0
