"""The Kubernetes API as a source of plans: the agent's own VirtualIPNode, and what is done about each thing it can say.

The plan in force stays in force until the object itself says otherwise. Neither an unreachable API, nor a deleted
object, nor an object that its operator has not written yet takes an address away: docs/design/0006-agent-api.md.
"""

import asyncio
import gc
import importlib
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from vipa.plan import Plan
from vipa_agent.sources.api import lastplan
from vipa_agent.sources.api.backoff import UNREACHABLE_MAX_S, Backoff
from vipa_agent.sources.api.config import ApiConfig
from vipa_agent.sources.api.course import Course
from vipa_agent.sources.api.freshness import BELIEVE_S, Freshness, Verdict
from vipa_agent.sources.api.objects import NodeObject, plan_in
from vipa_agent.sources.api.reflector import Reflector
from vipa_agent.sources.api.reporter import Reporter
from vipa_agent.sources.source import Document, Take

if TYPE_CHECKING:
    from vipa_agent.sources.api.client import ApiClient, Bounds

log = structlog.get_logger()

CLIENT: Final = "vipa_agent.sources.api.client"
"""Imported when it is needed: it brings aiohttp."""


class AgentFault(Exception):
    """The agent failed while it took a plan: no business of the API's."""


class ApiSource:
    """``heard`` is called, on the loop, whenever the API said anything."""

    def __init__(
        self, config: ApiConfig, node: str, state_dir: Path, heard: Callable[[], None], bounds: "Bounds | None" = None
    ) -> None:
        self._config = config
        self._node = node
        self._state_dir = state_dir
        self._boot = lastplan.boot_id()
        self._unusable = ""
        self._heard = heard
        self._bounds = bounds
        self._freshness = Freshness()
        self._plan: Plan | None = None
        self._served = ("", 0)
        self._chance = random.SystemRandom().random  # seeded alike, a thousand agents would wait alike
        self._reporter: Reporter | None = None
        self._refused: frozenset[str] = frozenset()
        self._take: Take | None = None
        self._reflector: Reflector | None = None

    def first(self) -> Plan | None:
        """The plan kept from before. Why there is none is said once: it is looked for twice."""
        try:
            kept = lastplan.load(self._state_dir, self._node, self._boot)
        except lastplan.LastPlanError as error:
            if str(error) != self._unusable:
                say = log.info if isinstance(error, lastplan.OtherBootError) else log.warning
                say("last plan not used", detail=str(error))
            self._unusable = str(error)
            return None
        if kept is None:
            return None
        self._freshness.taken(kept.uid, kept.plan.epoch)
        self._plan = kept.plan
        return kept.plan

    async def run(self, take: Take, document: Document) -> None:
        """See Source. Whatever goes wrong with the API is said and tried again: it must not end an agent that serves.
        What goes wrong in the agent itself must."""
        self._take = take
        await self._again()
        module = await asyncio.to_thread(importlib.import_module, CLIENT)
        gc.freeze()  # as at the start: a collection of what stays would stop the loop
        while True:
            try:
                async with module.ApiClient(self._config, self._node, self._bounds) as client:
                    await self._follow(client, document)
            except* AgentFault:
                raise
            except* Exception:
                log.exception("following the API failed: beginning anew")
                await asyncio.sleep(UNREACHABLE_MAX_S)

    def changed(self) -> None:
        """See Source."""
        if self._reporter is not None:
            self._reporter.changed()

    async def last_word(self) -> None:
        """See Source."""
        if self._reporter is not None:
            await self._reporter.last_word()

    async def _follow(self, client: "ApiClient", document: Document) -> None:
        self._reporter = Reporter(client, document, Backoff(self._chance))
        course = Course(Backoff(self._chance))
        self._reflector = Reflector(client, self._node, course, self._chance, self._seen, self._heard)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reflector.run())
            group.create_task(self._reporter.run())

    async def _again(self) -> None:
        """The agent before this one may have kept a newer plan while it was asked to yield."""
        served, uid, epoch = self._plan, self._freshness.uid, self._freshness.epoch
        newer = await asyncio.to_thread(self.first)
        if self._take is None or newer is None or newer == served:
            return
        if served is not None and self._freshness.epoch <= epoch:
            self._plan = served
            self._freshness.taken(uid, epoch)
        else:
            self._take(newer)

    async def _seen(self, node: NodeObject | None) -> None:
        """One state of the object, from a list or a watch."""
        if self._reporter is not None:
            self._reporter.observed(node)
        if node is None:
            if self._plan is not None and self._freshness.uid:
                log.warning("VirtualIPNode is gone: serving on by the last plan", epoch=self._freshness.epoch)
            return
        uid, epoch = node.metadata.uid, node.spec.epoch
        if (uid, node.metadata.generation) == self._served:
            return  # only the status changed, mostly by ourselves
        match self._freshness.judge(uid, epoch, time.monotonic()):
            case Verdict.UNPLANNED:
                log.info("VirtualIPNode has no plan yet")
            case Verdict.OLD:
                log.warning("older plan not taken", epoch=epoch, serving=self._freshness.epoch)
                if self._reflector is not None:
                    asyncio.get_running_loop().call_later(BELIEVE_S, self._reflector.relist)
            case Verdict.TAKE:
                if await self._take_plan(uid, await asyncio.to_thread(plan_in, node, self._plan)):
                    self._served = (uid, node.metadata.generation)

    async def _take_plan(self, uid: str, plan: Plan) -> bool:
        refused = frozenset(f"{r.name}: {r.message}" for r in plan.refusals)
        for problem in sorted(refused - self._refused):
            log.error("assignment refused", detail=problem)
        self._refused = refused
        try:
            if self._take is None or not self._take(plan):
                return False
        except Exception as error:
            raise AgentFault("the agent failed over a plan") from error
        known = (self._freshness.uid, self._plan)
        self._freshness.taken(uid, plan.epoch)
        self._plan = plan
        if (uid, plan) != known:
            try:
                kept = lastplan.Kept(uid, plan)
                await asyncio.to_thread(lastplan.save, self._state_dir, self._node, self._boot, kept)
            except OSError as error:
                log.warning("plan not kept for a restart", detail=f"{error.filename}: {error.strerror}")
        return True
