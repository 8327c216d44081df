"""Follows one VirtualIPNode: asks the API what :mod:`course` says is next, and tells what it hears."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Final, Protocol

import structlog

from vipa_agent.sources.api.course import Course, Do
from vipa_agent.sources.api.errors import Refused, Unreachable
from vipa_agent.sources.api.objects import Change, DecodeError, Listed, NodeObject, decode_event, decode_list

log = structlog.get_logger()

_QUIET: Final = frozenset({410})
"""Refusals that are the API's everyday business."""


class Asking(Protocol):
    """What the reflector needs of the API client."""

    async def list(self) -> bytes:
        """See ApiClient."""

    def watch(self, version: str, spread: float) -> AsyncIterator[bytes]:
        """See ApiClient."""


class Reflector:
    """``taken`` is awaited with each new state of the object, None when there is none; ``heard`` is called whenever the
    API said anything at all. What is decoded is decoded in threads: an object of 2,000 VIPs takes milliseconds."""

    def __init__(
        self,
        client: Asking,
        name: str,
        course: Course,
        chance: Callable[[], float],
        taken: Callable[[NodeObject | None], Awaitable[None]],
        heard: Callable[[], None],
    ) -> None:
        self._client = client
        self._name = name
        self._course = course
        self._chance = chance
        self._taken = taken
        self._heard = heard
        self._said = ""
        self._watching: asyncio.Timeout | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            step = self._course.step
            await asyncio.sleep(step.after_s)
            try:
                if step.do is Do.LIST:
                    await self._list()
                else:
                    await self._watch(step.version)
            except Unreachable as error:
                self._say("api does not answer", str(error))
                self._course.broke()
            except Refused as error:
                self._say("" if error.code in _QUIET else "api refuses", str(error))
                self._course.refused(error.code, error.retry_after_s)
            except DecodeError as error:
                self._say("api answers nonsense", str(error))
                self._course.broke()

    def relist(self) -> None:
        """What is known is in doubt: end the watch, if one is under way, and list."""
        self._course.relist()
        if self._watching is not None:
            self._watching.reschedule(asyncio.get_running_loop().time())

    async def _list(self) -> None:
        listed: Listed = await asyncio.to_thread(decode_list, await self._client.list(), self._name)
        self._course.listed(listed.version)
        self._heard()
        self._say("api answers", self._name if listed.node else f"no VirtualIPNode {self._name} yet")
        await self._taken(listed.node)

    async def _watch(self, version: str) -> None:
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(None) as self._watching:
                await self._follow(version, began_s)
        except TimeoutError:
            return  # relist: the course knows
        finally:
            self._watching = None

    async def _follow(self, version: str, began_s: float) -> None:
        async with aclosing(self._client.watch(version, self._chance())) as lines:  # type: ignore[type-var]
            async for line in lines:
                event = await asyncio.to_thread(decode_event, line, self._name)
                if not self._course.seen(event):
                    self._say("" if event.code in _QUIET else "watch refused", f"{event.code}: {event.message}")
                    return
                self._heard()
                if event.change is not Change.BOOKMARK:
                    self._say("api answers", self._name)
                    await self._taken(None if event.change is Change.DELETED else event.node)
        self._course.ended(time.monotonic() - began_s)

    def _say(self, what: str, detail: str) -> None:
        """Once per change, not once per try."""
        if what and what != self._said:
            self._said = what
            (log.info if what == "api answers" else log.warning)(what, detail=detail)
