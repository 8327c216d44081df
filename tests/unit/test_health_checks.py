"""The agent's health checks: what follows from answers, and what is asked of real servers on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from unit.fakes.served import HOST, PATIENT_S, free_port, in_loop, served, silent
from vipa.election.config import Config
from vipa.election.elector import Elector
from vipa.election.events import ChecksChanged, InterfacesChanged, LocalInterface, PlanChanged
from vipa.plan import CheckKind, Endpoint, HealthCheck, Plan, PlannedVip
from vipa_agent import healthchecks
from vipa_agent.healthchecks import HealthChecks, Job


def answers(check: HealthCheck, given: str) -> str:
    """What is known after each answer: + passes, - fails; ? is not known."""
    job, known = Job(check), ""
    for each in given:
        job.take("" if each == "+" else "refused")
        known += {None: "?", True: "+", False: "-"}[job.passing]
    return known


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("+", "+"),
        ("---", "??-"),
        ("--+", "??+"),  # unknown is not failing, and the first pass says it all
        ("+--+---", "+++++" + "+-"),
        ("---+-++", "??---" + "-+"),
        ("---+-+-", "??-----"),
    ],
)
def test_three_failures_in_a_row_begin_a_failure_and_two_passes_end_it(given: str, known: str) -> None:
    assert answers(HealthCheck(CheckKind.TCP, 443), given) == known


def test_rise_and_fall_are_as_asked_for() -> None:
    assert answers(HealthCheck(CheckKind.TCP, 443, rise=1, fall=1), "+-+-") == "+-+-"
    assert answers(HealthCheck(CheckKind.TCP, 443, rise=3, fall=2), "+--++-+++") == "++------+"


def test_another_reason_to_fail_is_news() -> None:
    job = Job(HealthCheck(CheckKind.TCP, 443, fall=1))
    assert job.take("connection refused")
    assert not job.take("connection refused")
    assert job.take("no answer within 1 s")
    assert (job.passing, job.why) == (False, "no answer within 1 s")


# --- all of it


class Around:
    """An elector with virtual IPs on the LAN of a server, and its checks; ``heard``: what the election was told."""

    def __init__(self, *checks: HealthCheck, vips: int = 1) -> None:
        self.elector = Elector(Config("w1", 1, insecure=True))
        self.heard: list[ChecksChanged] = []
        self.elector.step(1.0, InterfacesChanged((LocalInterface("lo", "52:54:00:00:00:01", (f"{HOST}/8",)),)))
        self.plan(*checks, vips=vips)
        self.health = HealthChecks(self.elector, self._told)

    def plan(self, *checks: HealthCheck, vips: int = 1) -> None:
        end = (Endpoint(HOST, "w1", "lo"),)
        planned = [PlannedVip(f"v{n}", (f"127.1.{n >> 8}.{n & 255}",), end, checks=checks) for n in range(vips)]
        self.elector.step(1.0, PlanChanged(Plan(0, tuple(planned))))

    def _told(self, event: ChecksChanged) -> None:
        self.heard.append(event)
        self.elector.step(1.0, event)

    @property
    def verdicts(self) -> set[str]:
        return {vip.verdict.value for vip in self.elector.node.vips.values()}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.health.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.sleep(0.01)  # questions under way end in the loop's next turns

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENT_S):
            while not done():
                assert not self.elector.node.vips or len(self.verdicts) == 1
                await asyncio.sleep(0.01)


def quick(port: int) -> HealthCheck:
    return HealthCheck(CheckKind.TCP, port, interval_s=0.1, timeout_s=PATIENT_S)


@in_loop
async def test_a_program_that_dies_and_returns_is_followed() -> None:
    port = free_port()
    around = Around(quick(port))
    assert around.verdicts == {"Unknown"}
    async with around.running():
        await around.until(lambda: around.verdicts == {"Failing"})
        assert list(around.heard[-1].failing.values()) == ["connection refused"]
        async with served(silent, port=port):
            await around.until(lambda: around.verdicts == {"Passing"})
        await around.until(lambda: around.verdicts == {"Failing"})
    assert len(around.heard) == 3


@in_loop
async def test_what_thousands_ask_is_asked_once() -> None:
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1

    async with served(count) as port:
        around = Around(HealthCheck(CheckKind.TCP, port, interval_s=3600.0, timeout_s=PATIENT_S), vips=2000)
        async with around.running():
            await around.until(lambda: around.verdicts == {"Passing"})
            await asyncio.sleep(2 * healthchecks.FOLLOW_S)
    assert connections == 1
    assert len(around.heard) == 1


@in_loop
async def test_one_failing_check_of_several_is_enough() -> None:
    async with served(silent) as port:
        around = Around(quick(port), quick(free_port()))
        async with around.running():
            await around.until(lambda: around.verdicts == {"Failing"})
    assert len(around.heard[-1].passing) == 1


@in_loop
async def test_the_loopback_address_is_asked_where_wanted() -> None:
    async with served(silent) as port:
        around = Around(HealthCheck(CheckKind.TCP, port, loopback=True, interval_s=0.1, timeout_s=PATIENT_S))
        async with around.running():
            await around.until(lambda: around.verdicts == {"Passing"})


@in_loop
async def test_what_is_asked_follows_the_plan() -> None:
    async with served(silent) as port:
        around = Around(quick(free_port()))
        async with around.running():
            await around.until(lambda: around.verdicts == {"Failing"})
            around.plan(quick(port))
            assert around.verdicts == {"Unknown"}
            await around.until(lambda: around.verdicts == {"Passing"})
            around.plan()
            assert around.verdicts == {"Passing"}


@in_loop
async def test_an_interface_that_is_down_is_not_asked() -> None:
    around = Around(quick(free_port()))
    gone = LocalInterface("lo", "52:54:00:00:00:01", (f"{HOST}/8",), up=False)
    around.elector.step(2.0, InterfacesChanged((gone,)))
    async with around.running():
        await asyncio.sleep(0.5)
    assert around.verdicts == {"Unknown"}


@in_loop
async def test_an_address_without_a_link_is_asked_only_where_there_is_no_other() -> None:
    async with served(silent) as port:
        around = Around(quick(port))
        links = [LocalInterface(f"lo{n}", "52:54:00:00:00:01", (f"127.0.0.{n}/8",), carrier=n == 1) for n in (0, 1)]
        ends = tuple(Endpoint(f"127.0.0.{n}", "w1", f"lo{n}") for n in (0, 1))
        vip = PlannedVip("v", ("127.1.0.0",), ends, checks=(quick(port),))
        around.elector.step(2.0, InterfacesChanged(tuple(links)))
        around.elector.step(2.0, PlanChanged(Plan(0, (vip,))))
        async with around.running():
            await around.until(lambda: around.verdicts == {"Passing"})


@in_loop
async def test_a_program_that_never_answers_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """More silent ones than may be asked at once: the one that answers is still found to pass."""
    monkeypatch.setattr(healthchecks, "AT_ONCE_MAX", 2)
    hanging = [socket.create_server((HOST, 0)) for _ in range(4)]
    try:
        async with served(silent) as port:
            silents = [
                HealthCheck(CheckKind.HTTP, s.getsockname()[1], "/", interval_s=0.1, timeout_s=0.2) for s in hanging
            ]
            around = Around(*silents, quick(port))
            async with around.running():
                await around.until(
                    lambda: bool(around.heard) and any(c.port == port for _, c in around.heard[-1].passing)
                )
    finally:
        for sock in hanging:
            sock.close()
