"""The wire: LANs made of switch ports that can be blocked, deaf or mute on one side, lossy, or split into groups."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from vipa.election.events import ArpKind
from vipa_sim.engine import Engine

DELAY_MIN_S, DELAY_MAX_S = 30e-6, 300e-6  # one switch hop between two kernels: veth and 1 GbE both lie in this range


@dataclass(slots=True)
class Arp:
    """One ARP frame. An announcement has ``sender_address == target_address``."""

    kind: ArpKind
    sender_mac: str
    sender_address: str
    target_address: str


@dataclass(slots=True)
class Beat:
    """One heartbeat datagram."""

    source_mac: str
    source_address: str
    target_address: str
    payload: bytes


Frame = Arp | Beat


@dataclass(slots=True, eq=False)
class Port:
    """A switch port and the station on it. ``deaf``: nothing reaches the station; ``mute``: nothing comes from it;
    ``blocked``: both, with the link up; ``carrier``: the station's link."""

    name: str
    mac: str
    receive: Callable[[Frame], None]
    carrier: bool = True
    blocked: bool = False
    deaf: bool = False
    mute: bool = False
    loss: float = 0.0
    group: int = 0

    @property
    def sends(self) -> bool:
        """True when frames of the station enter the switch."""
        return self.carrier and not self.blocked and not self.mute

    @property
    def hears(self) -> bool:
        """True when frames from the switch reach the station."""
        return self.carrier and not self.blocked and not self.deaf


Meddle = Callable[[Port, Port, Frame], tuple[float, ...]]
"""Seconds beyond the wire's delay with which each copy of a frame arrives; none: it is lost."""


@dataclass(slots=True, eq=False)
class Lan:
    """One broadcast domain. ``cuts`` holds directed (from port, to port) names that do not hear each other."""

    engine: Engine
    rng: Random
    loss: float = 0.0
    ports: dict[str, Port] = field(default_factory=dict)
    cuts: set[tuple[str, str]] = field(default_factory=set)
    meddle: Meddle | None = None

    def plug(self, port: Port) -> Port:
        """Connect a station; its MAC is its key."""
        self.ports[port.mac] = port
        return port

    def unplug(self, port: Port) -> None:
        """Take a station away."""
        self.ports.pop(port.mac, None)

    def reaches(self, source: Port, target: Port) -> bool:
        """True when a frame from ``source`` can arrive at ``target``, loss aside."""
        if not (source.sends and target.hears and source.group == target.group):
            return False
        return not self.cuts or (source.name, target.name) not in self.cuts

    def send(self, source: Port, target_mac: str, frame: Frame) -> None:
        """Carry ``frame`` to ``target_mac`` or, when empty, to everyone."""
        if not source.sends:
            return
        if target_mac:
            port = self.ports.get(target_mac)
            if port is not None and port is not source:
                self._carry(source, port, frame)
            return
        for port in self.ports.values():
            if port is not source:
                self._carry(source, port, frame)

    def _carry(self, source: Port, target: Port, frame: Frame) -> None:
        if not self.reaches(source, target):
            return
        loss = 1.0 - (1.0 - self.loss) * (1.0 - source.loss) * (1.0 - target.loss)
        if loss > 0.0 and self.rng.random() < loss:
            return
        delay_s = DELAY_MIN_S + (DELAY_MAX_S - DELAY_MIN_S) * self.rng.random()
        for late_s in (0.0,) if self.meddle is None else self.meddle(source, target, frame):
            self.engine.at(self.engine.now + delay_s + late_s, target.receive, frame)
