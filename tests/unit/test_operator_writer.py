"""What becomes of writes that the API server refuses. Its answers are played."""

import asyncio
from typing import Any

import pytest

from vipa.resources.node import VirtualIPNodeSpec
from vipa.resources.virtualip import VirtualIPStatus
from vipa_operator.errors import ApiError
from vipa_operator.eventing import Events
from vipa_operator.reconcile import Key, Kind
from vipa_operator.reconcile.writes import (
    AnnotationWrite,
    DeleteWrite,
    EventWrite,
    Severity,
    SpecWrite,
    StatusWrite,
    Writes,
)
from vipa_operator.store import Store
from vipa_operator.writer import Writer

OBJECT: dict[str, Any] = {
    "metadata": {"name": "w1", "uid": "u1", "resourceVersion": "7", "generation": 1},
    "spec": {"epoch": 1},
}

VIP = {
    "apiVersion": "vipa.dev/v1alpha1",
    "kind": "VirtualIP",
    "metadata": {"name": "erp", "uid": "u1", "resourceVersion": "7", "generation": 1},
    "spec": {"addresses": ["10.1.1.7"]},
}


class FakeApi:
    """Answers each apply with ``error``; keeps the Events that are made."""

    def __init__(self, error: ApiError | None) -> None:
        self.error = error
        self.events: list[dict[str, Any]] = []

    async def apply(self, path: str, body: object, timeout_s: float) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        return OBJECT

    async def get(self, kind: Kind, name: str, timeout_s: float) -> dict[str, Any]:
        return OBJECT

    async def request(self, method: str, path: str, body: dict[str, Any], *, timeout_s: float) -> dict[str, Any]:
        assert method == "POST", "said once, so never counted up"
        self.events.append(body)
        return body


def writer_to(api: FakeApi, store: Store) -> Writer:
    """That of the leader."""
    return Writer(
        api,  # type: ignore[arg-type]
        store,
        Events(api, "one"),  # type: ignore[arg-type]
        leads=lambda: True,
        changed=lambda: None,
        wrote=lambda: None,
    )


def said(error: ApiError, tries: int = 3) -> list[dict[str, Any]]:
    """Events after the share of w1 was refused so often."""
    api = FakeApi(error)

    async def play() -> None:
        store = Store()
        store.put(Kind.AGENT, OBJECT)
        writer = writer_to(api, store)
        for _ in range(tries):
            writer.submit(Writes(specs=[SpecWrite("w1", "u1", VirtualIPNodeSpec(2))]))
            while writer.busy:
                await asyncio.sleep(0)

    asyncio.run(play())
    return api.events


@pytest.mark.parametrize(
    "error",
    [
        ApiError(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"),
        ApiError(422, "Invalid", "spec.assignments: Too many: 10001: must have at most 10000 items"),
        ApiError(500, "InternalError", "etcdserver: request is too large"),
        ApiError(500, "", "rpc error: trying to send message larger than max (2200000 vs. 2097152)"),
    ],
)
def test_a_share_that_the_api_server_does_not_take_is_told_once(error: ApiError) -> None:
    events = said(error)
    assert [(e["type"], e["reason"], e["involvedObject"]["name"]) for e in events] == [
        ("Warning", "ShareRefused", "w1")
    ]
    assert "fallback None" in events[0]["message"]
    assert str(error) in events[0]["message"]


@pytest.mark.parametrize("status", [409, 429, 500, 503])
def test_what_passes_is_no_news(status: int) -> None:
    assert said(ApiError(status, "", "try again")) == []


class SlowApi(FakeApi):
    """Takes its time for a status; keeps what was answered, in order."""

    def __init__(self) -> None:
        super().__init__(None)
        self.done: list[str] = []

    async def apply(self, path: str, body: object, timeout_s: float) -> dict[str, Any]:
        for _ in range(5):
            await asyncio.sleep(0)
        self.done.append("status")
        return VIP

    async def request(  # type: ignore[override]
        self, method: str, path: str, body: object, *, content: str, timeout_s: float
    ) -> dict[str, Any]:
        self.done.append("request removed")
        return VIP


def test_a_request_to_move_goes_after_the_status_that_says_what_became_of_it() -> None:
    api = SlowApi()

    async def play() -> None:
        writer = writer_to(api, Store())
        writer.submit(
            Writes(
                statuses=[StatusWrite("erp", "u1", VirtualIPStatus())],
                annotations=[AnnotationWrite("erp", "u1", "w2")],
            )
        )
        while writer.busy:
            await asyncio.sleep(0)

    asyncio.run(play())
    assert api.done == ["status", "request removed"]


class DeletingApi(FakeApi):
    """Answers each deletion with the next of ``answers``; has the object in version 8 by then."""

    def __init__(self, *answers: ApiError | None) -> None:
        super().__init__(None)
        self.answers = list(answers)
        self.asked: list[object] = []

    async def request(
        self, method: str, path: str, body: dict[str, Any], *, content: str = "", timeout_s: float
    ) -> dict[str, Any]:
        if method != "DELETE":
            return await super().request(method, path, body, timeout_s=timeout_s)
        self.asked.append(body["preconditions"])
        if (error := self.answers.pop(0)) is not None:
            raise error
        return {}

    async def get(self, kind: Kind, name: str, timeout_s: float) -> dict[str, Any]:
        return {**OBJECT, "metadata": {**OBJECT["metadata"], "resourceVersion": "8"}, "status": {"node": "w1"}}


GOES = EventWrite("VirtualIPNode", "w1", "u1", Severity.NORMAL, "NodeGone", "deleted")


def deleted(api: DeletingApi) -> Store:
    """What is known after a try to delete w1."""

    async def play() -> Store:
        store = Store()
        store.put(Kind.AGENT, OBJECT)
        store.take_changes()
        writer = writer_to(api, store)
        writer.submit(Writes(deletions=[DeleteWrite("w1", "u1", "7", (GOES,))]))
        while writer.busy:
            await asyncio.sleep(0)
        return store

    return asyncio.run(play())


@pytest.mark.parametrize("answer", [None, ApiError(404, "NotFound", "not found")])
def test_a_deleted_object_is_known_to_be_gone_and_that_is_said(answer: ApiError | None) -> None:
    api = DeletingApi(answer)
    store = deleted(api)
    assert api.asked == [{"uid": "u1", "resourceVersion": "7"}]
    assert store.names(Kind.AGENT) == frozenset()
    assert [e["message"] for e in api.events] == ["deleted"]


def test_an_object_that_has_changed_is_not_deleted_but_looked_at_again() -> None:
    api = DeletingApi(ApiError(409, "Conflict", "the ResourceVersion in the precondition (7) does not match (8)"))
    store = deleted(api)
    assert store.cluster.agents["w1"].meta.version == "8"
    assert store.take_changes() == {Key(Kind.AGENT, "w1")}
    assert api.events == []


def test_a_share_that_takes_the_place_of_one_that_waits_brings_its_events() -> None:
    api = FakeApi(None)

    async def play() -> None:
        writer = writer_to(api, Store())
        for epoch, events in ((1, ()), (2, (GOES,)), (3, ())):
            writer.submit(Writes(specs=[SpecWrite("w1", "u1", VirtualIPNodeSpec(epoch), "", events)]))
        while writer.busy:
            await asyncio.sleep(0)

    asyncio.run(play())
    assert [e["message"] for e in api.events] == ["deleted"]
