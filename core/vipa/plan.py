"""What the planner decides and an agent executes: an ordered succession of endpoints for every virtual IP."""

import hashlib
from enum import StrEnum

import msgspec

from vipa.reasons import Reason
from vipa.timing import PROFILES, Profile, Timing


class FailbackPolicy(StrEnum):
    """When a holder returns to a better endpoint (rule 9)."""

    IMMEDIATE = "Immediate"
    DELAYED = "Delayed"
    NEVER = "Never"


class Endpoint(msgspec.Struct, frozen=True, order=True):
    """A node's interface on the VIP's LAN. ``address`` (no prefix length) is its identity; node and interface are
    empty where a standalone folder knows only the address of another node's interface."""

    address: str
    node: str = ""
    interface: str = ""


class Policy(msgspec.Struct, frozen=True):
    """How a VIP moves. Part of the plan digest: nodes that disagree on it are ``PlanMismatch``."""

    timing: Timing = Timing.DEFAULT
    failback: FailbackPolicy = FailbackPolicy.DELAYED
    failback_delay_s: float = 30.0
    probe_targets: tuple[str, ...] = ()
    paused: bool = False

    @property
    def profile(self) -> Profile:
        """The numbers behind ``timing``."""
        return PROFILES[self.timing]


class CheckKind(StrEnum):
    """What a health check wants to see: a connection, or an answer with status 200 to 399."""

    TCP = "tcp"
    HTTP = "http"
    HTTPS = "https"


class HealthCheck(msgspec.Struct, frozen=True):
    """One question a node asks itself: at its own address of the VIP's LAN, or at its loopback address. ``path`` is
    empty for TCP. ``rise`` passes in a row end a failure, ``fall`` failures in a row begin one."""

    kind: CheckKind
    port: int
    path: str = ""
    loopback: bool = False
    interval_s: float = 2.0
    timeout_s: float = 1.0
    rise: int = 2
    fall: int = 3

    def __str__(self) -> str:
        return f"{self.kind} {self.port}{' ' if self.path else ''}{self.path}{' at loopback' if self.loopback else ''}"


class PlannedVip(msgspec.Struct, frozen=True):
    """One virtual IP in a plan: its addresses (canonical text, IPv4 first), ordered candidates and policy. ``checks``
    ``everywhere`` (it is bound on every candidate, not on the holder only) and ``bridge`` (of the node, behind which
    the address lives; empty: on the node itself) are each node's own affair and not in the digest: nodes that differ in
    them still hand over to each other."""

    name: str
    addresses: tuple[str, ...]
    succession: tuple[Endpoint, ...]
    policy: Policy = Policy()
    checks: tuple[HealthCheck, ...] = ()
    everywhere: bool = False
    bridge: str = ""

    @property
    def id(self) -> int:
        """64-bit identity on the wire: the hash of the addresses, so two nodes never mean different VIPs by one id."""
        return _hash64(" ".join(self.addresses))

    @property
    def digest(self) -> int:
        """32-bit hash of succession and policy; by address only, so every node of a plan computes the same."""
        order = " ".join(e.address for e in self.succession)
        policy = msgspec.json.encode(self.policy, order="deterministic").decode()
        return _hash64(f"{order}|{policy}") >> 32


class Refusal(msgspec.Struct, frozen=True):
    """An object the planner did not accept, with the reason and one message for people."""

    kind: str
    name: str
    reason: Reason
    message: str


class Plan(msgspec.Struct, frozen=True):
    """All successions of one epoch. Standalone plans have epoch 0 (rule 13)."""

    epoch: int = 0
    vips: tuple[PlannedVip, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def _hash64(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
