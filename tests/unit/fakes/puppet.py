"""``Puppet``: a peer that says what a test tells it to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from unit.fakes.names import CLUSTER, KEY
from vipa.election import actions as act
from vipa.election import events as ev
from vipa.election.elector import Config
from vipa.election.peers import node_id, role_hash
from vipa.heartbeat import (
    Beat,
    Echo,
    EndpointState,
    Handover,
    Key,
    PathEcho,
    Relay,
    RoleEntry,
    WireRole,
    decode,
    encode,
)

if TYPE_CHECKING:
    from unit.fakes.net import Net


@dataclass
class Puppet:
    """A peer that beats every ``interval_s`` to everybody and says what its fields say. ``heard``: decoded beats.
    ``deaf``: it echoes nothing. ``tells_roles``: else its digest alone confirms what it said before."""

    net: Net
    name: str
    address: str
    role: WireRole = WireRole.SPARE
    term: int = 1
    rank: int = 255
    epoch: int = 0
    plan: int | None = None
    healthy: bool = True
    healthy_for_s: float = 1000.0
    isolated: bool = False
    deaf: bool = False
    permit_left_s: float = 0.0
    interval_s: float = 0.02
    incarnation: int = 0
    seq: int = 0
    speaks: bool = False
    tells_roles: bool = True
    handover: Handover | None = None
    relays: tuple[Relay, ...] = ()
    key: Key = KEY
    cluster: str = CLUSTER
    heard: list[Beat] = field(default_factory=list)
    said: list[bytes] = field(default_factory=list)
    _echo: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)

    def speak(self, role: WireRole | None = None) -> None:
        """Begin to beat (or change role)."""
        self.role = self.role if role is None else role
        self.incarnation = self.incarnation or node_id(self.name)
        if not self.speaks:
            self.speaks = True
            self._tick()

    def _tick(self) -> None:
        if self.speaks:
            self.say()
            self.net.at(self.net.now + self.interval_s, self._tick)

    def hear(self, event: ev.Event) -> None:
        """A machine's heartbeat."""
        assert isinstance(event, ev.BeatReceived)
        beat = decode(event.payload, [KEY], Config("", 0, cluster=CLUSTER).cluster_ids)
        self.heard.append(beat)
        for old in [k for k in self._echo if k[0] == beat.node and k[1] != beat.incarnation]:
            del self._echo[old]
        self._echo.setdefault((beat.node, beat.incarnation), {})[event.source_address] = beat.seq

    def beat(self) -> Beat:
        """What it would say now."""
        entries = []
        for vip in {v.id: v for m in self.net.machines.values() for v in m.plan.vips}.values():
            rank = next((i for i, e in enumerate(vip.succession) if e.address == self.address), 255)
            rank = rank if self.rank == 255 else self.rank
            plan = vip.digest if self.plan is None else self.plan
            entries.append(RoleEntry(vip.id, self.role, self.term, rank, plan))
        digest = 0
        for entry in entries:
            digest ^= role_hash(entry)
        echoes = [
            Echo(inc, 0, tuple(PathEcho(self.address, theirs, seq) for theirs, seq in paths.items()))
            for (_, inc), paths in self._echo.items()
        ]
        return Beat(
            node=self.name,
            incarnation=self.incarnation,
            boot_id=0,
            seq=self.seq,
            epoch=self.epoch,
            interval_s=self.interval_s,
            permit_left_s=self.permit_left_s,
            isolated=self.isolated,
            digest=digest,
            endpoints=(EndpointState(self.address, self.healthy, 0, self.healthy_for_s),),
            echoes=() if self.deaf else tuple(echoes),
            roles=tuple(entries) if self.tells_roles else (),
            relays=self.relays,
            handovers=() if self.handover is None else (self.handover,),
        )

    def say(self) -> None:
        """One beat to every machine."""
        self.seq += 1
        payload = encode(self.beat(), self.key, Config("", 0, cluster=self.cluster).cluster_id)
        self.said.append(payload)
        self.send(payload)

    def send(self, payload: bytes) -> None:
        """These bytes to every machine."""
        for machine in self.net.machines.values():
            for nic in machine.nics.values():
                target = nic.addresses[0].partition("/")[0]
                self.net.beat(self.name, act.SendBeat("", self.address, target, "", payload))

    def roles_heard(self, of: str) -> list[WireRole]:
        """Roles that node ``of`` told, in order, without repetitions."""
        found: list[WireRole] = []
        for beat in self.heard:
            for entry in beat.roles if beat.node == of else ():
                if not found or found[-1] is not entry.role:
                    found.append(entry.role)
        return found

    def handovers_heard(self) -> list[Handover]:
        return [h for beat in self.heard for h in beat.handovers if h.target == node_id(self.name)]
