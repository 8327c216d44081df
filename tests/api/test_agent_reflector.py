"""The agent's API source, in the test's own process, against a real API server that also says 410, 429 and 403.

A proxy in front of the server makes the faults; what the source takes as plans and writes as status is looked at.
"""

import asyncio
import selectors
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from vipa.plan import Endpoint, Plan, PlannedVip
from vipa.resources.node import VirtualIPNodeStatus
from vipa_agent.sources.api import lastplan
from vipa_agent.sources.api.client import Bounds
from vipa_agent.sources.api.config import ApiConfig, from_kubeconfig
from vipa_agent.sources.api.source import ApiSource
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.faultproxy import FaultProxy
from vipa_lab.kube.onenode import NODES, OneNode

SOON_S: Final = 90.0
# After 410 agents spread their lists over a second, so that there are two per second.
LISTS_PER_S: Final = 10
LISTS_AT_ONCE: Final = 20
QUICK: Final = Bounds(silent_s=3.0)
"""As the agent's own bounds, but a test does not wait 70 s to see a dead watch noticed."""


def vip(last: int = 7, nodes: tuple[str, ...] = ("w1", "w2")) -> PlannedVip:
    succession = tuple(Endpoint(f"10.1.1.{4 + i}", node, "eth1") for i, node in enumerate(nodes))
    return PlannedVip(f"vip-{last}", (f"10.1.1.{last}",), succession)


class Agent:
    """Stands where the agent stands: takes plans, has something to report."""

    def __init__(self, source: ApiSource) -> None:
        self.source = source
        self.plans: list[Plan] = []
        self.document = VirtualIPNodeStatus(node="w1")

    def take(self, plan: Plan) -> bool:
        self.plans.append(plan)
        self.report(epoch=plan.epoch)
        return True

    async def current(self) -> VirtualIPNodeStatus:
        return self.document

    def report(self, **change: object) -> None:
        self.document = msgspec.structs.replace(self.document, **change)
        self.source.changed()

    def epochs(self) -> list[int]:
        return [plan.epoch for plan in self.plans]


def kept_epoch(state_dir: Path) -> int:
    kept = lastplan.load(state_dir, "w1", lastplan.boot_id())
    return kept.plan.epoch if kept else -1


