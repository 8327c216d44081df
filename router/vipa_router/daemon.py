"""The running router: reports in, asks out, routes follow. One loop; nothing in it waits for anybody."""

import asyncio
import errno
import secrets
import signal
import socket
import time
from collections import Counter
from typing import Any, Final

import structlog

from vipa import __version__
from vipa.election.config import Config
from vipa.errors import PeerError
from vipa.heartbeat.keys import Key
from vipa.remote import groups
from vipa.remote.groups import Steps, Table
from vipa.remote.hearing import Hearing, Way
from vipa.remote.lans import Lans, remembered
from vipa.remote.pace import ASK_S, REPORT_S
from vipa.remote.refusals import Refusals
from vipa.remote.talk import decode_report
from vipa.remote.ways import joined
from vipa_agent.kernel.errors import KernelError
from vipa_agent.kernel.netlink import NETLINK_ROUTE, RECEIVE_BYTES, NetlinkSocket, messages
from vipa_agent.keyfile import KeyFile
from vipa_agent.scrape import ScrapeServer
from vipa_agent.service import READY, Service
from vipa_agent.status import StatusError, StatusServer
from vipa_agent.wire.nic import NicSocket
from vipa_router.follow import ApiHops
from vipa_router.lan import Lan, hash_policies
from vipa_router.metrics import RouterMetrics
from vipa_router.routes import Routes
from vipa_router.settings import Settings

log = structlog.get_logger()

_GROUPS: Final = 0x1 | 0x10 | 0x100 | 0x80000000
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTNLGRP_NEXTHOP (32). Not the routes: a router has a million."""

SETTLE_S: Final = 0.005
"""Events of one change come within milliseconds."""

AUDIT_S: Final = 5.0
"""How often the kernel's table is read although no event came: a route of ours that somebody removed is back then."""

RETRY_S: Final = 1.0
"""After the kernel's table could not be read."""

TRIES: Final = 4
"""Plans in a row, each without what the kernel refused of the one before: hops, groups, routes, and what is left."""


