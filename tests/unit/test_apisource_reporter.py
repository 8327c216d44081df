"""When the status is written: on news, not on noise, and again whenever the API does not have it."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import msgspec

from vipa.resources.node import PathStatus, PeerStatus, VirtualIPNodeStatus
from vipa_agent.metrics import Metrics
from vipa_agent.sources.api.backoff import Backoff
from vipa_agent.sources.api.errors import Refused, Unreachable
from vipa_agent.sources.api.objects import NodeObject, decode_list
from vipa_agent.sources.api.reporter import EVERY_S, Reporter

SOON_S = 20.0


class Edge:
    """Stands where the API client stands: keeps what is written, or raises what is asked for."""

    def __init__(self) -> None:
        self.written: list[VirtualIPNodeStatus] = []
        self.fails: list[Exception] = []
        self.document = VirtualIPNodeStatus(node="w1")

    async def patch_status(self, body: bytes) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.written.append(msgspec.json.decode(json.dumps(json.loads(body)["status"]), type=VirtualIPNodeStatus))

    async def current(self) -> VirtualIPNodeStatus:
        return self.document


def node(uid: str = "u", status: VirtualIPNodeStatus | None = None) -> NodeObject:
    item = {"metadata": {"name": "w1", "uid": uid}, "status": json.loads(msgspec.json.encode(status)) if status else {}}
    listed = decode_list(json.dumps({"metadata": {"resourceVersion": "1"}, "items": [item]}).encode(), "w1")
    assert listed.node is not None
    return listed.node


def run(story: Callable[[Edge, Reporter], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        edge = Edge()
        reporter = Reporter(edge, edge.current, Backoff(lambda: 0.0))
        task = asyncio.create_task(reporter.run())
        try:
            await story(edge, reporter)
        finally:
            task.cancel()

    asyncio.run(all_of_it())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not condition():
            await asyncio.sleep(0.01)


def with_loss(permille: int) -> VirtualIPNodeStatus:
    return VirtualIPNodeStatus(node="w1", peers=(PeerStatus("w2", (PathStatus("eth1", "Up", permille),)),))


def test_nothing_is_written_before_there_is_an_object_and_once_there_is_one() -> None:
    async def story(edge: Edge, reporter: Reporter) -> None:
        reporter.changed()
        await asyncio.sleep(0.1)
        assert edge.written == []
        reporter.observed(node())
        await until(lambda: edge.written == [edge.document])
        for _ in range(3):
            reporter.changed()
            await asyncio.sleep(EVERY_S / 2)
        assert edge.written == [edge.document]

    run(story)


def test_loss_alone_is_noise_and_comes_along_with_news() -> None:
    async def story(edge: Edge, reporter: Reporter) -> None:
        edge.document = with_loss(0)
        reporter.observed(node())
        await until(lambda: len(edge.written) == 1)
        edge.document = with_loss(7)
        reporter.changed()
        await asyncio.sleep(EVERY_S * 1.5)
        assert len(edge.written) == 1
        edge.document = msgspec.structs.replace(with_loss(9), epoch=4)
        reporter.changed()
        await until(lambda: len(edge.written) == 2)
        assert edge.written[-1] == edge.document

    run(story)


def test_an_object_made_anew_or_restored_is_written_again() -> None:
    async def story(edge: Edge, reporter: Reporter) -> None:
        reporter.observed(node())
        await until(lambda: len(edge.written) == 1)
        reporter.observed(node(status=edge.document))
        await asyncio.sleep(EVERY_S * 1.2)
        assert len(edge.written) == 1, "the echo of what was written"
        reporter.observed(node(uid="other", status=edge.document))
        await until(lambda: len(edge.written) == 2)
        reporter.observed(node(uid="other", status=VirtualIPNodeStatus(node="w1", epoch=1)))
        await until(lambda: len(edge.written) == 3)

    run(story)


def test_what_fails_is_tried_again_and_a_missing_object_waited_for() -> None:
    async def story(edge: Edge, reporter: Reporter) -> None:
        edge.fails = [Unreachable("away"), Refused(503, "", 0.1), Refused(403, ""), Refused(404, "")]
        reporter.observed(node())
        await until(lambda: not edge.fails)
        reporter.changed()
        await asyncio.sleep(EVERY_S * 1.2)
        assert edge.written == [], "404: there is nothing to write to"
        reporter.observed(node(uid="new"))
        await until(lambda: edge.written == [edge.document])

    run(story)


def test_the_last_word_is_said_at_once_and_only_if_it_is_one() -> None:
    async def story(edge: Edge, reporter: Reporter) -> None:
        await reporter.last_word()
        reporter.observed(node())
        await until(lambda: len(edge.written) == 1)
        await reporter.last_word()
        assert len(edge.written) == 1
        edge.document = msgspec.structs.replace(edge.document, epoch=9)
        await reporter.last_word()
        assert [each.epoch for each in edge.written] == [0, 9]
        edge.document = msgspec.structs.replace(edge.document, epoch=10)
        edge.fails = [Unreachable("away")]
        await reporter.last_word()

    run(story)


def test_the_age_of_the_watch_is_there_once_the_api_has_spoken() -> None:
    now = 100.0
    metrics = Metrics(lambda: now)
    assert metrics.registry.get_sample_value("vipa_api_watch_age_seconds") is None
    metrics.api_heard()
    now = 103.5
    assert metrics.registry.get_sample_value("vipa_api_watch_age_seconds") == 3.5