async def until(condition: Callable[[], object], what: str, timeout_s: float = SOON_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def running(config: ApiConfig, state_dir: Path, bounds: Bounds = QUICK) -> AsyncIterator[Agent]:
    source = ApiSource(config, "w1", state_dir, lambda: None, bounds)
    agent = Agent(source)
    first = source.first()
    if first is not None:
        agent.take(first)
    task = asyncio.create_task(source.run(agent.take, agent.current))
    try:
        yield agent
        assert not task.done(), "the source must never end by itself"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Loop(asyncio.SelectorEventLoop):
    """One whose open connections can be counted."""

    def __init__(self) -> None:
        self.files = selectors.DefaultSelector()
        super().__init__(self.files)


def play(story: Coroutine[Any, Any, None]) -> None:
    """Run it, and let connections end: those of TLS do so after their session was closed (aiohttp, "Graceful
    shutdown"), and unended they are warnings."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(story)
        loop = runner.get_loop()
        assert isinstance(loop, Loop)
        # What is left is what wakes the loop itself.
        runner.run(until(lambda: len(loop.files.get_map()) <= 1, "all connections have ended"))


def test_a_plan_arrives_is_kept_and_status_is_written_only_on_change(api: ApiServer, tmp_path: Path) -> None:
    operator = OneNode(api)

    async def story() -> None:
        async with running(from_kubeconfig(api.admin), tmp_path) as agent:
            await asyncio.sleep(0.5)
            assert agent.plans == []
            operator.create()
            await until(lambda: operator.status().get("node") == "w1", "reported before there is any plan")
            assert agent.plans == [], "an object without a plan is no plan of nothing"
            operator.write(Plan(3, (vip(),)))
            await until(lambda: agent.plans == [Plan(3, (vip(),))], "the plan arrives")
            await until(lambda: operator.status().get("epoch") == 3, "and is reported")
            version = operator.version()
            for _ in range(20):
                agent.source.changed()  # nothing that is reported
                await asyncio.sleep(0.1)
            assert operator.version() == version, "written although nothing changed"
            agent.report(held=("vip-7",))
            await until(lambda: operator.status().get("held") == ["vip-7"], "what is held")
            agent.report(held=())
            await until(lambda: not operator.status().get("held"), "and what no longer is")
            operator.write(Plan(4))
            await until(lambda: agent.plans[-1] == Plan(4), "an empty plan is a plan")
            await until(lambda: kept_epoch(tmp_path) == 4, "and kept")
        async with running(ApiConfig("http://127.0.0.1:1"), tmp_path) as restarted:
            assert restarted.plans == [Plan(4)]

    play(story())


def test_many_changes_are_few_writes(api: ApiServer, tmp_path: Path) -> None:
    operator = OneNode(api)
    operator.write(Plan(1, (vip(),)))

    async def story(proxy: FaultProxy) -> None:
        async with running(ApiConfig(proxy.url), tmp_path) as agent:
            await until(lambda: operator.status().get("epoch") == 1, "the first")
            before, began_s = len(proxy.asked("patch")), time.monotonic()
            for number in range(100):
                agent.report(epoch=number + 2)
                await asyncio.sleep(0.02)
            await until(lambda: operator.status().get("epoch") == 101, "the last")
            writes, took_s = len(proxy.asked("patch")) - before, time.monotonic() - began_s
            assert writes <= took_s + 2, f"{writes} writes in {took_s:.1f} s"

    with FaultProxy(api) as proxy:
        play(story(proxy))


def test_a_watch_that_dies_in_silence_is_noticed(api: ApiServer, tmp_path: Path) -> None:
    operator = OneNode(api)
    operator.write(Plan(1, (vip(),)))

    async def story(proxy: FaultProxy) -> None:
        async with running(ApiConfig(proxy.url), tmp_path) as agent:
            await until(lambda: proxy.asked("watch"), "it watches")
            proxy.silence()
            operator.write(Plan(2, (vip(8),)))
            await asyncio.sleep(QUICK.silent_s / 2)
            assert agent.epochs() == [1]
            proxy.silent.clear()  # the dead connection stays dead, new ones live
            await until(lambda: agent.epochs() == [1, 2], "what was said meanwhile")

    with FaultProxy(api) as proxy:
        play(story(proxy))


def test_410_is_a_new_list_and_what_was_deleted_meanwhile_is_no_ghost(api: ApiServer, tmp_path: Path) -> None:
    operator = OneNode(api)
    operator.write(Plan(5, (vip(),)))

    async def story(proxy: FaultProxy) -> None:
        async with running(ApiConfig(proxy.url), tmp_path) as agent:
            await until(lambda: operator.status().get("epoch") == 5 and proxy.asked("watch"), "it watches")
            began_s = time.monotonic()
            proxy.refuse("watch", 410)
            proxy.break_off()
            await until(lambda: len(proxy.asked("watch", 410)) >= 2, "410")
            await until(lambda: len(proxy.asked("list")) >= 3, "listed anew each time")
            operator.delete()
            lists = len(proxy.asked("list"))
            await until(lambda: len(proxy.asked("list")) > lists, "a list without the object")
            assert agent.epochs()[-1] == 5, "a deleted object takes no address away"
            operator.write(Plan(1, (vip(9),)))  # another object of the same name: its epochs begin anew
            proxy.heal()
            await until(lambda: agent.plans[-1] == Plan(1, (vip(9),)), "the new object's plan")
            await until(lambda: operator.status().get("epoch") == 1, "and its status")
            took_s = time.monotonic() - began_s
            assert len(proxy.asked("list")) <= LISTS_PER_S * took_s + LISTS_AT_ONCE, "a crowd of lists"

    with FaultProxy(api) as proxy:
        play(story(proxy))


def test_a_watch_from_before_a_restart_gets_a_real_410(frail_api: ApiServer, tmp_path: Path) -> None:
    api = frail_api
    operator = OneNode(api)
    operator.write(Plan(5, (vip(),)))

    async def story(proxy: FaultProxy) -> None:
        async with running(ApiConfig(proxy.url), tmp_path, Bounds()) as agent:
            await until(lambda: operator.status().get("epoch") == 5 and proxy.asked("watch"), "it watches")
            proxy.silence()
            await asyncio.to_thread(api.restart)
            for epoch in range(6, 10):
                operator.write(Plan(epoch, (vip(),)))
            # From now on the server knows what it has: before, it may ask for patience instead.
            assert operator.rest.ask("GET", NODES)[0] == 200
            lists, watches = len(proxy.asked("list")), len(proxy.log)
            proxy.heal()
            proxy.break_off()
            await until(lambda: agent.epochs()[-1] == 9, "what history no longer tells")
            since = [(each.verb, each.status) for each in proxy.log[watches:] if each.verb != "patch"]
            assert since[:2] in ([("watch", 200), ("list", 200)], [("watch", 410), ("list", 200)]), since
            assert agent.epochs() == [5, 9]
            assert len(proxy.asked("list")) == lists + 1

    with FaultProxy(api) as proxy:
        play(story(proxy))


def test_429_is_waited_out_as_long_as_the_server_says(api: ApiServer, tmp_path: Path) -> None:
    operator = OneNode(api)
    operator.write(Plan(1, (vip(),)))

    async def story(proxy: FaultProxy) -> None:
        for verb in ("list", "patch"):
            proxy.refuse(verb, 429, Retry_After="2")
        async with running(ApiConfig(proxy.url), tmp_path) as agent:
            await until(lambda: len(proxy.asked("list", 429)) >= 2, "asked again")
            first, second = (each.at_s for each in proxy.asked("list", 429)[:2])
            assert second - first >= 2.0
            proxy.heal()
            proxy.refuse("patch", 429, Retry_After="2")
            await until(lambda: agent.epochs() == [1], "the plan")
            await until(lambda: len(proxy.asked("patch", 429)) >= 2, "written again")
            first, second = (each.at_s for each in proxy.asked("patch", 429)[:2])
            assert second - first >= 2.0
            proxy.heal()
            await until(lambda: operator.status().get("epoch") == 1, "the status")

    with FaultProxy(api) as proxy:
        play(story(proxy))


def test_403_changes_nothing_and_ends_when_the_right_is_given(api: ApiServer, tmp_path: Path) -> None:
    operator = OneNode(api)
    operator.write(Plan(1, (vip(),)))

    async def story(proxy: FaultProxy) -> None:
        async with running(ApiConfig(proxy.url), tmp_path) as agent:
            await until(lambda: operator.status().get("epoch") == 1 and proxy.asked("watch"), "all is well")
            for verb in ("list", "watch", "patch"):
                proxy.refuse(verb, 403)
            proxy.break_off()
            await until(lambda: len(proxy.asked("list", 403)) >= 2, "refused")
            assert agent.epochs() == [1]
            operator.write(Plan(2, (vip(),)))
            proxy.heal()
            await until(lambda: operator.status().get("epoch") == 2, "all is well again")

    with FaultProxy(api) as proxy:
        play(story(proxy))


def test_an_older_plan_of_the_same_object_is_not_taken(api: ApiServer, tmp_path: Path) -> None:
    """The server's own rule forbids to write one, so the kept plan is made newer than the object."""
    operator = OneNode(api)
    operator.write(Plan(3, (vip(),)))
    boot = lastplan.boot_id()

    async def story() -> None:
        async with running(from_kubeconfig(api.admin), tmp_path) as agent:
            await until(lambda: agent.epochs() == [3] and lastplan.load(tmp_path, "w1", boot), "the plan, kept")
        kept = lastplan.load(tmp_path, "w1", boot)
        assert kept is not None
        lastplan.save(tmp_path, "w1", boot, lastplan.Kept(kept.uid, Plan(8, (vip(8),))))
        async with running(from_kubeconfig(api.admin), tmp_path) as agent:
            await until(lambda: operator.status().get("epoch") == 8, "what is served is reported")
            await asyncio.sleep(1.0)
            assert agent.epochs() == [8]

    play(story())
