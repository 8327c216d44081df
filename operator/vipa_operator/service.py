"""The running operator: watch, collect, reconcile, write. All state is in the store; all of it may be done twice."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import structlog

from vipa_operator.api import PATHS, Api
from vipa_operator.clock import boottime_s, wall
from vipa_operator.debounce import Debounce
from vipa_operator.errors import ApiError, UnreachableError
from vipa_operator.eventing import Events
from vipa_operator.ghosts import lay_ghosts, missing
from vipa_operator.health import HealthServer
from vipa_operator.leader import Leader
from vipa_operator.login import Connection, login
from vipa_operator.metrics import Metrics
from vipa_operator.reconcile import Key, Kind, Reconciler
from vipa_operator.settings import Settings
from vipa_operator.store import Store
from vipa_operator.watching import Watching
from vipa_operator.writer import Writer

log = structlog.get_logger()

GHOSTS_S: Final = 60.0
"""How long an object that went away unseen may live on. A list of 10,000 names costs the API server some 50 ms."""
RELISTED_S: Final = 1.0
"""The same after a watch was begun anew with a list: that is when something may have been missed."""
SYNC_S: Final = 0.5
"""How often is looked whether the first lists have all come in."""
GOODBYE_S: Final = 5.0
"""Longest wait for writes under way when asked to stop."""


class Service:
    """One replica. ``run`` returns when ``stop`` is set; it raises what it cannot go on after."""

    def __init__(self, chosen: Settings) -> None:
        self._chosen = chosen
        self._store = Store()
        self._metrics = Metrics()
        self._debounce = Debounce()
        self._wake = asyncio.Event()
        self._api = Api(self._login)
        self._leader = Leader(self._api, chosen.namespace, chosen.name, self._led)
        self._writer = Writer(
            self._api,
            self._store,
            Events(self._api, chosen.name),
            self._leader.leads,
            self._changed,
            self._metrics.writes.inc,
        )
        self._reconciler = Reconciler()
        self._synced: set[Kind] = set()
        self._relisted: set[Kind] = set()
        self._term = 0
        self._fresh_in = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until asked to stop; then write what is under way, and give the lease back."""
        self._login()  # what is wrong from the beginning is said and ends the program
        health = HealthServer(self._metrics.registry, self._why_not_ready)
        port = await health.start(*self._chosen.listen)
        log.info("started", replica=self._chosen.name, port=port)
        watching = Watching(self._login, self._took)
        jobs = [asyncio.create_task(job) for job in (self._serve(watching), self._leader.run())]
        stopping = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait([stopping, *jobs], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (stopping, *jobs):
                task.cancel()
            await asyncio.gather(stopping, *jobs, return_exceptions=True)
            await self._goodbye()
            await watching.stop()
            await health.close()
            await self._api.close()
            log.info("stopped", replica=self._chosen.name)

    # --- jobs

    async def _serve(self, watching: Watching) -> None:
        await self._wait_for_crds()
        watching.start()
        await asyncio.gather(watching.ended(), self._lay_ghosts(), self._reconcile_for_ever())

    async def _wait_for_crds(self) -> None:
        """kopf looks once which resources there are; so wait until ours are."""
        while True:
            try:
                for path in PATHS.values():
                    await self._api.request("GET", f"{path}?limit=1", timeout_s=10.0)
            except (ApiError, UnreachableError) as error:
                log.warning("cannot watch yet", error=str(error))
                await asyncio.sleep(SYNC_S * 4)
            else:
                return

    async def _lay_ghosts(self) -> None:
        """First until everything is known, then now and then: compare what is known with what there is."""
        for kind in Kind:
            while await self._patiently(kind, self._is_missing) is not False:
                await asyncio.sleep(SYNC_S)
            self._synced.add(kind)
        log.info("everything listed", objects=len(self._store.cluster.keys()))
        self._changed()
        next_s = boottime_s() + GHOSTS_S
        while True:
            await asyncio.sleep(RELISTED_S)
            kinds, self._relisted = self._relisted, set()
            if boottime_s() >= next_s:
                kinds, next_s = set(Kind), boottime_s() + GHOSTS_S
            for kind in kinds:
                if await self._patiently(kind, self._lay_ghosts_of):
                    self._changed()

    async def _is_missing(self, kind: Kind) -> bool:
        return bool(await missing(self._api, self._store, kind))

    async def _lay_ghosts_of(self, kind: Kind) -> bool:
        return await lay_ghosts(self._api, self._store, kind)

    async def _patiently(self, kind: Kind, ask: Callable[[Kind], Awaitable[bool]]) -> bool | None:
        try:
            return await ask(kind)
        except (ApiError, UnreachableError) as error:
            log.warning("cannot compare with the API server", kind=kind, error=str(error))
            return None

    async def _reconcile_for_ever(self) -> None:
        while True:
            due_at = self._debounce.due_at()
            wait_s = max(due_at - boottime_s(), 0.0) if due_at is not None else None
            if wait_s is None or wait_s > 0:
                self._wake.clear()
                try:
                    async with asyncio.timeout(wait_s):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                continue
            await self._reconcile()

    async def _reconcile(self) -> None:
        if not self._leader.leads() or len(self._synced) < len(Kind):
            self._debounce.done(boottime_s(), boottime_s())
            return
        if self._fresh_in != self._term:
            await self._refresh()
            if self._fresh_in != self._term:
                return
        started = boottime_s()
        with self._metrics.plan.time():
            writes = self._reconciler.reconcile(self._store.cluster, self._store.take_changes(), wall())
        self._debounce.done(started, boottime_s())
        self._metrics.show(self._reconciler.count_states())
        self._writer.submit(writes)
        for key, due_in_s in writes.due_in_s.items():
            asyncio.get_running_loop().call_later(due_in_s + 0.05, self._look_again, key)

    async def _refresh(self) -> None:
        """New in the lead: see what the one before wrote last, which a watch may not have told yet. Epochs go on from
        there. A lead lost and won again during the list is another one, and lists again."""
        term = self._term
        try:
            for raw in await self._api.list(Kind.AGENT):
                self._store.put(Kind.AGENT, raw)
        except (ApiError, UnreachableError) as error:
            log.warning("cannot list what the nodes were told", error=str(error))
            await asyncio.sleep(SYNC_S)
            return
        self._reconciler = Reconciler()
        self._store.touch_all()
        self._fresh_in = term

    async def _goodbye(self) -> None:
        """Let what is under way end, then let another replica begin."""
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._writer.drain()
        except TimeoutError:
            log.warning("stopping with writes under way", writes=self._writer.busy)
            return
        await self._leader.resign()

    # --- what comes in

    def _login(self) -> Connection:
        return login(self._chosen.kubeconfig)

    def _took(self, kind: Kind, event: str | None, raw: Mapping[str, Any]) -> None:
        if event == "DELETED":
            changed = self._store.drop(kind, raw["metadata"]["name"], raw["metadata"].get("uid", ""))
        else:
            changed = self._store.put(kind, raw)
        if event is None and kind in self._synced:
            self._relisted.add(kind)
        if changed:
            self._changed()

    def _look_again(self, key: Key) -> None:
        self._store.touch(key)
        self._changed()

    def _changed(self) -> None:
        self._debounce.changed(boottime_s())
        self._wake.set()

    def _led(self, leads: bool) -> None:
        self._metrics.leader.set(leads)
        if leads:
            self._term += 1
            self._changed()
        else:
            self._writer.clear()
            self._metrics.hide()

    def _why_not_ready(self) -> str:
        if len(self._synced) < len(Kind):
            return f"not listed yet: {', '.join(k for k in Kind if k not in self._synced)}"
        return ""
