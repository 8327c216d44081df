"""Carries out writes: the newest of each object, a few at a time, only while leading, tried again with patience.

A write that failed is not repeated: the object is looked at again, for by then something else may be right.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

import structlog

from vipa_operator.api import Api, Raw
from vipa_operator.clock import wall
from vipa_operator.election import WRITE_S
from vipa_operator.errors import ApiError, UnreachableError
from vipa_operator.eventing import Events
from vipa_operator.reconcile.cluster import Key, Kind
from vipa_operator.reconcile.events import share_refused
from vipa_operator.reconcile.writes import AnnotationWrite, DeleteWrite, EventWrite, SpecWrite, StatusWrite, Writes
from vipa_operator.requests import delete_node, remove_request, write_spec, write_status
from vipa_operator.store import Store

log = structlog.get_logger()

AT_ONCE: Final = 16
"""Writes under way at a time. On two cores an API server was no faster with more."""
BACKOFF_S: Final = 0.2
BACKOFF_S_MAX: Final = 30.0
TOO_LARGE: Final = ("too large", "larger than max")
"""In an answer 500: etcd's own words, and gRPC's, for an object beyond their limits."""

Write = SpecWrite | DeleteWrite | StatusWrite | AnnotationWrite | EventWrite


class Slot(NamedTuple):
    """Of several writes with one slot only the newest counts. Lower ``order`` goes first: what agents act on, then what
    people read."""

    order: int
    key: Key
    what: str = ""


class Writer:
    """``changed`` is called when the store learned something, or an object is to be looked at again; ``wrote`` after
    each write that the API server took."""

    def __init__(
        self,
        api: Api,
        store: Store,
        events: Events,
        leads: Callable[[], bool],
        changed: Callable[[], None],
        wrote: Callable[[], None],
    ) -> None:
        self._api = api
        self._store = store
        self._events = events
        self._leads = leads
        self._changed = changed
        self._wrote = wrote
        self._waiting: tuple[dict[Slot, Write], ...] = ({}, {}, {}, {})
        self._flying: dict[Slot, Write] = {}
        self._failures: dict[Key, int] = {}
        self._told: dict[Key, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    def submit(self, writes: Writes) -> None:
        """Take over writes. What they say counts as written from now on (:class:`Cluster`)."""
        cluster = self._store.cluster
        for spec in writes.specs:
            cluster.specs[spec.node] = spec
            self._put(Slot(0, Key(Kind.AGENT, spec.node)), spec)
        for deletion in writes.deletions:
            self._put(Slot(0, Key(Kind.AGENT, deletion.node)), deletion)
        for status in writes.statuses:
            cluster.statuses[status.vip] = status.status
            self._put(Slot(1, Key(Kind.VIP, status.vip), "status"), status)
        for annotation in writes.annotations:
            self._put(Slot(2, Key(Kind.VIP, annotation.vip), "move"), annotation)
        for event in writes.events:
            self._say(event)
        self._fly()

    def clear(self) -> None:
        """Forget everything that waits: this replica leads no longer."""
        for waiting in self._waiting:
            waiting.clear()
        self._store.cluster.specs.clear()
        self._store.cluster.statuses.clear()
        self._failures.clear()
        self._told.clear()

    async def drain(self) -> None:
        """Begin nothing more and wait for what is under way."""
        self.clear()
        self._fly()
        await self._idle.wait()

    @property
    def busy(self) -> int:
        """Writes waiting or under way."""
        return len(self._flying) + sum(map(len, self._waiting))

    # --- the queue

    def _put(self, slot: Slot, write: Write) -> None:
        waiting = self._waiting[slot.order]
        older = waiting.get(slot)
        if (isinstance(older, StatusWrite) and isinstance(write, StatusWrite)) or (
            isinstance(older, SpecWrite) and isinstance(write, SpecWrite)
        ):
            write = replace(write, events=(*older.events, *write.events))
        if self._flying.get(slot) != write:
            waiting[slot] = write
        self._idle.clear()

    def _say(self, event: EventWrite) -> None:
        self._put(Slot(3, Key(Kind(event.kind), event.name), f"{event.reason}: {event.message}"), event)

    def _fly(self) -> None:
        while len(self._flying) < AT_ONCE and (slot := self._next()) is not None:
            self._flying[slot] = self._waiting[slot.order].pop(slot)
            task = asyncio.create_task(self._carry_out(slot, self._flying[slot]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not self._flying and not any(self._waiting):
            self._idle.set()

    def _next(self) -> Slot | None:
        for waiting in self._waiting:
            for slot in waiting:
                if slot not in self._flying and not self._must_wait(slot):
                    return slot
        return None

    def _must_wait(self, slot: Slot) -> bool:
        """Who sees that a request is gone must find in the status what became of it."""
        status = Slot(1, slot.key, "status")
        return slot.order == 2 and (status in self._flying or status in self._waiting[1])

    # --- one write

    async def _carry_out(self, slot: Slot, write: Write) -> None:
        try:
            if self._leads():
                await self._send(write)
                self._wrote()
        except (ApiError, UnreachableError) as error:
            self._settle(slot)
            await self._failed(slot, write, error)
        else:
            self._failures.pop(slot.key, None)
            self._told.pop(slot.key, None)
            self._settle(slot)
        finally:
            del self._flying[slot]
            self._fly()

    async def _send(self, write: Write) -> None:
        match write:
            case SpecWrite():
                self._learn(Kind.AGENT, await write_spec(self._api, write, WRITE_S))
            case DeleteWrite():
                await delete_node(self._api, write, WRITE_S)
                if self._store.drop(Kind.AGENT, write.node, write.uid):
                    self._changed()
            case StatusWrite():
                self._learn(Kind.VIP, await write_status(self._api, write, WRITE_S))
            case AnnotationWrite():
                self._learn(Kind.VIP, await remove_request(self._api, write, WRITE_S))
            case EventWrite():
                await self._events.say(write, wall(), WRITE_S)
                return
        for event in write.events:
            self._say(event)

    def _learn(self, kind: Kind, raw: Raw) -> None:
        if self._store.put(kind, raw):
            self._changed()

    def _settle(self, slot: Slot) -> None:
        """The write is over, well or not: from now on what the API server has counts, unless a newer one waits."""
        if slot in self._waiting[slot.order]:
            return
        if slot.order == 0:
            self._store.cluster.specs.pop(slot.key.name, None)
        elif slot.order == 1:
            self._store.cluster.statuses.pop(slot.key.name, None)

    async def _failed(self, slot: Slot, write: Write, error: ApiError | UnreachableError) -> None:
        key = slot.key
        status = error.status if isinstance(error, ApiError) else 0
        if slot.order == 3:
            log.warning("event not written", object=key.name, error=str(error))
            return
        if status in (404, 409, 422) and await self._look(key):
            return
        if isinstance(write, SpecWrite) and write.uid and not_taken(status, str(error)):
            said = share_refused(write, str(error))
            if self._told.get(key) != said.message:  # once, not at each try
                self._told[key] = said.message
                self._say(said)
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        wait_s = min(BACKOFF_S * 2 ** min(failures - 1, 16), BACKOFF_S_MAX)
        log.warning("not written", kind=key.kind, object=key.name, error=str(error), again_in_s=wait_s)
        asyncio.get_running_loop().call_later(wait_s, self._again, key)

    async def _look(self, key: Key) -> bool:
        """Was the object not what we thought? True: it was not, and it is looked at again."""
        try:
            raw = await self._api.get(key.kind, key.name, WRITE_S)
        except (ApiError, UnreachableError):
            return False
        changed = self._store.drop(key.kind, key.name) if raw is None else self._store.put(key.kind, raw)
        if changed:
            self._changed()
        return changed

    def _again(self, key: Key) -> None:
        self._store.touch(key)
        self._changed()


def not_taken(status: int, message: str) -> bool:
    """Whether the object itself is what the API server does not like, so that trying again changes nothing."""
    return status in (413, 422) or (status >= 500 and any(words in message for words in TOO_LARGE))