class Daemon:
    """Everything of one ``vipa-router``. ``run`` returns after SIGTERM or SIGINT; routes stay."""

    def __init__(self, settings: Settings, keys: KeyFile, service: Service) -> None:
        self._settings = settings
        self._keys = keys
        self._service = service
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._socket = NetlinkSocket(NETLINK_ROUTE)
        self._events = NetlinkSocket(NETLINK_ROUTE, groups=_GROUPS)
        self._routes = Routes(self._socket)
        self._table: Table = self._routes.read()
        self._config = Config(settings.name, secrets.randbits(64), keys=settings.keys, cluster=settings.cluster)
        self._hearing = Hearing(self._config.incarnation, time.monotonic(), self._table.ways())
        self._own: dict[str, tuple[str, ...]] = {}
        self._lan = Lan(settings.interfaces, settings.port, self._socket, self._opened, self._closing)
        self._api = ApiHops(settings.kubeconfig, self._poke) if settings.kubeconfig is not None else None
        self._results: Counter[str] = Counter()
        self._metrics = RouterMetrics(self._results)
        self._timer: asyncio.TimerHandle | None = None
        self._due_at = float("inf")
        self._doubted = False
        self._trouble = ""
        self._refusals = Refusals()
        self._lans = Lans({})
        """Of all interfaces: what the API server tells of may be beyond any."""

    async def run(self) -> None:
        """Serve until asked to stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop.set)
        server = StatusServer(self._settings.state_dir, self.document)
        scrape = ScrapeServer(*self._settings.metrics, self._metrics.registry) if self._settings.metrics else None
        try:
            await server.start()
        except StatusError as error:
            log.warning("no status socket", detail=str(error))
        self._sync()
        self._loop.add_reader(self._events.socket.fileno(), self._kernel_changed)
        for family, policy in hash_policies().items():
            if policy == 0:
                detail = f"flows of one client all take one adapter: sysctl -w net.{family}.fib_multipath_hash_policy=1"
                log.warning("spread by addresses only", family=family, detail=detail)
        if self._api is not None:
            self._api.start()
        tasks = [asyncio.create_task(c) for c in (self._ask(), self._audit(), self._keys.follow(self._rekey))]
        tasks.append(asyncio.create_task(self._service.pings()))
        log.info("started", name=self._settings.name, interfaces=list(self._settings.interfaces), version=__version__)
        self._service.tell(READY)
        ended = asyncio.create_task(self._stop.wait())
        try:
            finished, _ = await asyncio.wait([ended, *tasks[:3]], return_when=asyncio.FIRST_COMPLETED)
            for task in finished:
                task.result()
        finally:
            for task in (ended, *tasks):
                task.cancel()
            self._lan.ask(self._config, (), leaving=True)
            await server.stop()
            if scrape is not None:
                scrape.close()
            self._lan.close()
            self._events.close()
            self._socket.close()
            log.info("stopped; routes stay", routes=len(self._table.routes))

    # --- what comes in

    def _opened(self, opened: NicSocket) -> None:
        for fileno in opened.beat_filenos():
            self._loop.add_reader(fileno, self._turn)

    def _closing(self, closing: NicSocket) -> None:
        for fileno in closing.beat_filenos():
            self._loop.remove_reader(fileno)

    def _turn(self) -> None:
        """All that waits on the sockets, then what follows from it."""
        now = time.monotonic()
        late = now - self._due_at > REPORT_S
        self._take_in(now)
        if late:  # what was due is judged by what came meanwhile, and silence counts from now
            self._hearing.late(now)
        self._follow()

    def _take_in(self, now: float) -> None:
        while events := self._lan.heard():
            for event in events:
                try:
                    report = decode_report(event.payload, self._config.accepted_keys, self._config.cluster_ids)
                except PeerError as error:
                    self._results[error.result] += 1
                    continue
                self._results[self._hearing.take(now, event.interface, event.source_address, report)] += 1

    def _kernel_changed(self) -> None:
        """Links, addresses or nexthop objects changed, by others: a link that goes down takes nexthops with it."""
        ours = self._socket.socket.getsockname()[0]
        while True:
            try:
                datagram = self._events.socket.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._doubt()
                continue
            if any(True for _ in messages(datagram)) and int.from_bytes(datagram[12:16], "little") != ours:
                self._doubt()

    def _sync(self) -> None:
        before = self._lan.interfaces
        self._lan.sync()
        if self._lan.interfaces != before:
            self._refusals.again()
            self._lans = Lans({interface.name: interface.addresses for interface in self._lan.interfaces})
        own = remembered(self._own, self._lan.interfaces, self._settings.interfaces)
        if own != self._own:
            self._own, self._hearing.lans = own, Lans(own)

    def _doubt(self) -> None:
        if not self._doubted:
            self._doubted = True
            self._loop.call_later(SETTLE_S, self._look_again)

    def _look_again(self) -> None:
        self._doubted = False
        try:
            self._sync()
            self._table = self._routes.read()
        except KernelError as error:
            self._say(str(error))
        self._turn()

    def _poke(self) -> None:
        """From the thread that follows the API server."""
        self._loop.call_soon_threadsafe(self._turn)

    def _rekey(self, keys: tuple[Key, ...]) -> None:
        incarnation, cluster = self._config.incarnation, self._settings.cluster
        self._config = Config(self._settings.name, incarnation, keys=keys, cluster=cluster)

    # --- what goes out

    def ways(self) -> dict[str, Way | None]:
        """The way of each virtual IP: what agents say, and where they say nothing what the API server says."""
        now = time.monotonic()
        heard = self._hearing.look(now) if self._settings.interfaces else {}
        if self._api is None:
            return heard
        told = self._api.ways(self._lans, self._table.routes)
        return joined(heard, self._hearing.spoken_of(now), told, self._table.routes)

    def _follow(self) -> None:
        """The kernel follows what is known; then sleep until time alone may change that."""
        wanted = self.ways()
        try:
            for _ in range(TRIES):
                steps, after = groups.plan(self._table, self._refusals.without(time.monotonic(), wanted))
                if not steps or self._apply(steps, after):
                    break
        except KernelError as error:
            self._say(str(error))
            self._loop.call_later(RETRY_S, self._doubt)
        self._refusals.done(self._table, wanted)
        self._sleep()

    def _apply(self, steps: Steps, after: Table) -> bool:
        """Carry them out; False: not all was taken, so without that another plan is needed."""
        applied = self._routes.apply(steps, self._table, after)
        self._say(applied.left)
        if applied.refused:
            if fresh := self._refusals.add(time.monotonic(), applied.refused):
                log.error("kernel refused", detail=f"{fresh}; goes on without, and tries again")
            after = self._routes.read()
        for vip, at in after.routes.items():
            before, now = _named(self._table, vip), _named(after, vip)
            if before != now:
                log.info("route changed", vip=vip, to=now, group=at if isinstance(at, int) else None)
        self._table = after
        self._metrics.changed(after)
        return not applied.refused

    def _sleep(self) -> None:
        now = time.monotonic()
        self._due_at = min(self._hearing.next_deadline(now), self._refusals.next_at(now))
        if self._timer is not None:
            self._timer.cancel()
        if self._due_at < float("inf"):
            self._timer = self._loop.call_later(self._due_at - now, self._turn)

    async def _ask(self) -> None:
        while True:
            self._lan.ask(self._config, self._hearing.hears)
            await asyncio.sleep(ASK_S)

    async def _audit(self) -> None:
        while True:
            await asyncio.sleep(AUDIT_S)
            self._doubt()

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            log.error("kernel refused", detail=trouble)
        self._trouble = trouble

    def document(self) -> dict[str, Any]:
        """For ``vipa-router status``."""
        return {
            "name": self._settings.name,
            "version": __version__,
            "interfaces": list(self._settings.interfaces),
            "resilient": self._routes.resilient,
            "nodes": self._hearing.live(time.monotonic()),
            "trouble": "; ".join(filter(None, (self._trouble, self._refusals.told()))),
            "reports": dict(self._results),
            "virtualIPs": [{"address": vip, "to": _named(self._table, vip)} for vip in sorted(self._table.routes)],
        }


def _named(table: Table, vip: str) -> list[str] | str:
    """Next hops of a virtual IP's route; or the word for how it ends, "" for no route."""
    at = table.routes.get(vip, "")
    return [hop.address for hop in table.groups[at]] if isinstance(at, int) else str(at)
