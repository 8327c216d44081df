"""Reports to routers that asked on the LAN (docs/design/0008-remote-clients.md). A router has no part in the election:
what it asks is taken out before heartbeats are read, and nothing of it comes near a peer.
"""

import asyncio
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Final

import structlog
from msgspec import structs

from vipa.election.actions import SendBeat
from vipa.election.elector import Elector
from vipa.election.events import BeatReceived, LocalInterface
from vipa.election.health import LocalEndpoint
from vipa.election.states import UNSETTLED, State
from vipa.election.vip import Verdict, VipState
from vipa.errors import PeerError
from vipa.remote.askers import Asker, Askers, Place
from vipa.remote.pace import REPORT_S, REPORT_SLOW_S
from vipa.remote.talk import (
    BYTES_MAX,
    Adapter,
    Entry,
    Part,
    Report,
    decode_ask,
    encode,
    fitting,
    head_bytes,
    paged,
    size_of,
)
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.picture import has_copy

log = structlog.get_logger()

ADAPTERS_BYTES_MAX: Final = 600
"""Of a report: half of it, the rest is for virtual IPs. Ten adapters or more with an address of each family."""

GROWTH_BYTES: Final = 64
"""Times since a router was heard grow by 4 bytes an adapter, an address more takes 45; the next drawing knows it."""

ANSWER_S: Final = 0.005
"""A question comes in by all adapters within this; the first report says on which."""

EARLY_S: Final = 0.005
"""A report may go so much earlier, in a turn that something else began: waking costs more than sending."""

_PARTS: Final = {State.HOLDER: Part.HOLDER, State.YIELDING: Part.YIELDING}

