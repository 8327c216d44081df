"""Asks what the virtual IPs' health checks want to know, and tells the election what it learns.

What many virtual IPs ask is asked once: a job is one check on one LAN. All of it happens between the election's turns:
connections are waited for, never blocked on, few at a time, and seldom enough to be no burden.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from vipa.election.elector import Elector
from vipa.election.events import ChecksChanged
from vipa.election.health import LocalEndpoint
from vipa.plan import HealthCheck
from vipa.reasons import Reason
from vipa_agent.healthask import ask

log = structlog.get_logger()

FOLLOW_S: Final = 0.5
"""How often plan and interfaces are looked at: as often as the agent's audit. Only seconds later could a new check say
that something fails."""

QUICK_S: Final = 0.2
"""From one question to the next while nothing is known yet: with the default ``fall`` a program that is not there is
known half a second after the agent's start."""

AT_ONCE_MAX: Final = 16
"""Questions under way at a time: programs that do not answer must not cost a node its file descriptors."""

PER_SECOND_MAX: Final = 50.0
"""Questions in all; each keeps the loop busy for about 0.3 ms, so this is 1.5 % of a core. Where checks want more, all
of them wait longer."""

Key = tuple[str, HealthCheck]
"""Network of the LAN, and the check."""

_USABLE: Final = frozenset({Reason.HEALTHY, Reason.LINK_DOWN})
"""What the kernel says of an interface whose own address is answered on this node, cable or not."""


@dataclass(slots=True)
class Job:
    """What is known of one check. ``passing``: None while it is not known; ``streak``: answers in a row that say
    otherwise; ``why``: what was wrong last."""

    check: HealthCheck
    passing: bool | None = None
    streak: int = 0
    why: str = ""

    def take(self, why: str) -> bool:
        """One more answer, "" when it passes. Returns whether there is something new to tell."""
        passes = not why
        if passes is self.passing:
            news = why != self.why  # it still fails, but otherwise
            self.streak, self.why = 0, why
            return news
        self.streak += 1
        needed = self.check.fall if not passes else 1 if self.passing is None else self.check.rise
        if self.streak < needed:
            return False
        self.passing, self.why, self.streak = passes, why, 0
        return True


@dataclass(slots=True)
class _Running:
    job: Job
    task: asyncio.Task[None] = field(repr=False)


class HealthChecks:
    """``told`` is called with all that is known whenever some of it changed."""

    def __init__(self, elector: Elector, told: Callable[[ChecksChanged], None]) -> None:
        self._node = elector.node
        self._told = told
        self._running: dict[Key, _Running] = {}
        self._free = asyncio.Semaphore(AT_ONCE_MAX)
        self._stretch = 1.0

    async def run(self) -> None:
        """Until cancelled: follow what plan and interfaces want asked."""
        try:
            while True:
                self._follow()
                await asyncio.sleep(FOLLOW_S)
        finally:
            for running in self._running.values():
                running.task.cancel()

    def _follow(self) -> None:
        node = self._node
        wanted = {
            (network, check)
            for vip in node.vips.values()
            if vip.plan.checks and (network := node.network(vip))
            for check in vip.plan.checks
        }
        for key in self._running.keys() - wanted:
            self._running.pop(key).task.cancel()
        for key in wanted - self._running.keys():
            job = Job(key[1])
            self._running[key] = _Running(job, asyncio.create_task(self._repeat(key, job)))
        self._stretch = max(1.0, sum(1 / check.interval_s for _, check in wanted) / PER_SECOND_MAX)
        for running in self._running.values():
            if running.task.done():
                running.task.result()

    async def _repeat(self, key: Key, job: Job) -> None:
        loop = asyncio.get_running_loop()
        while True:
            started_s = loop.time()
            host = self._host(key)
            if host:
                async with self._free:
                    why = await ask(job.check, host)
                if job.take(why):
                    self._news(key, job, host)
            interval_s = job.check.interval_s if job.passing is not None else min(QUICK_S, job.check.interval_s)
            # from start to start; an answer that took longer is followed by the next question at once
            await asyncio.sleep(max(started_s + interval_s * self._stretch - loop.time(), 0.0))

    def _host(self, key: Key) -> str:
        """Where to ask; "" when there is no such address now: then what is known stays."""
        network, check = key
        if check.loopback:
            return "::1" if ":" in network else "127.0.0.1"
        there = [e for e in self._node.health.endpoints.values() if _is_there(e, network)]
        return min(((e.kernel is not Reason.HEALTHY, e.address) for e in there), default=(True, ""))[1]

    def _news(self, key: Key, job: Job, host: str) -> None:
        if job.passing:
            log.info("health check passes", check=str(job.check), host=host)
        else:
            log.warning("health check fails", check=str(job.check), host=host, detail=job.why)
        known = {key: running.job for key, running in self._running.items()}
        self._told(
            ChecksChanged(
                failing={key: job.why for key, job in known.items() if job.passing is False},
                passing=frozenset(key for key, job in known.items() if job.passing),
            )
        )


def _is_there(endpoint: LocalEndpoint, network: str) -> bool:
    return endpoint.network == network and endpoint.kernel in _USABLE
