"""Reports to routers that asked on the LAN (docs/design/0008-remote-clients.md). A router has no part in the election:
what it asks is taken out before heartbeats are read, and nothing of it comes near a peer.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Final

from vipa.election.actions import SendBeat
from vipa.election.elector import Elector
from vipa.election.events import BeatReceived, LocalInterface
from vipa.election.health import LocalEndpoint
from vipa.election.states import UNSETTLED, State
from vipa.election.vip import Verdict, VipState
from vipa.errors import PeerError
from vipa.remote.hearing import ASK_S, ENTRIES_BYTES_MAX, LEASE_S, REPORT_S, REPORT_SLOW_S
from vipa.remote.talk import Adapter, Ask, Entry, Part, Report, decode_ask, encode, paged
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.picture import has_copy

ROUTERS_MAX: Final = 8
"""At a time: each costs as much as a peer."""

HEAD_BYTES: Final = 300
"""Of a report besides its entries: header, names, and four adapters with an address of each family."""

EARLY_S: Final = 0.005
"""A report may go so much earlier, in a turn that something else began: waking costs more than sending."""

_PARTS: Final = {State.HOLDER: Part.HOLDER, State.YIELDING: Part.YIELDING}

_Path = tuple[LocalEndpoint, str, str]
"""An endpoint here, the router's address on its LAN, the router's MAC there."""


@dataclass(slots=True)
class _Router:
    incarnation: int
    name: str
    seq: int = 0
    until: float = 0.0
    answered_at: float = float("-inf")
    places: dict[str, str] = field(default_factory=dict)
    """MAC by address of the router."""
    heard: dict[str, float] = field(default_factory=dict)
    """When, by interface here."""
    told: int = -1
    """Edition of the entries that it was told all pages of."""
    page: int = 0


class Routers:
    """``send`` puts a frame onto the wire; ``interfaces``: this node's, as the kernel has them."""

    def __init__(
        self,
        elector: Elector,
        send: Callable[[SendBeat], object],
        interfaces: Callable[[], tuple[LocalInterface, ...]],
    ) -> None:
        self._elector = elector
        self._send = send
        self._interfaces = interfaces
        self._loop = asyncio.get_running_loop()
        self._routers: dict[int, _Router] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due_at = float("inf")
        self._seq = self._edition = 0
        self._pages: list[tuple[Entry, ...]] = []
        self._stale = True
        self._hurried = False

    @property
    def names(self) -> list[str]:
        """Routers that are told, by the name they give themselves."""
        now = boottime_s()
        return sorted(router.name for router in self._routers.values() if router.until > now)

    def take(self, event: BeatReceived) -> None:
        """What a router asks. Whoever has no key of ours, or repeats what was said, is not answered."""
        config = self._elector.node.config
        try:
            ask = decode_ask(event.payload, config.accepted_keys, config.cluster_ids)
        except PeerError as error:
            self._count(error.result)
            return
        now = boottime_s()
        router = self._routers.get(ask.incarnation)
        if router is None:
            self._routers = {i: known for i, known in self._routers.items() if known.until + LEASE_S > now}
            if len(self._routers) >= ROUTERS_MAX:
                self._count("unplanned")
                return
            router = self._routers[ask.incarnation] = _Router(ask.incarnation, ask.name, until=now)
        if ask.seq < router.seq:
            self._count("replayed")
            return
        self._count("accepted")
        self._told(router, ask, event, now)

    def _told(self, router: _Router, ask: Ask, event: BeatReceived, now: float) -> None:
        router.seq, router.name = ask.seq, ask.name
        router.places[event.source_address] = event.source_mac
        router.heard[event.interface] = now
        if ask.leaving:
            del self._routers[router.incarnation]
        elif hears_us(ask, self._elector.node.config.incarnation):
            fresh = router.until <= now
            router.until = now + LEASE_S
            if fresh:
                self.changed()
        elif now - router.answered_at >= ASK_S / 2:
            router.answered_at = now  # so that it can say that it hears this agent
            self._report(router, now, all_pages=False)

    def _count(self, result: str) -> None:
        results = self._elector.receiver.results
        results[result] = results.get(result, 0) + 1

    # --- when

    def changed(self) -> None:
        """What routers are told may have changed: they hear of it within this turn of the loop."""
        self._stale = True
        if not self._hurried and self._routers:
            self._hurried = True
            self._loop.call_soon(self.tell)

    def soon(self, now: float) -> None:
        """The loop is awake: report if that is nearly due."""
        if now >= self._due_at - EARLY_S:
            self.tell()

    def stop(self) -> None:
        """The last report, and no more."""
        self._stale = True
        self.tell()
        self._routers.clear()
        if self._timer is not None:
            self._timer.cancel()

    def tell(self) -> None:
        """A report to each router, now."""
        self._hurried = False
        now = boottime_s()
        node = self._elector.node
        if self._timer is not None:
            self._timer.cancel()
        listening = [router for router in self._routers.values() if router.until > now]
        self._due_at = float("inf")
        if not listening:
            return
        busy = any(v.state is State.HOLDER or v.state in UNSETTLED or v.copied for v in node.vips.values())
        every_s = min(max(node.fastest_s, REPORT_S), REPORT_SLOW_S) if busy else REPORT_SLOW_S
        self._due_at = now + every_s
        self._timer = self._loop.call_later(every_s, self.tell)
        if any(until <= now for until in node.permits.until.values()):
            return  # this agent stood still: what it believes to hold has ended, and its next step says so
        for router in listening:
            self._report(router, now, all_pages=True, every_s=every_s)

    # --- what

    def _report(self, router: _Router, now: float, *, all_pages: bool, every_s: float = REPORT_SLOW_S) -> None:
        self._draw()
        paths = self._paths(router)
        endpoints = list(self._elector.node.health.endpoints.values())
        adapters = tuple(self._adapter(endpoint, router, now) for endpoint in endpoints)
        fresh = all_pages and router.told != self._edition
        first = 0 if fresh else router.page % len(self._pages)
        for page in range(first, len(self._pages) if fresh else first + 1):
            self._seq += 1
            config = self._elector.node.config
            report = Report(
                node=config.node,
                incarnation=config.incarnation,
                seq=self._seq,
                router=router.incarnation,
                interval_ms=every_s * 1000,
                edition=self._edition,
                page=page,
                pages=len(self._pages),
                adapters=adapters,
                entries=self._pages[page],
            )
            payload = encode(report, config.accepted_keys[0], config.cluster_id)
            until = min(self._elector.node.permits.until.values(), default=float("inf"))
            for endpoint, address, mac in paths:
                self._send(SendBeat(endpoint.interface, endpoint.address, address, mac, payload, until))
        router.page = first + 1
        if fresh:
            router.told, router.page = self._edition, 0

    def _paths(self, router: _Router) -> list[_Path]:
        return [
            (endpoint, address, mac)
            for endpoint in self._elector.node.health.endpoints.values()
            for address, mac in router.places.items()
            if (":" in address) is (":" in endpoint.address) and ip_address(address) in ip_network(endpoint.network)
        ]

    def _adapter(self, endpoint: LocalEndpoint, router: _Router, now: float) -> Adapter:
        own = next((i.addresses for i in self._interfaces() if i.name == endpoint.interface), ())
        others = tuple(a for a in own if (":" in a) is not (":" in endpoint.address))
        heard_at = router.heard.get(endpoint.interface)
        heard_ms = -1 if heard_at is None else round((now - heard_at) * 1000)
        return Adapter(endpoint.address, endpoint.healthy, others, heard_ms)

    def _draw(self) -> None:
        """The entries anew, where something changed: of 2,000 virtual IPs that takes milliseconds."""
        if not self._stale:
            return
        self._stale = False
        node = self._elector.node
        at = {address: index for index, address in enumerate(node.health.endpoints)}
        entries = [self._entry(vip, at) for vip in node.vips.values()]
        pages = paged(entries, ENTRIES_BYTES_MAX - HEAD_BYTES)
        if pages != self._pages:
            self._pages = pages
            self._edition += 1

    def _entry(self, vip: VipState, at: dict[str, int]) -> Entry:
        node = self._elector.node
        copy = has_copy(node, vip) and vip.verdict is not Verdict.FAILING
        part = _PARTS.get(vip.state, Part.NONE)
        adapters = tuple(at[local.address] for _, local in node.local(vip)) if copy or part else ()
        return Entry(vip.plan.addresses, part, max(vip.term, 0) if part else 0, adapters, copy)


def hears_us(ask: Ask, incarnation: int) -> bool:
    """Whether the router has heard the agent of this incarnation: then it asks now, and not in a recording."""
    return incarnation in ask.hears
