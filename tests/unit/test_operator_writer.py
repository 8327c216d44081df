"""What becomes of writes that the API server refuses. Its answers are played."""

import asyncio
from typing import Any

import pytest

from vipa.resources.node import VirtualIPNodeSpec
from vipa.resources.virtualip import VirtualIPStatus
from vipa_operator.errors import ApiError
from vipa_operator.eventing import Events
from vipa_operator.reconcile import Kind
from vipa_operator.reconcile.writes import AnnotationWrite, SpecWrite, StatusWrite, Writes
from vipa_operator.store import Store
from vipa_operator.writer import Writer

OBJECT = {"metadata": {"name": "w1", "uid": "u1", "resourceVersion": "7", "generation": 1}, "spec": {"epoch": 1}}

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
            writer.submit(Writes(specs=[SpecWrite("w1", "u1", "n1", VirtualIPNodeSpec(2))]))
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
