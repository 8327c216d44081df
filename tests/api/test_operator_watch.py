"""The operator's watch, in the test's own process, on an API server that goes silent or refuses.

A proxy in front of a real API server makes the faults.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import kopf
import pytest

from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.faultproxy import FaultProxy
from vipa_operator import watching as module
from vipa_operator.errors import WatchError
from vipa_operator.reconcile import Kind
from vipa_operator.watching import Watching

VIPS: Final = "/apis/vipa.dev/v1alpha1/virtualips"
# A request that fell into the silence is given up after 60 s only.
SOON_S: Final = 150.0
QUICK_S: Final = 3.0
"""A test does not wait 75 s to see a dead watch noticed."""


class Seen:
    """What the watch told, by name of the VirtualIP: "" is a list's."""

    def __init__(self) -> None:
        self.events: dict[str, list[str]] = {}

    def took(self, kind: Kind, event: str | None, raw: Mapping[str, Any]) -> None:
        if kind is Kind.VIP:
            self.events.setdefault(raw["metadata"]["name"], []).append(event or "")


def create(api: ApiServer, name: str, last: int) -> None:
    body = {"apiVersion": "vipa.dev/v1alpha1", "kind": "VirtualIP", "metadata": {"name": name}}
    assert api.rest.ask("POST", VIPS, {**body, "spec": {"addresses": [f"10.1.1.{last}"]}})[0] == 201


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {SOON_S:g} s: {what}"
        await asyncio.sleep(0.05)


class Ending(Watching):
    """One that ends for certain. A watcher of kopf's whose connection breaks just when it is cancelled may go on as if
    nothing had been said, and kopf waits for it for ever: a program ends then nevertheless, a test's thread does not.
    """

    loop: asyncio.AbstractEventLoop | None = None

    async def _look_after(self) -> None:
        self.loop = asyncio.get_running_loop()
        await super()._look_after()

    async def stop(self) -> None:
        stopping = asyncio.create_task(super().stop())
        deadline = time.monotonic() + SOON_S
        await asyncio.to_thread(self._thread.join, 1.0)
        while self._thread.is_alive() and self.loop is not None:
            assert time.monotonic() < deadline, "the thread of the watch does not end"
            with suppress(RuntimeError):  # its loop has ended meanwhile
                self.loop.call_soon_threadsafe(self._cancel_again)
            await asyncio.to_thread(self._thread.join, 1.0)
        await stopping

    def _cancel_again(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            if task.get_name().startswith("watcher for"):
                task.cancel()


@asynccontextmanager
async def watching(proxy: FaultProxy, seen: Seen) -> AsyncIterator[asyncio.Task[None]]:
    """A watch through ``proxy``; gives what ends when the watch does."""
    watch = Ending(lambda: kopf.ConnectionInfo(server=proxy.url), seen.took)
    watch.start()
    ended = asyncio.create_task(watch.ended())
    try:
        yield ended
    finally:
        ended.cancel()
        proxy.break_off()
        await watch.stop()


def watched(api: ApiServer, fault: Callable[[FaultProxy, Seen], Any]) -> None:
    """VirtualIP ``before`` is known; ``fault`` is lived through; then ``during``, which was made in it, becomes
    known, and the watch tells of what follows."""

    async def story(proxy: FaultProxy) -> None:
        seen = Seen()
        async with watching(proxy, seen) as ended:
            await until(lambda: len(proxy.asked("watch")) >= len(Kind), "everything is watched")
            create(api, "before", 7)
            await until(lambda: "before" in seen.events, "a new object")
            await fault(proxy, seen)
            await until(lambda: "during" in seen.events, "what was made meanwhile")
            assert api.rest.ask("DELETE", f"{VIPS}/during")[0] == 200
            await until(lambda: seen.events["during"][-1] == "DELETED", "a deletion afterwards")
            assert "DELETED" not in seen.events["before"]
            assert not ended.done()

    with FaultProxy(api) as proxy:
        asyncio.run(story(proxy))


def test_a_watch_that_dies_in_silence_is_begun_anew(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE_S", QUICK_S)

    async def silence(proxy: FaultProxy, seen: Seen) -> None:
        proxy.silence()
        create(api, "during", 8)
        await asyncio.sleep(QUICK_S / 2)
        assert "during" not in seen.events
        proxy.silent.clear()  # the dead connections stay dead, new ones live

    watched(api, silence)


@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_watch_that_is_refused_is_tried_until_it_is_not(api: ApiServer, status: int) -> None:
    async def refuse(proxy: FaultProxy, seen: Seen) -> None:
        began_s = time.monotonic()
        for verb in ("list", "watch"):
            proxy.refuse(verb, status, Retry_After="1")
        proxy.break_off()
        create(api, "during", 8)

        def tries() -> int:
            return len(proxy.asked("list", status)) + len(proxy.asked("watch", status))

        await until(lambda: tries() >= 2 * len(Kind), "tried again")
        assert "during" not in seen.events
        assert tries() <= len(Kind) * (2 + 4 * (time.monotonic() - began_s)), "a crowd of requests"
        proxy.heal()

    watched(api, refuse)


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_watch_that_is_over_for_good_ends_the_program(api: ApiServer, status: int) -> None:
    async def story(proxy: FaultProxy) -> None:
        async with watching(proxy, Seen()) as ended:
            await until(lambda: len(proxy.asked("watch")) >= len(Kind), "everything is watched")
            await asyncio.sleep(2 * module.LOOK_S)
            proxy.refuse("watch", status)
            proxy.break_off()
            # Which of the watches ends first is chance.
            with pytest.raises(WatchError, match=r"no watch of \w+"):
                await asyncio.wait_for(ended, SOON_S)

    with FaultProxy(api) as proxy:
        asyncio.run(story(proxy))
