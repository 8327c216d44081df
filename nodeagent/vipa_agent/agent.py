"""One running agent: asyncio wiring of kernel, wire, source, status and metrics around the election."""

import asyncio
import signal
from enum import StrEnum
from typing import Any, Final

import structlog

from vipa.election.actions import Notice, Transition
from vipa.election.elector import Elector
from vipa.election.events import (
    GateLost,
    InterfacesChanged,
    KeysChanged,
    LocalInterface,
    PermitLapsed,
    PlanChanged,
    StopAsked,
    TimerFired,
)
from vipa.election.states import State
from vipa.errors import ConfigError
from vipa.plan import Plan
from vipa.resources.node import VirtualIPNodeStatus
from vipa_agent import picture
from vipa_agent.adoption import adoptable, copies, held_last, memory
from vipa_agent.audits import rest
from vipa_agent.bgp.view import NO_BGP, BgpView
from vipa_agent.executor import Executor
from vipa_agent.guests import Guests
from vipa_agent.healthchecks import HealthChecks
from vipa_agent.identity import boot_id, config_of
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.kernel.errors import KernelError
from vipa_agent.kernel.kernel import Kernel
from vipa_agent.kernel.links import LinkEvents, Links
from vipa_agent.kernel.netlink import NETLINK_ROUTE, NetlinkSocket
from vipa_agent.mender import Mender
from vipa_agent.metrics import Metrics
from vipa_agent.needkey import need_key
from vipa_agent.nics import ALERT_POLL_S, Nics
from vipa_agent.nodestatus import NodeStatus
from vipa_agent.remote import Remote
from vipa_agent.scrape import ScrapeServer
from vipa_agent.settings import Settings
from vipa_agent.shown import Shown
from vipa_agent.sources.source import Source
from vipa_agent.state import StateFile
from vipa_agent.status import StatusError, StatusServer
from vipa_agent.storms import sieve_of
from vipa_agent.surroundings import Surroundings
from vipa_agent.turns import Turns
from vipa_agent.wire.mux import Mux
from vipa_agent.wire.sink import open_sink

log = structlog.get_logger()

CALM_S: Final = 1.0
"""How long an agent that is to yield waits for moves under way: a planned move takes two beats and two commits."""

_UNDER_WAY: Final = frozenset({State.CLAIMING, State.RECEIVING, State.YIELDING})


class Ending(StrEnum):
    """Why an agent's run is over."""

    STOPPED = "stopped"
    RETIRED = "retired"
    """A successor on this node serves now."""


