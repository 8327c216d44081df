"""Inputs of the election. Times are seconds of CLOCK_BOOTTIME; addresses are canonical text without prefix length."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vipa.heartbeat.keys import Key
from vipa.plan import HealthCheck, Plan
from vipa.reasons import Reason


@dataclass(frozen=True, slots=True)
class PlanChanged:
    """A new plan replaces the old one."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class LocalInterface:
    """What the kernel says of one interface now. ``addresses`` are own addresses with prefix length ("10.1.1.4/24"),
    never VIPs; ``up`` is IFF_UP, ``carrier`` is IFLA_CARRIER/IFF_LOWER_UP, ``gateways`` the next hops of default
    routes through it, ``link_local`` its IPv6 link-local address, ``forwards`` whether it forwards IPv6. ``spoiled``:
    somebody keeps removing from it what serving takes."""

    name: str
    mac: str
    addresses: tuple[str, ...]
    up: bool = True
    carrier: bool = True
    gateways: tuple[str, ...] = ()
    link_local: str = ""
    forwards: bool = False
    spoiled: bool = False


@dataclass(frozen=True, slots=True)
class InterfacesChanged:
    """All interfaces of the node, whole (level-triggered): a missing one is gone."""

    interfaces: tuple[LocalInterface, ...]


@dataclass(frozen=True, slots=True)
class ChecksChanged:
    """What this node's health checks say, whole (level-triggered), by (network of the LAN, check): those that fail,
    each with why, and those that pass. What is in neither has not been answered yet."""

    failing: Mapping[tuple[str, HealthCheck], str] = field(default_factory=dict)
    passing: frozenset[tuple[str, HealthCheck]] = frozenset()


@dataclass(frozen=True, slots=True)
class GuestsChanged:
    """What is known of the addresses that live behind bridges of this node, whole (level-triggered): those that answer
    there, and those that cannot be served, with reason and words for people. In neither is what was not found out
    yet."""

    here: frozenset[str] = frozenset()
    absent: Mapping[str, tuple[Reason, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BeatReceived:
    """A heartbeat datagram came in on ``interface`` from ``source_address``/``source_mac``."""

    interface: str
    source_address: str
    source_mac: str
    payload: bytes


class ArpKind(StrEnum):
    """ARP (or ND) operation."""

    REQUEST = "request"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class ArpSeen:
    """An ARP frame of another station came in on ``interface``. ``sender_address`` may be 0.0.0.0 (RFC 5227 probe)."""

    interface: str
    kind: ArpKind
    sender_mac: str
    sender_address: str
    target_address: str


@dataclass(frozen=True, slots=True)
class ClaimReady:
    """Answer to ``BeginClaim``: the timed claim element is set (or not: ``ok``), addresses are bound and all sockets
    were drained into the election."""

    vip: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Permitted:
    """Answer to ``Permit`` and ``Move``: the transaction succeeded and the permit of ``interface`` ends at
    ``until`` (None: untimed); or it failed (``ok`` false) and nothing of it holds."""

    vip: str
    interface: str
    ok: bool
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers to ``Together``, one for each of its actions."""

    events: tuple[ClaimReady, ...] | tuple[Permitted, ...]


@dataclass(frozen=True, slots=True)
class PermitRenewed:
    """The renewal thread extended the permit of ``interface``."""

    interface: str
    until: float


@dataclass(frozen=True, slots=True)
class PermitLapsed:
    """A renewal failed because the permit of ``interface`` had ended (or was removed by someone)."""

    interface: str


@dataclass(frozen=True, slots=True)
class GateLost:
    """Somebody removed the gate's tables; they are there again, empty. Nothing is elected any more, nor would a
    renewal tell of an untimed permit."""


@dataclass(frozen=True, slots=True)
class HeldAtStart:
    """One VIP that the kernel still serves for us from before a restart (rule 8); the renewal just succeeded."""

    addresses: tuple[str, ...]
    interface: str
    until: float | None
    term: int


@dataclass(frozen=True, slots=True)
class HeldLast:
    """One VIP that this node held last before a restart, by all its agent knew, and that the kernel serves no more."""

    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KeysChanged:
    """From now on heartbeats are signed with the first of these keys and accepted with any of them; never empty."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The agent was asked to shut down: hand over what can be handed over, then report ``Stopped``."""


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The time of ``next_deadline()`` has come (or the shell woke for another reason)."""


Event = (
    PlanChanged
    | InterfacesChanged
    | ChecksChanged
    | GuestsChanged
    | BeatReceived
    | ArpSeen
    | ClaimReady
    | Permitted
    | Answers
    | PermitRenewed
    | PermitLapsed
    | GateLost
    | HeldAtStart
    | HeldLast
    | KeysChanged
    | StopAsked
    | TimerFired
)
