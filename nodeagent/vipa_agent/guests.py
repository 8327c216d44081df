"""Asks the guests behind this node's bridges whether they are there, and tells the election what it learns
(docs/design/0011-virtual-ethernet.md).

A guest is asked over the bridge by ARP or neighbour discovery, as a neighbour would; whatever it says there of itself
counts. It is asked when known by unicast, which no other guest hears.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from vipa import frames6
from vipa.election.elector import Elector
from vipa.election.events import GuestsChanged, LocalInterface
from vipa.election.health import ANYBODY
from vipa.reasons import Reason
from vipa_agent.kernel.kernel import Kernel
from vipa_agent.nics import Nics
from vipa_agent.wire.guest import GuestSocket
from vipa_agent.wire.nic import Nic

log = structlog.get_logger()

TURN_S: Final = 0.1
"""How often plan, interfaces and clock are looked at while there are guests to ask."""

IDLE_S: Final = 0.5
"""The same while there are none: as often as the agent's audit."""

ASK_S: Final = 1.0
FALL: Final = 3
"""A guest that leaves three questions in a row unanswered, a second apart, is silent: a machine stands still for
well under a second while it is migrated or a snapshot is taken, and one lost frame is no silence."""

QUICK_S: Final = 0.2
"""From one question to the next while nothing is known, so that an agent's start takes 0.6 s to know."""

PER_SECOND_MAX: Final = 200.0
"""Questions in all, 30 µs each; where there are more guests all of them are asked less often."""


@dataclass(slots=True)
class Guest:
    """One address. ``here``: None while it is not known; ``asked``: a question is unanswered yet, beside ``missed``
    ones in a row. Times are the loop's."""

    bridge: str
    here: bool | None = None
    mac: str = ""
    asked: bool = False
    missed: int = 0
    ask_at: float = 0.0

    def due(self, now: float, stretch: float = 1.0) -> bool:
        """Whether to ask now, after which the next question is due later, ``stretch`` times as long as usual. The one
        before is missed unless it was answered."""
        if now < self.ask_at:
            return False
        self.missed += self.asked
        if self.missed >= FALL:
            self.here = False
        self.ask_at = now + (QUICK_S if self.here is None else ASK_S) * stretch
        return True

    @property
    def to(self) -> str:
        """MAC to ask, "" for everybody: who is not known, and the last time before the verdict."""
        return self.mac if self.here and self.missed < FALL - 1 else ""

    def answered(self, mac: str) -> bool:
        """It said something of itself. Returns whether that is news."""
        news = self.here is not True
        self.here, self.mac, self.asked, self.missed = True, mac, False, 0
        return news

    def forget(self) -> None:
        """Its bridge is gone, and with it what was known."""
        self.here, self.mac, self.asked, self.missed = None, "", False, 0