class Agent:
    """Everything of one agent. ``run`` returns after a completed shutdown, or when a successor has been let in.

    ``first``: the plan to begin with; None: not known yet, so what the kernel still serves stays as it is."""

    def __init__(
        self, settings: Settings, around: Surroundings, source: Source, metrics: Metrics, first: Plan | None
    ) -> None:
        self.settings = settings
        self.keys = around.keys
        self.boot_id = boot_id()
        self.loop = asyncio.get_running_loop()
        self.metrics = metrics
        self.source = source
        self.tenure = around.tenure
        self.service = around.service
        self.state = StateFile(settings.state_dir, lambda message: log.warning("state file", detail=message))
        self.elector = Elector(config_of(settings, around.keys.keys, self.boot_id))
        self.node_status = NodeStatus(self.elector, self.boot_id)
        self.bgp = around.bgp
        self.shown = Shown(self.elector, metrics, around.hooks, self._bgp_view, source.changed)
        self._done = asyncio.Event()
        self._retire = asyncio.Event()
        self._terms: dict[str, int] = {}
        self._own: tuple[tuple[str, str], ...] = ()
        self._gateways: dict[str, tuple[str, ...]] = {}
        self._first = first
        self._begun = False
        self._scrape: ScrapeServer | None = None
        if first is not None:
            with NetlinkSocket(NETLINK_ROUTE) as route_socket:  # before the kernel layer's tables: refuse traceless
                need_key(settings, first, Links(route_socket).snapshot(frozenset()))
        renewed: dict[str, float] = {}
        self.kernel = Kernel(renewed.__setitem__, self._lapsed)
        opened, closing = (lambda s: self.turns.opened(s)), (lambda s: self.turns.closing(s))  # noqa: PLW0108 - later
        self.nics = Nics(self.kernel, self._interfaces_changed)
        self.mux = Mux(settings.port, opened, closing, lambda: sieve_of(self.elector.node))
        self.remote = Remote(self.elector, self.mux, lambda: self.nics.interfaces)
        self.executor = Executor(
            self.elector, self.kernel, self.mux, self.metrics, self._guarded, self._done.set, self._happened
        )
        self.mender = Mender(
            self.kernel,
            metrics,
            self._guard,
            lambda: self.nics.service if self._begun else frozenset(),
            lambda: self._interfaces_changed(self.nics.interfaces),
            lambda: self.turns.wake(GateLost()),
        )
        self.turns: Turns = Turns(
            self.elector, self.executor, self.kernel, self.nics, self.metrics, renewed, self.remote.awake, self._turned
        )

    # --- life

    async def run(self) -> Ending:
        """Start, serve until asked to stop or to yield; then hand over to other nodes and clean up, or leave all as it
        is to the successor."""
        sink = open_sink(self.settings.port)
        link_events = LinkEvents(self.kernel.port)
        server = StatusServer(self.settings.state_dir, self._status)
        if self.settings.metrics:
            self._scrape = ScrapeServer(*self.settings.metrics, self.metrics.registry, self.remote.board)
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, lambda: self.turns.wake(StopAsked()))
        try:
            await server.start()
        except StatusError as error:
            log.warning("no status socket", detail=str(error))
        self._terms = {k: v for k, v in self.state.load().items() if isinstance(v, int)}
        if self._first is None:
            self.nics.resync()
        else:
            self._begin(self._first)
        self.loop.add_reader(link_events.fileno(), self._links, link_events)
        self.mender.start()
        await self.tenure.offer(self._retire.set)
        log.info("started", node=self.settings.node, source=self.settings.source)
        self.service.tell("READY=1")
        try:
            await self._serve()
        finally:
            self.turns.stop()
            self.mender.stop()
            self.remote.stop()
            self.loop.remove_reader(link_events.fileno())
            self.mux.close()
            if self._done.is_set():
                self.kernel.clean_up()
                self.shown.stopped()
            self.kernel.close()
            await self.tenure.release()
            await server.stop()
            self._no_scrapes()
            self.state.close()
            sink.close()
            link_events.close()
            log.info("stopped", node=self.settings.node)
        return Ending.STOPPED if self._done.is_set() else Ending.RETIRED

    async def _serve(self) -> None:
        """Until the election has stopped, or a successor may come in."""
        rekey = self.keys.follow(lambda found: self.turns.wake(KeysChanged(found)))
        checks = HealthChecks(self.elector, self.turns.wake).run()
        guests = Guests(self.elector, self.kernel, self.nics, self.turns.wake).run()
        work = (self._audit(), rekey, checks, guests, self.source.run(self._take, self._document))
        tasks = [asyncio.create_task(coroutine) for coroutine in work]
        ends = [asyncio.create_task(event.wait()) for event in (self._done, self._retire)]
        try:
            finished, _ = await asyncio.wait([*ends, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                task.result()
            if self._done.is_set():
                await self.source.last_word()
            else:
                await self._settle(tasks[-1])
        finally:
            for task in (*ends, *tasks):
                task.cancel()

    async def _settle(self, following: asyncio.Task[None]) -> None:
        """Before a successor is let in: everything slow, while this agent still serves; then the permits once more, so
        that the successor finds them with all their life ahead."""
        log.info("a successor takes over", node=self.settings.node)
        following.cancel()
        await asyncio.to_thread(self._no_scrapes)
        calm_at = self.loop.time() + CALM_S
        while any(v.state in _UNDER_WAY for v in self.elector.node.vips.values()) and self.loop.time() < calm_at:
            await asyncio.sleep(ALERT_POLL_S)
        self._remember()
        await asyncio.to_thread(self.state.flush, CALM_S)
        if not self._done.is_set():
            self.turns.stop()
            self.kernel.held()

    def _no_scrapes(self) -> None:
        scrape, self._scrape = self._scrape, None
        if scrape is not None:
            scrape.close()

    def _begin(self, planned: Plan) -> None:
        """The first plan: then interfaces, then what the kernel still serves from before a restart (rule 8)."""
        self._begun = True
        adopted = adoptable(planned, self.kernel.held(), self._terms)
        own = {a.partition("/")[0] for i in self.kernel.snapshot() for a in i.addresses}
        self.kernel.clean_stale({a for h in adopted for a in h.addresses}, copies(planned, own))
        self.executor.step(PlanChanged(planned))
        if not self.nics.resync():
            self._interfaces_changed(self.nics.interfaces)
        for event in adopted:
            self.executor.step(event)
        for last in held_last(planned, self._terms):
            self.executor.step(last)
        if self.bgp is not None:
            self.bgp.begin(self.elector.node, self.shown.changed)
        self.turns.wake(TimerFired())

    # --- inputs

    def _take(self, planned: Plan) -> bool:
        """A plan of the source."""
        try:
            need_key(self.settings, planned, self.kernel.snapshot())
        except ConfigError as error:
            log.warning("new plan not taken", detail=str(error))
            return False
        if not self._begun:
            self._begin(planned)
        elif planned != self.elector.node.plan:
            self.turns.wake(PlanChanged(planned))
        self.shown.changed()
        self.remote.changed()
        return True

    def _happened(self, action: Transition | Notice) -> None:
        self.remote.changed()
        self.shown.happened(action)
        if self.bgp is not None:
            self.bgp.happened(action)

    def _turned(self) -> None:
        if self.bgp is not None:
            self.bgp.look()

    def _lapsed(self, interface: str) -> None:
        """From the renewal thread, or from within a transaction: never steps the election under itself."""
        self.loop.call_soon_threadsafe(self.turns.wake, PermitLapsed(interface))

    def _links(self, link_events: LinkEvents) -> None:
        changed = link_events.drain()
        if changed.interfaces:
            self.nics.alert(boottime_s())
            self._resync()
        if changed.ways:
            self.mender.blame()
        if changed.vips or changed.ways:
            self.mender.look()
        self.turns.sleep()

    def _resync(self) -> None:
        if self.nics.resync() and self.nics.service:
            # a re-created interface under an old name: gate, marks and sockets are by ifindex
            self._guard()
        self._open_sockets()

    def _guard(self) -> None:
        self.kernel.guard(self.elector.node.by_address, self._own)

    def _interfaces_changed(self, interfaces: tuple[LocalInterface, ...]) -> None:
        self.shown.changed()
        gateways = {i.name: i.gateways for i in interfaces}
        if self._begun:
            if gateways != self._gateways and self._own:
                try:
                    self._guard()  # replies of every adapter go by them
                except KernelError as error:  # the audit finds what is lacking; the election must hear of the change
                    log.warning("routes of replies not followed yet", error=str(error))
            self._gateways = gateways
            self.executor.step(InterfacesChanged(self.mender.judged(interfaces)))
            self._open_sockets()
            self.turns.sleep()

    def _guarded(self, own: tuple[tuple[str, str], ...]) -> None:
        self._own = own
        self.nics.service = frozenset(interface for interface, _ in own)
        self._open_sockets()

    def _open_sockets(self) -> None:
        for interface, message in self.mux.sync(self.nics.wire()).items():
            log.warning("no sockets", interface=interface, detail=message)

    # --- background

    async def _audit(self) -> None:
        """What somebody removed comes back (within 1 s)."""
        took_s = 0.0
        while True:
            await rest(took_s, lambda: len(self.elector.node.under_way))
            begun_s = self.loop.time()
            try:
                self.mender.look()
                self._resync()
            except KernelError as error:  # changing at this very moment: the next round sees how it ended
                log.warning("interfaces not read", error=str(error))
            took_s = self.loop.time() - begun_s
            self.shown.changed()
            self.remote.changed()
            self._remember()

    async def _status(self) -> dict[str, Any]:
        told = {"routers": self.remote.routers.names}
        told |= picture.bgp(self.bgp.view) if self.bgp is not None else {}
        return await picture.status(self.elector, self.boot_id) | told | self.mender.repairs.told(boottime_s())

    async def _document(self) -> VirtualIPNodeStatus:
        return await self.node_status.document(self.nics.interfaces, self.mender.repairs.known(), self._bgp_view())

    def _bgp_view(self) -> BgpView:
        return self.bgp.view if self.bgp is not None else NO_BGP

    def _remember(self) -> None:
        terms = memory(self.elector.node)
        if self._begun and terms != self._terms:
            self._terms = terms
            self.state.save(terms)
