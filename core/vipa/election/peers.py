"""What this node knows of the others: paths, liveness both ways, roles (rules 2 and 13).

Liveness and roles count from any authentic, fresh heartbeat that echoes this node's incarnation. A heartbeat that does
not (a peer that has not heard us yet, or a replay) only teaches the incarnation to echo.
"""

import hashlib
from collections import deque
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from vipa.election.duel import UNRANKED
from vipa.election.health import NEVER
from vipa.heartbeat.model import Beat, EndpointState, RoleEntry, WireRole

SEQ_WINDOW: Final = 64
"""Sequences older than the newest by more than this are replays; reordering on one LAN is far smaller."""

SENT_KEPT_S: Final = 4.0
"""How long send times are kept to judge echoes: miss × the slowest beat (1 s), and one more."""

MISS: Final = 3
"""Beats that may be missing on a path, at the rate its sender advertises."""

RETIRED_MAX: Final = 64
"""Earlier incarnations remembered per peer: a replay is older than this only after as many restarts."""

LOSS_WINDOW: Final = 64
"""Beats over which loss is averaged (1.3 s at Default): a jump to 30 % is half known after 0.9 s."""

LOSS_GAP_MAX: Final = 8
"""A gap of more beats is an outage, not loss: at 30 % loss one in 15,000 gaps is as long."""

ECHO_SLACK_S: Final = 0.010
"""Lateness of both event loops allowed on top when an echo is judged (p99 10 ms under load, docs/design/0001)."""


