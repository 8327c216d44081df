"""What must never happen, checked whenever a kernel, a link or a permit changes.

*One answerer*: the nodes whose kernels would answer a who-has for one VIP, heard both ways in one connected part of
the LAN, are at most one. An overlap that begins because a split LAN was joined is the heal's, judged by its length; one
that begins by a node's own doing is the election's fault, with two exceptions that policy ``Available`` admits
(docs/limits.md). Two nodes that are cut off from each other and have no running third one between them are a split LAN.
With a third one its relayed news settles it, no faster than the beats it gets: at Fast those come every 20 ms. And an
in-node move whose commit another program holds up for longer than a silence can cross a claim; one round trip settles
that, so an overlap of up to a millisecond is counted (``crossings``), not failed, nor one that lasts because the commit
that is to end it is held up as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from vipa.timing import PROFILES, Timing
from vipa_sim.theft import Theft

if TYPE_CHECKING:
    from vipa_sim.machine import Nic
    from vipa_sim.world import World

HEAL_MAX_S = 1.0  # docs/design: promises, "LAN split: heal ≤ 1 s"
UNGATED_MAX_S = 1.0  # docs/limits.md, "the rules are flushed by another program"
CROSSING_MAX_S = 0.001  # a beat, a step and a revoking commit
HELD_UP_MAX_S = 0.070  # the other side's revoke, when another program holds that up too (52-69 ms seen)
RELAY_MAX_S = 0.060  # miss × the 20 ms beats that Fast's second spare gets


@dataclass(slots=True)
class Overlap:
    """Two or more nodes answered for ``vip``. ``by_heal``: it began when links changed, not when a node acted."""

    vip: str
    who: tuple[str, ...]
    start_s: float
    end_s: float
    by_heal: bool
    after_fault: str
    allowed_s: float = 0.0

    @property
    def ms(self) -> float:
        """Length in milliseconds."""
        return (self.end_s - self.start_s) * 1000.0

    def __str__(self) -> str:
        how = "at heal" if self.by_heal else "by a node"
        return (
            f"{self.vip}: {' + '.join(self.who)} for {self.ms:.1f} ms at {self.start_s:.4f} ({how}, {self.after_fault})"
        )


class Judge:
    """Collects overlaps and accusations of one run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._open: dict[str, Overlap] = {}
        self._closed: list[Overlap] = []
        self.accusations: list[str] = []
        self.theft = Theft(world)

    def accuse(self, what: str) -> None:
        """Something that is wrong at any time."""
        self._world.trace.note("judge", "ACCUSES", what)
        self.accusations.append(what)

    def answering(self, address: str) -> dict[tuple[int, int], list[tuple[str, Nic]]]:
        """Visible answerers of ``address`` by connected part of a LAN: (LAN, group) → (node, NIC)."""
        parts: dict[tuple[int, int], list[tuple[str, Nic]]] = {}
        now = self._world.engine.now
        for machine in self._world.machines.values():
            if not machine.powered:
                continue
            for nic in machine.nics.values():
                port = nic.port
                if port.hears and port.sends and machine.kernel.answers(address, nic.name, now):
                    parts.setdefault((id(nic.lan), port.group), []).append((machine.name, nic))
        return parts

    def look(self, because: str) -> None:
        """Judge the present; ``because`` is ``kernel`` (a node acted, a permit ended) or ``link`` (the LAN changed)."""
        now = self._world.engine.now
        self.theft.look(because)
        for address in self._world.addresses:
            who: tuple[str, ...] = ()
            for found in self.answering(address).values():
                for cluster in {self._world.machines[node].cluster for node, _ in found}:
                    nodes = tuple(sorted({node for node, _ in found if self._world.machines[node].cluster == cluster}))
                    if len(nodes) > max(1, len(who)):
                        who = nodes
            current = self._open.get(address)
            if current is not None and current.who != who:
                self._close(current, now)
            if who and address not in self._open:
                self._world.trace.note("judge", "TWO ANSWER", address, *who, because)
                by_heal = because == "link"
                allowed_s = HEAL_MAX_S if by_heal and self._gated(who) else self._allowed_s(who)
                self._open[address] = Overlap(address, who, now, now, by_heal, self._world.last_fault, allowed_s)

    def _allowed_s(self, who: tuple[str, ...]) -> float:
        """How long these nodes may both answer through no fault of theirs."""
        if not self._gated(who):
            audited = all(m.kernel.tables or m.alert for m in map(self._world.machines.__getitem__, who))
            return UNGATED_MAX_S if audited else float("inf")  # nobody is there to put the tables back
        if any(self._world.machines[name].moved_late_s == self._world.engine.now for name in who):
            return HELD_UP_MAX_S
        if not all(self._cut_off(a, b) for a, b in combinations(who, 2)):
            return CROSSING_MAX_S
        between = [
            m.name
            for m in self._world.nodes_of(self._world.machines[who[0]].cluster)
            if m.name not in who and m.powered and m.alert and not any(self._cut_off(m.name, a) for a in who)
        ]
        if not between:
            return float("inf")
        if not all(self._world.machines[name].alert for name in who):
            return PROFILES[self._world.shape.timing].permit_s  # nobody relays what a kernel answers without its agent
        return RELAY_MAX_S if self._world.shape.timing is Timing.FAST else CROSSING_MAX_S

    def _gated(self, who: tuple[str, ...]) -> bool:
        return all(self._world.machines[name].kernel.tables for name in who)

    def _cut_off(self, one: str, other: str) -> bool:
        """Whether no frame passes between two nodes, or not both ways."""
        mine, theirs = (self._world.machines[name].nics.values() for name in (one, other))
        return not any(
            a.lan is b.lan and a.lan.reaches(a.port, b.port) and a.lan.reaches(b.port, a.port)
            for a in mine
            for b in theirs
        )

    def _close(self, overlap: Overlap, now: float) -> None:
        overlap.end_s = now
        del self._open[overlap.vip]
        if now > overlap.start_s:
            self._closed.append(overlap)
            self._world.trace.note("judge", "one answers again", overlap.vip, f"{overlap.ms:.1f} ms")

    def overlaps(self) -> list[Overlap]:
        """All overlaps so far; one still open ends now."""
        now = self._world.engine.now
        still = [replace(o, end_s=now) for o in self._open.values()]
        return self._closed + [o for o in still if o.end_s > o.start_s]

    def double_claims(self) -> list[Overlap]:
        """Overlaps a node caused."""
        return [o for o in self.overlaps() if not o.by_heal and o.end_s - o.start_s > o.allowed_s]

    def crossings(self) -> list[Overlap]:
        """Overlaps of a round trip at most, by a node's own doing."""
        return [o for o in self.overlaps() if not o.by_heal and o.end_s - o.start_s <= CROSSING_MAX_S]

    def failures(self) -> list[str]:
        """Everything that breaks a promise so far."""
        bad = [o for o in self.overlaps() if o.end_s - o.start_s > o.allowed_s]
        return self.accusations + [f"two answerers: {overlap}" for overlap in bad]
