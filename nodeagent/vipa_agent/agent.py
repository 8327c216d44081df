"""One running agent: asyncio wiring of kernel, wire, manifests, status and metrics around the election."""

import asyncio
import secrets
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import structlog

from vipa.election.elector import Config, Elector
from vipa.election.events import (
    ArpSeen,
    BeatReceived,
    HeldAtStart,
    InterfacesChanged,
    LocalInterface,
    PermitLapsed,
    PermitRenewed,
    PlanChanged,
    StopAsked,
    TimerFired,
)
from vipa.errors import ConfigError
from vipa.plan import Plan
from vipa.planner import plan, world_of
from vipa_agent import picture
from vipa_agent.executor import Executor
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.kernel.errors import KernelError
from vipa_agent.kernel.kernel import Kernel
from vipa_agent.kernel.links import LinkEvents, Links
from vipa_agent.kernel.netlink import NETLINK_ROUTE, NetlinkSocket
from vipa_agent.metrics import Metrics
from vipa_agent.nics import Nics
from vipa_agent.scrape import ScrapeServer
from vipa_agent.settings import Settings
from vipa_agent.sources.folder import Manifests
from vipa_agent.sources.watch import changes
from vipa_agent.state import StateFile
from vipa_agent.status import StatusError, StatusServer
from vipa_agent.wire.mux import Mux
from vipa_agent.wire.nic import NicSocket
from vipa_agent.wire.sink import open_sink

log = structlog.get_logger()

POLL_S: Final = 0.005
"""Carrier poll. The kernel's event may be a second late, so this is what bounds a carrier loss: 2.5 ms on average of
the 5 ms promised for the client's gap. One read costs about 7 µs per interface."""

AUDIT_S: Final = 0.5
"""How often tables and addresses are compared with what should be there: removal is repaired within 1 s."""