@lru_cache(maxsize=8192)
def role_hash(entry: RoleEntry) -> int:
    """64-bit hash of one role entry; a node's role digest is the XOR of them all."""
    text = repr(tuple(int(x) for x in entry)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")


def gone(vip: int) -> RoleEntry:
    """What is said of a VIP that is no longer in the sender's plan. It has no part in the role digest."""
    return RoleEntry(vip, WireRole.EXCLUDED, 0, UNRANKED, 0)


def is_gone(entry: RoleEntry) -> bool:
    """Whether ``entry`` says so: no plan of a VIP has the digest 0 (but one in four billion, which is told again)."""
    return entry.plan == 0 and entry.role is WireRole.EXCLUDED


@lru_cache(maxsize=4096)
def node_id(node: str) -> int:
    """64-bit id of a node's name on the wire."""
    return int.from_bytes(hashlib.blake2b(node.encode(), digest_size=8).digest(), "big")


@dataclass(slots=True)
class Path:
    """One of my endpoints to one of a peer's. ``seq`` is what to echo; ``two_way_at`` when mine last came back."""

    mine: str
    theirs: str
    network: str
    interface: str
    mac: str = ""
    heard_at: float = NEVER
    seq: int = 0
    two_way_at: float = NEVER
    loss: float = 0.0

    def arrived(self, now: float, interval_s: float, seq: int) -> None:
        """Beat ``seq`` came in; its sender beats every ``interval_s``. What misses in time *and* in sequence was lost:
        a stalled sender skips no sequence, and a sequence spent on other peers takes no time."""
        if self.heard_at != NEVER:
            due = max(1, min(round((now - self.heard_at) / interval_s), seq - self.seq))
            if due > LOSS_GAP_MAX:
                due = 1
            self.loss = max(0.0, self.loss + (due - 1 - due * self.loss) / LOSS_WINDOW)
        self.heard_at = now

    def up(self, now: float, interval_s: float) -> bool:
        """Contact both ways within what the sender's rate allows."""
        return now - self.two_way_at <= (MISS + 1) * interval_s + ECHO_SLACK_S

    def loss_permille(self) -> int:
        """Measured loss in parts per thousand."""
        return round(self.loss * 1000)


@dataclass(slots=True)
class HeardRole:
    """A peer's role for one VIP. ``at``: last two-way beat that carried it itself (the digest may confirm it later)."""

    entry: RoleEntry
    at: float
    network: str


@dataclass(slots=True)
class Relapse:
    """A peer's health checks of one VIP failed at least once. ``since``: their last change; ``times``: failures."""

    failing: bool
    since: float
    times: int


@dataclass(slots=True)
class Peer:
    """One other node. ``synced_at`` per LAN: last two-way beat whose role digest equals our record."""

    node: str
    incarnation: int
    seq: int = 0
    epoch: int = 0
    interval_s: float = 1.0
    beaten_every_s: float = 1.0
    """How often this node beats to it now."""
    met_at: float = NEVER
    heard_at: float = NEVER
    two_way_at: float = NEVER
    permit_until: float = NEVER
    isolated: bool = False
    stopping: bool = False
    took_at: float = NEVER
    """When it last began to take over, or took over, any VIP."""
    sees_my_digest: int = -1
    digest: int = 0
    retired: tuple[int, ...] = ()
    """Its earlier incarnations, latest first: never believed again."""
    latest: Beat | None = None
    """The beat taken in last: its copies over other paths say nothing new."""
    latest_network: str = ""
    echoed: frozenset[tuple[str, str]] = frozenset()
    """Paths (mine, theirs) that it echoes in time: not empty when the peer hears us."""
    synced_at: dict[str, float] = field(default_factory=dict)
    roles: dict[int, HeardRole] = field(default_factory=dict)
    relapses: dict[int, Relapse] = field(default_factory=dict)
    endpoints: dict[str, EndpointState] = field(default_factory=dict)
    endpoints_at: float = NEVER

    @property
    def id(self) -> int:
        """The node's id on the wire."""
        return node_id(self.node)

    def alive(self, now: float) -> bool:
        """Heard lately at the rate it advertises."""
        return now - self.heard_at <= (MISS + 1) * self.interval_s + ECHO_SLACK_S

    def two_way(self, now: float) -> bool:
        """Hears us, and we hear it."""
        return now - self.two_way_at <= (MISS + 1) * self.interval_s + ECHO_SLACK_S

    def role(self, vip: int) -> WireRole | None:
        """Its role for a VIP id, as last heard."""
        heard = self.roles.get(vip)
        return heard.entry.role if heard else None

    def holder_at(self, vip: int, network: str) -> float:
        """When it was last heard two-way as Holder of ``vip`` on that LAN."""
        heard = self.roles.get(vip)
        if heard is None or heard.entry.role is not WireRole.HOLDER:
            return NEVER
        direct = heard.at if heard.network == network else NEVER
        return max(direct, self.synced_at.get(network, NEVER))

    def healthy_for_s(self, now: float, address: str) -> float | None:
        """How long its endpoint has been healthy; None when it is not, or the node is not heard."""
        state = self.endpoints.get(address)
        if state is None or not state.healthy or self.stopping or self.isolated or not self.alive(now):
            return None
        return state.healthy_for_s + (now - self.endpoints_at)

    def learn_roles(self, entries: tuple[RoleEntry, ...], at: float, network: str) -> list[RoleEntry]:
        """Record roles; returns those that differ from before. Of a VIP that is gone from the peer's plan the record
        goes."""
        changed: list[RoleEntry] = []
        for entry in entries:
            old = self.roles.get(entry.vip)
            if is_gone(entry):
                if old is not None:
                    self.digest ^= role_hash(self.roles.pop(entry.vip).entry)
                    changed.append(entry)
            elif old is None or old.entry != entry:
                self.digest ^= role_hash(entry) ^ (role_hash(old.entry) if old else 0)
                changed.append(entry)
                self.roles[entry.vip] = HeardRole(entry, at, network)
            elif at > old.at:
                old.at, old.network = at, network
        return changed


class Sent:
    """Send times of own sequences, to tell a fresh echo from an old one."""

    def __init__(self) -> None:
        self._times: dict[int, float] = {}
        self._order: deque[tuple[float, int]] = deque()

    def record(self, now: float, seq: int) -> None:
        """Sequence ``seq`` goes out now."""
        self._times[seq] = now
        self._order.append((now, seq))
        while self._order and now - self._order[0][0] > SENT_KEPT_S:
            del self._times[self._order.popleft()[1]]

    def age_s(self, now: float, seq: int) -> float:
        """Age of an echoed sequence; infinite when unknown."""
        sent_at = self._times.get(seq)
        return float("inf") if sent_at is None else now - sent_at


def new_incarnation(peer: Peer, beat: Beat, now: float, echoes_me: bool) -> bool:
    """Whether ``beat`` may replace what is known of ``peer``: it restarted. While the known incarnation is heard
    two-way another one is a replay or an impostor. An incarnation that does not echo us is learned to be echoed."""
    return beat.incarnation not in (peer.incarnation, *peer.retired) and (echoes_me or not peer.two_way(now))
