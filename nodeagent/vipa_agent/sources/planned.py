"""The folder of manifests as a source of plans: read, judged and planned by each node for itself."""

import asyncio
from pathlib import Path

import structlog

from vipa.plan import Plan
from vipa.planner import plan, world_of
from vipa_agent.sources.folder import Manifests
from vipa_agent.sources.source import Document, Take
from vipa_agent.sources.watch import changes

log = structlog.get_logger()


class FolderSource:
    """A folder hears nothing: there is nobody to report to."""

    def __init__(self, folder: Path) -> None:
        self._manifests = Manifests(folder)
        self._problems: frozenset[str] = frozenset()

    def first(self) -> Plan:
        """Read the folder, say what is wrong with it, plan."""
        loaded = self._manifests.load()
        planned = plan(world_of(loaded.objects, loaded.refused))
        problems = frozenset(str(p) for p in loaded.problems) | frozenset(
            f"{r.kind} {r.name}: {r.reason}: {r.message}" for r in planned.refusals if r not in loaded.refused
        )
        for problem in sorted(problems - self._problems):
            log.error("manifest refused", detail=problem)
        self._problems = problems
        return planned

    async def run(self, take: Take, document: Document) -> None:
        """See Source."""
        async for _ in changes(self._manifests.folder):
            # 2,000 VIPs take half a second to read and plan: longer than the permit may go without a tick
            take(await asyncio.to_thread(self.first))

    def changed(self) -> None:
        """See Source."""

    async def last_word(self) -> None:
        """See Source."""
