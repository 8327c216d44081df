"""Everyone on the LAN who is not a node: quiet neighbours, a gateway, clients, and the observer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from vipa.election.events import ArpKind
from vipa_sim.engine import Engine
from vipa_sim.lan import Arp, Frame, Lan, Port

CHATTER_S = 1.0  # a desktop asks for its gateway about this often; keeps a quiet LAN from looking dead
RESOLVE_S = 1.0  # Linux net.ipv4.neigh.*.retrans_time_ms
CONFIRM_FIRST_S, CONFIRM_S = 5.0, 30.0  # Linux: delay_first_probe_time after it was learned; base_reachable_time
AGEING_S = 8.0  # Linux: delay_first_probe_time 5 s, then ucast_solicit 3 × 1 s unanswered, then broadcast


class Station:
    """A host that answers who-has for its own address."""

    def __init__(self, engine: Engine, lan: Lan, address: str, mac: str) -> None:
        self.engine, self.lan, self.address, self.since_s = engine, lan, address, engine.now
        self.port = lan.plug(Port(f"station/{address}", mac, self.receive))

    def receive(self, frame: Frame) -> None:
        """Answer what asks for this address."""
        if isinstance(frame, Arp) and frame.kind is ArpKind.REQUEST and frame.target_address == self.address:
            answer = Arp(ArpKind.REPLY, self.port.mac, self.address, frame.sender_address)
            self.lan.send(self.port, frame.sender_mac, answer)

    def ask(self, address: str) -> None:
        """Broadcast who-has ``address``."""
        self.lan.send(self.port, "", Arp(ArpKind.REQUEST, self.port.mac, self.address, address))

    def scan(self, sender_address: str, address: str) -> None:
        """Broadcast who-has ``address`` in the name of ``sender_address``."""
        self.lan.send(self.port, "", Arp(ArpKind.REQUEST, self.port.mac, sender_address, address))

    def chatter(self, rng: Random, about: str) -> None:
        """Ask for ``about`` once in a while, for ever."""
        self.ask(about)
        self.engine.after(CHATTER_S * (0.5 + rng.random()), self.chatter, rng, about)


@dataclass(slots=True)
class Outage:
    """Datagrams unanswered in a row: from the first unanswered to the first answered send, world seconds."""

    start_s: float
    end_s: float
    lost: int


class Client(Station):
    """Sends a datagram every ``period_s`` to the MAC its ARP cache holds for ``vip``; believes every ARP frame with the
    VIP as sender, as Linux does for an entry it has, and asks its holder now and then whether it still is."""

    def __init__(
        self, engine: Engine, lan: Lan, address: str, mac: str, vip: str, served: Callable[[Port, str, str], bool]
    ) -> None:
        super().__init__(engine, lan, address, mac)
        self.vip, self.period_s = vip, 0.002
        self.cached_mac = ""
        self.outages: list[Outage] = []
        self.aged = 0
        self.answerers: list[tuple[float, str]] = []
        self._served = served
        self._failing: Outage | None = None
        self._asked_s = -RESOLVE_S
        self._confirm_s = CONFIRM_FIRST_S

    def receive(self, frame: Frame) -> None:
        """Answer for the own address; learn the VIP's MAC."""
        super().receive(frame)
        if isinstance(frame, Arp) and frame.sender_address == self.vip:
            if self.cached_mac != frame.sender_mac:
                self._confirm_s = self.engine.now + CONFIRM_FIRST_S
            self.cached_mac = frame.sender_mac

    def tick(self) -> None:
        """Send one datagram and count whether it was answered."""
        now = self.engine.now
        if self.cached_mac and self._served(self.port, self.cached_mac, self.vip):
            if self._failing is not None:
                self._failing.end_s = now
                self._failing = None
            if now >= self._confirm_s:
                self._confirm_s = now + CONFIRM_S
                ask = Arp(ArpKind.REQUEST, self.port.mac, self.address, self.vip)
                self.lan.send(self.port, self.cached_mac, ask)
        else:
            self._miss(now)
        self.engine.at(now + self.period_s, self.tick)

    def _miss(self, now: float) -> None:
        if self._failing is None:
            self._failing = Outage(now, now, 0)
            self.outages.append(self._failing)
        failing = self._failing
        failing.lost += 1
        failing.end_s = now
        if self.cached_mac and now - failing.start_s > AGEING_S:
            self.cached_mac = ""
            self.aged += 1
        if not self.cached_mac and now - self._asked_s >= RESOLVE_S:
            self._asked_s = now
            self.ask(self.vip)


@dataclass(slots=True)
class Asked:
    """One who-has of the observer and the MACs that answered it."""

    at_s: float
    macs: set[str] = field(default_factory=set)


class Observer(Station):
    """The neutral judge on the wire: asks who-has every ``period_s`` and keeps which MACs answered each request."""

    def __init__(self, engine: Engine, lan: Lan, address: str, mac: str, vip: str) -> None:
        super().__init__(engine, lan, address, mac)
        self.vip, self.period_s = vip, 0.020
        self.asked: list[Asked] = []

    def receive(self, frame: Frame) -> None:
        """Note answers; announcements are not answers."""
        super().receive(frame)
        if (
            isinstance(frame, Arp)
            and frame.sender_address == self.vip
            and frame.target_address == self.address
            and self.asked
        ):
            self.asked[-1].macs.add(frame.sender_mac)

    def tick(self) -> None:
        """Ask once."""
        self.asked.append(Asked(self.engine.now))
        self.ask(self.vip)
        self.engine.after(self.period_s, self.tick)