PICTURE_S: Final = 0.1
"""Metrics' picture is this old at most after a change; with 2,000 VIPs drawing it takes milliseconds."""

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Agent:
    """Everything of one agent. ``run`` returns after a completed shutdown."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.boot_id = _BOOT_ID.read_text().strip()
        self.loop = asyncio.get_running_loop()
        self.metrics = Metrics()
        self.manifests = Manifests(settings.manifests)
        self.state = StateFile(settings.state_dir, lambda message: log.warning("state file", detail=message))
        self.elector = Elector(
            Config(
                node=settings.node,
                incarnation=secrets.randbits(64),
                boot_id=int(self.boot_id.replace("-", "")[:16], 16),
                keys=settings.keys,
                cluster=settings.cluster,
                insecure=settings.insecure,
            )
        )
        self._renewed: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due_at: float | None = None
        self._done = asyncio.Event()
        self._picture_due = False
        self._terms: dict[str, int] = {}
        self._problems: frozenset[str] = frozenset()
        self._own: tuple[tuple[str, str], ...] = ()
        self._counted: dict[str, int] = {}
        self._first_plan = self._plan()
        with NetlinkSocket(NETLINK_ROUTE) as route_socket:  # before the kernel layer makes its tables: refuse traceless
            self._need_key(self._first_plan, Links(route_socket).snapshot(frozenset()))
        self.kernel = Kernel(self._renewed.__setitem__, self._lapsed)
        self.mux = Mux(settings.port, self._opened, self._closing)
        self.nics = Nics(self.kernel, self._interfaces_changed)
        self.executor = Executor(
            self.elector, self.kernel, self.mux, self.metrics, self._guarded, self._done.set, self._changed
        )

    # --- life

    async def run(self) -> None:
        """Start, serve until asked to stop, hand over, clean up."""
        sink = open_sink(self.settings.port)
        link_events = LinkEvents()
        server = StatusServer(self.settings.state_dir, lambda: picture.status(self.elector, self.boot_id))
        scrape = ScrapeServer(*self.settings.metrics, self.metrics.registry) if self.settings.metrics else None
        for number in (signal.SIGTERM, signal.SIGINT):
            self.loop.add_signal_handler(number, lambda: self.wake(StopAsked()))
        try:
            await server.start()
        except StatusError as error:
            log.warning("no status socket", detail=str(error))
        self._start()
        self.loop.add_reader(link_events.fileno(), self._links, link_events)
        tasks = [asyncio.create_task(t) for t in (self._poll(), self._audit(), self._follow())]
        log.info("started", node=self.settings.node, manifests=str(self.settings.manifests))
        stop = asyncio.create_task(self._done.wait())
        try:
            finished, _ = await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                task.result()
        finally:
            for task in (stop, *tasks):
                task.cancel()
            self.loop.remove_reader(link_events.fileno())
            await server.stop()
            if scrape is not None:
                scrape.close()
            self.mux.close()
            if self._done.is_set():
                self.kernel.clean_up()
            self.kernel.close()
            self.state.close()
            sink.close()
            link_events.close()
            log.info("stopped", node=self.settings.node)

    def _start(self) -> None:
        """Plan, interfaces, then what the kernel still serves from before a restart (rule 8)."""
        self._terms = {k: v for k, v in self.state.load().items() if isinstance(v, int)}
        planned = self._first_plan
        held = self.kernel.held()
        by_address = {h.address: h for h in held}
        adopted: list[HeldAtStart] = []
        for vip in planned.vips:
            of_vip = [by_address[a] for a in vip.addresses if a in by_address]
            if len(of_vip) == len(vip.addresses) and len({h.interface for h in of_vip}) == 1:
                first = of_vip[0]
                adopted.append(
                    HeldAtStart(vip.addresses, first.interface, first.until, self._terms.get(f"{vip.id:016x}", 0))
                )
        self.kernel.clean_stale({a for h in adopted for a in h.addresses})
        self.executor.step(PlanChanged(planned))
        self.nics.resync()
        for event in adopted:
            self.executor.step(event)
        self.wake(TimerFired())

    # --- inputs

    def wake(self, event: TimerFired | StopAsked | PlanChanged | PermitLapsed) -> None:
        """Everything that waits, oldest first, then ``event``; then sleep until the next deadline."""
        now = boottime_s()
        if self._due_at is not None:
            self.metrics.lateness(max(now - self._due_at, 0.0))
        self.kernel.tick()
        self._take_renewals()
        self.executor.drain()
        self.executor.step(event)
        self._sleep()

    def _readable(self, drain: Callable[[], Sequence[BeatReceived | ArpSeen]]) -> None:
        self._take_renewals()
        for event in drain():
            self.executor.step(event)
        self._sleep()

    def _sleep(self) -> None:
        """Set the timer to the election's next deadline; most frames leave it where it was."""
        due_at = self.elector.next_deadline()
        if due_at == self._due_at and self._timer is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due_at = due_at
        if due_at is not None and due_at != float("inf"):
            self._timer = self.loop.call_later(max(due_at - boottime_s(), 0.0), self._due)

    def _due(self) -> None:
        self._timer = None
        self.wake(TimerFired())

    def _take_renewals(self) -> None:
        while self._renewed:
            interface, until = self._renewed.popitem()
            self.executor.step(PermitRenewed(interface, until))

    def _lapsed(self, interface: str) -> None:
        """From the renewal thread, or from within a transaction: never steps the election under itself."""
        self.loop.call_soon_threadsafe(self.wake, PermitLapsed(interface))

    def _links(self, link_events: LinkEvents) -> None:
        changed = link_events.drain()
        self.nics.poll()
        if changed.interfaces:
            self._resync()
        if changed.vips:
            self._rebind()

    def _resync(self) -> None:
        if self.nics.resync() and self.nics.service:
            # a re-created interface under an old name: gate, marks and sockets are by ifindex
            self.kernel.guard(self.elector.node.by_address, self._own)
        self._open_sockets()

    def _interfaces_changed(self, interfaces: tuple[LocalInterface, ...]) -> None:
        self.executor.step(InterfacesChanged(interfaces))
        self._open_sockets()
        self._sleep()

    def _guarded(self, own: tuple[tuple[str, str], ...]) -> None:
        self._own = own
        self.nics.service = frozenset(interface for interface, _ in own)
        self._open_sockets()

    def _open_sockets(self) -> None:
        for interface, message in self.mux.sync(self.nics.wire()).items():
            log.warning("no sockets", interface=interface, detail=message)

    def _opened(self, socket: NicSocket) -> None:
        beats, arp = socket.filenos()
        self.loop.add_reader(beats, self._readable, socket.drain_beats)
        self.loop.add_reader(arp, self._readable, socket.drain_arp)

    def _closing(self, socket: NicSocket) -> None:
        for fileno in socket.filenos():
            self.loop.remove_reader(fileno)

    # --- background

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            self.kernel.tick()
            self.nics.poll()

    async def _audit(self) -> None:
        """What somebody removed comes back (within 1 s)."""
        while True:
            await asyncio.sleep(AUDIT_S)
            try:
                if not self.kernel.intact():
                    log.warning("gate removed by someone: restored")
                    self.kernel.guard(self.elector.node.by_address, self._own)
                self._rebind()
                self._resync()
            except KernelError as error:  # removed again at this very moment: the next round sees how it ended
                log.warning("not put back yet", error=str(error))
            self._changed()
            self._remember()

    def _rebind(self) -> None:
        for address in sorted(self.kernel.rebind_lost()):
            log.warning("address removed by someone: bound again", address=address)

    async def _follow(self) -> None:
        async for _ in changes(self.settings.manifests):
            # 2,000 VIPs take half a second to read and plan: longer than the permit may go without a tick
            planned = await asyncio.to_thread(self._plan)
            try:
                self._need_key(planned, self.kernel.snapshot())
            except ConfigError as error:
                log.warning("new manifests not taken", detail=str(error))
                continue
            if planned != self.elector.node.plan:
                self.wake(PlanChanged(planned))

    def _plan(self) -> Plan:
        """Read the folder, say what is wrong with it, plan."""
        loaded = self.manifests.load()
        planned = plan(world_of(loaded.objects, loaded.refused))
        problems = frozenset(str(p) for p in loaded.problems) | frozenset(
            f"{r.kind} {r.name}: {r.reason}: {r.message}" for r in planned.refusals if r not in loaded.refused
        )
        for problem in sorted(problems - self._problems):
            log.error("manifest refused", detail=problem)
        self._problems = problems
        return planned

    def _need_key(self, planned: Plan, interfaces: tuple[LocalInterface, ...]) -> None:
        """Heartbeats that anyone can forge are only sent when asked for in so many words."""
        if self.settings.keys or self.settings.insecure:
            return
        here = {a.partition("/")[0] for i in interfaces for a in i.addresses}
        others = sorted({e.address for v in planned.vips for e in v.succession} - here)
        if others:
            raise ConfigError(
                f"the plan names endpoints of other nodes ({', '.join(others[:3])}), so heartbeats need a key: "
                "give --key-file F (the same file on every node), or --insecure for a LAN you trust"
            )

    def _changed(self) -> None:
        """Something people see changed: drawn soon, but never on the path of a failover."""
        if not self._picture_due:
            self._picture_due = True
            self.loop.call_later(PICTURE_S, self._show)

    def _show(self) -> None:
        self._picture_due = False
        self.metrics.show(picture.picture(self.elector))
        for result, count in self.elector.receiver.results.items():
            before = self._counted.get(result, 0)
            if count > before:
                self.metrics.heartbeats("received", result, count - before)
                self._counted[result] = count

    def _remember(self) -> None:
        terms = {f"{v.id:016x}": max(v.term, v.term_seen) for v in self.elector.node.vips.values()}
        if terms != self._terms:
            self._terms = terms
            self.state.save(terms)