_Path = tuple[LocalEndpoint, str, str]
"""An endpoint here, the router's address on its LAN, the router's MAC there."""


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
        self._askers = Askers(elector.node.config.incarnation)
        self._timer: asyncio.TimerHandle | None = None
        self._due_at = float("inf")
        self._seq = self._edition = 0
        self._pages: list[tuple[Entry, ...]] = []
        self._stale = True
        self._hurried = False
        self._left_out = 0

    @property
    def names(self) -> list[str]:
        """Routers that are told, by the name they give themselves."""
        return sorted(asker.name for asker in self._askers.listening(boottime_s()))

    def take(self, event: BeatReceived) -> None:
        """What a router asks. Whoever has no key of ours, or repeats what was said, is not answered."""
        config = self._elector.node.config
        try:
            ask = decode_ask(event.payload, config.accepted_keys, config.cluster_ids)
        except PeerError as error:
            self._count(error.result)
            return
        place = Place(event.interface, event.source_address, event.source_mac)
        result = self._askers.take(boottime_s(), place, ask)
        if result == "asks":
            self.changed()
        elif result == "answer":  # so that it can say that it hears this agent
            self._loop.call_later(ANSWER_S, self._answer, ask.incarnation)
        self._count("accepted" if result in ("asks", "answer") else result)

    def _answer(self, incarnation: int) -> None:
        asker = self._askers.get(incarnation)
        if asker is not None and not self._frozen():
            self._report(asker, boottime_s(), all_pages=False)

    def _count(self, result: str) -> None:
        results = self._elector.receiver.results
        results[result] = results.get(result, 0) + 1

    # --- when

    def changed(self) -> None:
        """What routers are told may have changed: they hear of it within this turn of the loop."""
        self._stale = True
        if not self._hurried and self._askers:
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
        self._askers.clear()
        if self._timer is not None:
            self._timer.cancel()

    def tell(self) -> None:
        """A report to each router, now."""
        self._hurried = False
        now = boottime_s()
        node = self._elector.node
        if self._timer is not None:
            self._timer.cancel()
        listening = self._askers.listening(now)
        self._due_at = float("inf")
        if not listening:
            return
        busy = any(v.state is State.HOLDER or v.state in UNSETTLED or v.copied for v in node.vips.values())
        every_s = min(max(node.fastest_s, REPORT_S), REPORT_SLOW_S) if busy else REPORT_SLOW_S
        self._due_at = now + every_s
        self._timer = self._loop.call_later(every_s, self.tell)
        if self._frozen():
            return
        for router in listening:
            self._report(router, now, all_pages=True, every_s=every_s)

    def _frozen(self) -> bool:
        """Whether this agent stood still: what it believes to hold has ended, and its next step says so."""
        now = boottime_s()
        return any(until <= now for until in self._elector.node.permits.until.values())

    # --- what

    def _report(self, router: Asker, now: float, *, all_pages: bool, every_s: float = REPORT_SLOW_S) -> None:
        self._draw()
        paths = self._paths(router, now)
        here = {endpoint.network for endpoint, _, _ in paths}
        endpoints = self._elector.node.health.endpoints.values()
        adapters = tuple(self._adapter(e, router, now) if e.network in here else None for e in endpoints)
        fresh = all_pages and router.told != self._edition
        first = 0 if fresh else router.page % len(self._pages)
        config = self._elector.node.config
        until = min(self._elector.node.permits.until.values(), default=float("inf"))
        for page in range(first, len(self._pages) if fresh else first + 1):
            self._seq += 1
            entries = self._pages[page]
            fit = self._fitting(adapters, BYTES_MAX - head_bytes(config.node) - size_of(entries))
            report = Report(
                node=config.node,
                incarnation=config.incarnation,
                seq=self._seq,
                router=router.incarnation,
                interval_ms=every_s * 1000,
                edition=self._edition,
                page=page,
                pages=len(self._pages),
                adapters=fit,
                entries=entries,
            )
            for endpoint, address, mac in paths:
                signed = structs.replace(report, source=endpoint.address)
                payload = encode(signed, config.accepted_keys[0], config.cluster_id)
                self._send(SendBeat(endpoint.interface, endpoint.address, address, mac, payload, until))
        router.page = first + 1
        if fresh:
            router.told, router.page = self._edition, 0

    def _fitting(self, adapters: tuple[Adapter | None, ...], room: int) -> tuple[Adapter | None, ...]:
        fit = fitting(adapters, room)
        left_out = fit.count(None) - adapters.count(None)
        if left_out > self._left_out:
            detail = f"{left_out} of {len(adapters)} adapters do not fit into one datagram: routers do not send to them"
            log.warning("adapters left out", detail=detail)
        self._left_out = max(left_out, self._left_out)
        return fit

    def _paths(self, router: Asker, now: float) -> list[_Path]:
        """One by each adapter to each MAC of the router beyond it."""
        found: list[_Path] = []
        for endpoint in self._elector.node.health.endpoints.values():
            network = ip_network(endpoint.network)
            for mac, addresses in router.addresses(now).items():
                near = (address for address in addresses if ip_address(address) in network)
                if address := next(near, ""):
                    found.append((endpoint, address, mac))
        return found

    def _adapter(self, endpoint: LocalEndpoint, router: Asker, now: float) -> Adapter:
        own = next((i.addresses for i in self._interfaces() if i.name == endpoint.interface), ())
        others = tuple(a for a in own if (":" in a) is not (":" in endpoint.address))
        heard_at = router.heard_at(endpoint.interface)
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
        router = Asker(0, "", 0.0)
        adapters = [self._adapter(endpoint, router, 0.0) for endpoint in node.health.endpoints.values()]
        reserved = min(size_of(adapters) + GROWTH_BYTES, ADAPTERS_BYTES_MAX)
        pages = paged(entries, BYTES_MAX - head_bytes(node.config.node) - reserved)
        if pages != self._pages:
            self._pages = pages
            self._edition += 1

    def _entry(self, vip: VipState, at: dict[str, int]) -> Entry:
        node = self._elector.node
        copy = has_copy(node, vip) and vip.verdict is not Verdict.FAILING
        part = _PARTS.get(vip.state, Part.NONE)
        adapters = tuple(at[local.address] for _, local in node.local(vip)) if copy or part else ()
        return Entry(vip.plan.addresses, part, max(vip.term, 0) if part else 0, adapters, copy)