class Guests:
    """``told`` is called with all that is known whenever some of it changed."""

    def __init__(self, elector: Elector, kernel: Kernel, nics: Nics, told: Callable[[GuestsChanged], None]) -> None:
        self._node = elector.node
        self._kernel = kernel
        self._nics = nics
        self._told = told
        self._loop = asyncio.get_running_loop()
        self._guests: dict[str, Guest] = {}
        self._sockets: dict[str, GuestSocket] = {}
        self._last = GuestsChanged()

    async def run(self) -> None:
        """Until cancelled: follow what plan and interfaces want asked."""
        try:
            while True:
                self._turn()
                await asyncio.sleep(TURN_S if self._guests else IDLE_S)
        finally:
            for bridge in list(self._sockets):
                self._close(bridge)

    def _turn(self) -> None:
        wanted = {
            address: vip.plan.bridge
            for vip in self._node.vips.values()
            if vip.plan.bridge and self._node.local(vip)
            for address in vip.plan.addresses
        }
        known = self._guests
        same = {a: known[a] for a, bridge in wanted.items() if a in known and known[a].bridge == bridge}
        self._guests = {address: same.get(address) or Guest(bridge) for address, bridge in wanted.items()}
        if not wanted and not self._sockets and self._last == GuestsChanged():
            return
        links = {i.name: i for i in self._nics.interfaces}
        self._open(set(wanted.values()), links)
        for bridge in self._sockets:  # a loop that stood still has answers waiting
            self._hear(bridge)
        self._ask(links)
        self._tell(links)

    def _open(self, bridges: set[str], links: Mapping[str, LocalInterface]) -> None:
        for name, sock in list(self._sockets.items()):
            link = links.get(name)
            if (
                name not in bridges
                or link is None
                or (link.mac, self._nics.indexes.get(name))
                != (
                    sock.nic.mac,
                    sock.nic.ifindex,
                )
            ):
                self._close(name)
        for name in bridges - self._sockets.keys():
            if name in links and name in self._nics.indexes and links[name].up:
                try:
                    sock = GuestSocket(Nic(name, self._nics.indexes[name], links[name].mac))
                except (OSError, ValueError) as error:  # it went at this very moment: the next turn sees
                    log.warning("no sockets", interface=name, detail=str(error))
                    continue
                self._sockets[name] = sock
                for fileno in sock.filenos():
                    self._loop.add_reader(fileno, self._hear, name)

    def _close(self, bridge: str) -> None:
        sock = self._sockets.pop(bridge)
        for fileno in sock.filenos():
            self._loop.remove_reader(fileno)
        sock.close()

    def _ask(self, links: Mapping[str, LocalInterface]) -> None:
        now = self._loop.time()
        stretch = max(1.0, len(self._guests) / (PER_SECOND_MAX * ASK_S))
        for address, guest in self._guests.items():
            sock = self._sockets.get(guest.bridge)
            if guest.due(now, stretch) and sock is not None:
                sock.ask(address, self._sender(address, links, guest.bridge), guest.to)
                guest.asked = True

    def _sender(self, address: str, links: Mapping[str, LocalInterface], bridge: str) -> str:
        """By which address to ask: the bridge's own, else one that this node has on a service interface. Not 0.0.0.0 if
        that can be: a guest that is about to take the address would give it up (RFC 5227 section 2.1.1)."""
        link = links[bridge]
        if ":" in address:
            return link.link_local or frames6.UNSPECIFIED
        service = (links[name] for name in sorted(self._nics.service) if name in links)
        own = (a.partition("/")[0] for interface in (link, *service) for a in interface.addresses)
        return next((a for a in own if ":" not in a), ANYBODY)

    def _hear(self, bridge: str) -> None:
        sock = self._sockets.get(bridge)
        if sock is None:
            return
        news = False
        for address, mac in sock.heard().items():
            guest = self._guests.get(address)
            if guest is not None and guest.bridge == bridge:
                news = guest.answered(mac) or news
        if news:
            self._tell({i.name: i for i in self._nics.interfaces})

    def _tell(self, links: Mapping[str, LocalInterface]) -> None:
        absent: dict[str, tuple[Reason, str]] = {}
        unfit: dict[bool, str] = {}
        for address, guest in self._guests.items():
            if guest.bridge not in links or not links[guest.bridge].up:
                what = "is down" if guest.bridge in links else "does not exist on this node"
                absent[address] = Reason.BRIDGE_MISSING, f"bridge {guest.bridge} {what}"
                guest.forget()
                continue
            six = ":" in address
            if six not in unfit:  # asked once for each family: it reads files
                unfit[six] = self._kernel.unfit(address)
            if why := unfit[six]:
                absent[address] = Reason.NOT_FORWARDING, why
            elif guest.here is False:
                absent[address] = Reason.GUEST_SILENT, f"{address} does not answer behind {guest.bridge}"
        here = frozenset(a for a, guest in self._guests.items() if guest.here and a not in absent)
        now = GuestsChanged(here, absent)
        if now == self._last:
            return
        for address in sorted(absent.keys() - self._last.absent.keys()):
            log.warning("guest cannot be served", address=address, reason=absent[address][0], detail=absent[address][1])
        for address in sorted(here - self._last.here):
            log.info("guest is here", address=address, bridge=self._guests[address].bridge)
        self._last = now
        self._told(now)
