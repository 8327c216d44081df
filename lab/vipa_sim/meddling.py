"""Single messages of a planned move lost, doubled or late (rule 4), while all other frames pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from vipa.election.config import Config
from vipa.errors import PeerError
from vipa.heartbeat import decode
from vipa.heartbeat.keys import Key
from vipa.heartbeat.model import HandoverStep, WireRole
from vipa_sim.lan import Arp, Beat
from vipa_sim.world import world_keys

if TYPE_CHECKING:
    from vipa.heartbeat.model import Beat as Said
    from vipa_sim.lan import Frame, Port
    from vipa_sim.world import World


class Message(StrEnum):
    """What passes between the two nodes of a planned move, and the announcement that follows."""

    OFFER = "offer"
    READY = "ready"
    GO = "go"
    HOLDER = "Holder"
    ANNOUNCEMENT = "announcement"


_STEPS = {HandoverStep.OFFER: Message.OFFER, HandoverStep.READY: Message.READY, HandoverStep.GO: Message.GO}


class Reader:
    """Tells which messages a frame carries. ``keys`` and ``clusters``: those of the world's nodes."""

    def __init__(self, keys: Iterable[Key], clusters: frozenset[int]) -> None:
        self._keys, self._clusters = tuple(keys), clusters
        self._said: Callable[[bytes], Said | None] = lru_cache(maxsize=64)(self._decode)  # copies go out on every path

    def _decode(self, payload: bytes) -> Said | None:
        try:
            return decode(payload, self._keys, self._clusters)
        except PeerError:  # another cluster's
            return None

    def read(self, frame: Frame) -> frozenset[Message]:
        """All messages in ``frame``; *Holder* only where the role is told, not where a digest confirms it."""
        if isinstance(frame, Arp):
            announces = frame.sender_address == frame.target_address
            return frozenset({Message.ANNOUNCEMENT}) if announces else frozenset()
        if not isinstance(frame, Beat):
            return frozenset()
        said = self._said(frame.payload)
        if said is None:
            return frozenset()
        found = {_STEPS[message.step] for message in said.handovers}
        if any(role.role is WireRole.HOLDER for role in said.roles):
            found.add(Message.HOLDER)
        return frozenset(found)


@dataclass(frozen=True, slots=True)
class Meddling:
    """One kind of trouble. ``copies_s``: delays beyond the wire's with which a frame arrives (none: it is lost).
    ``lasts_s``: from the first such frame on; 0: this one heartbeat alone, on all its paths."""

    message: Message
    what: str
    copies_s: tuple[float, ...]
    lasts_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.message} {self.what}"


LOST = tuple(
    Meddling(m, f"lost for {1000 * s:.0f} ms" if s else "lost once", (), s) for m in Message for s in (0.0, 0.05)
)
DOUBLED = tuple(Meddling(m, "doubled", (0.0, 0.001, 0.045), 0.3) for m in Message)
LATE = tuple(
    Meddling(m, f"late by {1000 * s:.0f} ms", (s,), lasts) for m in Message for s, lasts in ((0.005, 0.3), (0.045, 0.0))
)
MEDDLINGS = (*LOST, *DOUBLED, *LATE)


def world_reader(world: World) -> Reader:
    """Reads the heartbeats of the nodes of ``world``."""
    config = Config("", 0, keys=world_keys(world.shape.keyed))
    return Reader(config.accepted_keys, config.cluster_ids)


class Meddler:
    """Strikes frames from ``node`` ("" for any) that carry the message; to be set as a LAN's ``meddle``."""

    def __init__(self, world: World, reader: Reader, meddling: Meddling, node: str = "") -> None:
        self._world, self._reader, self._meddling, self._node = world, reader, meddling, node
        self._until_s: float | None = None
        self.struck = 0

    def __call__(self, source: Port, target: Port, frame: Frame) -> tuple[float, ...]:
        """The delays with which ``frame`` arrives."""
        if (self._node and source.name.split("/", 1)[0] != self._node) or self._over():
            return (0.0,)
        if self._meddling.message not in self._reader.read(frame):
            return (0.0,)
        if self._until_s is None:
            self._until_s = self._world.engine.now + self._meddling.lasts_s
            self._world.trace.note("fault", str(self._meddling))
        self.struck += 1
        return self._meddling.copies_s

    def _over(self) -> bool:
        return self._until_s is not None and self._world.engine.now > self._until_s
