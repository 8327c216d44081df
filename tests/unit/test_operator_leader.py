"""The shell around the lease. Its API server and clock are played."""

import asyncio
from typing import Any

import pytest

from vipa_operator import leader as module
from vipa_operator.election import RENEW_S
from vipa_operator.errors import ApiError, UnreachableError
from vipa_operator.leader import Leader


class FakeApi:
    """Keeps one lease. ``travel_s``: how long the next write takes on the clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.travel_s = 0.0
        self.down = False
        self.lease: dict[str, Any] | None = None
        self._version = 0

    async def request(self, method: str, path: str, body: Any = None, *, timeout_s: float) -> dict[str, Any]:  # noqa: ANN401
        if self.down:
            raise UnreachableError("down")
        if method == "GET":
            if self.lease is None:
                raise ApiError(404, "NotFound", path)
            return self.lease
        self.now += self.travel_s
        self._version += 1
        meta = {"uid": "u", "resourceVersion": str(self._version)}
        self.lease = {"metadata": meta, "spec": body["spec"]}
        return self.lease


def turns(api: FakeApi, monkeypatch: pytest.MonkeyPatch, script: list[tuple[float, float, bool]]) -> list[bool]:
    """What ``changed`` was told, for steps of (seconds until the next try, seconds its write takes, API down)."""
    told: list[bool] = []
    monkeypatch.setattr(module, "boottime_s", lambda: api.now)

    async def play() -> None:
        candidate = Leader(api, "vipa-system", "one", told.append)  # type: ignore[arg-type]
        steps = iter(script)

        async def sleep(_: float) -> None:
            step = next(steps, None)
            if step is None:
                raise asyncio.CancelledError
            wait_s, api.travel_s, api.down = step
            api.now += wait_s

        monkeypatch.setattr(asyncio, "sleep", sleep)
        with pytest.raises(asyncio.CancelledError):
            await candidate.run()

    asyncio.run(play())
    return told


def test_renewed_in_time_it_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert turns(FakeApi(), monkeypatch, [(2.0, 0.1, False)] * 20) == [True]


def test_a_lead_that_lapsed_while_the_process_was_frozen_is_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert turns(FakeApi(), monkeypatch, [(2.0, 0.1, False), (RENEW_S + 1, 0.1, False)]) == [True, False, True]


def test_also_when_it_lapsed_during_the_renewal(monkeypatch: pytest.MonkeyPatch) -> None:
    script = [(2.0, 0.0, False), (RENEW_S - 1, 2.0, False), (2.0, 0.0, False)]
    assert turns(FakeApi(), monkeypatch, script) == [True, False, True]


def test_without_an_api_server_nobody_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    assert turns(FakeApi(), monkeypatch, [(2.0, 0.0, True)] * 6 + [(2.0, 0.0, False)]) == [True, False, True]
