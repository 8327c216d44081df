"""Writes the status of this node's VirtualIPNode: the first change at once, further ones together, nothing while
nothing changed. Whether it worked changes nothing for what the agent serves.
"""

import asyncio
import time
from typing import Final, Protocol

import msgspec
import structlog

from vipa.resources.node import VirtualIPNodeStatus
from vipa_agent.sources.api.backoff import Backoff
from vipa_agent.sources.api.errors import Refused, Unreachable
from vipa_agent.sources.api.objects import NodeObject, status_in
from vipa_agent.sources.source import Document

log = structlog.get_logger()

EVERY_S: Final = 1.0
"""At most one write per second and node: a thousand nodes that all see one switch die are a thousand requests, once."""
REST: Final = 2.0
"""A write that took long is followed by a pause this many times as long: a status of 2,000 VIPs costs a busy API server
seconds, and a node whose VIPs all move must not keep it from everything else."""
LOSS_S: Final = 60.0
"""A path's loss goes up and down all day: alone it is written this often at most."""
LAST_WORD_S: Final = 0.4
"""SIGTERM to exit is promised within 3 s, and the election may take 2.5 of them."""

_NOT_FOUND: Final = 404


class Writing(Protocol):
    """What the reporter needs of the API client."""

    async def patch_status(self, body: bytes) -> None:
        """See ApiClient."""


class Reporter:
    """``document`` is asked for on the loop, at most once per write."""

    def __init__(self, client: Writing, document: Document, backoff: Backoff) -> None:
        self._client = client
        self._document = document
        self._backoff = backoff
        self._uid = ""
        self._written: VirtualIPNodeStatus | None = None
        self._written_s = 0.0
        self._pause_s = EVERY_S
        self._due = asyncio.Event()
        self._wait_until_s = 0.0
        self._said = ""

    def changed(self) -> None:
        """The document may differ from what is written."""
        self._due.set()

    def observed(self, node: NodeObject | None) -> None:
        """The object as the API has it; None when there is none. An object made anew, or one whose status is not what
        was written (a backup was restored), is written anew."""
        uid = node.metadata.uid if node is not None else ""
        if node is None or uid != self._uid or self._written is None or status_in(node) != self._written:
            self._written = None
            self._written_s = 0.0
        self._uid = uid
        self._wait_until_s = 0.0  # the API answers: no need to sit out what was begun while it did not
        self._due.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._due.wait()
            wait_s = max(self._wait_until_s, self._written_s + self._pause_s) - time.monotonic()
            if wait_s > 0:
                await self._pause(wait_s)
                continue
            self._due.clear()
            if self._uid:
                await self._write(await self._document())

    async def last_word(self) -> None:
        """One more try, of what is true at the end."""
        document = await self._document()
        if self._uid and self._written is not None and document != self._written:
            try:
                async with asyncio.timeout(LAST_WORD_S):
                    await self._client.patch_status(patch_of(document))
            except (Refused, Unreachable, TimeoutError) as error:
                log.info("last status not written", detail=str(error))

    async def _pause(self, wait_s: float) -> None:
        """Wait, but not longer than :meth:`observed` allows."""
        before_s = self._wait_until_s
        end_s = time.monotonic() + wait_s
        while self._wait_until_s == before_s and (left_s := end_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, EVERY_S / 4))

    async def _write(self, document: VirtualIPNodeStatus) -> None:
        now_s = time.monotonic()
        if document == self._written:
            return
        recent = self._written is not None and now_s - self._written_s < LOSS_S
        if recent and self._written is not None and _steady(document) == _steady(self._written):
            return  # the agent looks again twice a second
        uid = self._uid
        try:
            await self._client.patch_status(await asyncio.to_thread(patch_of, document))
        except Unreachable as error:
            self._again(self._backoff.unreachable_s(), "status not written: api does not answer", str(error))
        except Refused as error:
            self._refused(error)
        else:
            self._backoff.reset()
            self._written_s = time.monotonic()
            self._pause_s = max(EVERY_S, REST * (self._written_s - now_s))
            self._written = document if uid == self._uid else None
            self._said = ""

    def _refused(self, error: Refused) -> None:
        if error.code == _NOT_FOUND:
            self._uid = ""  # the watch will say when there is one again
            return
        asked_s = error.retry_after_s
        wait_s = self._backoff.asked_s(asked_s) if asked_s is not None else self._backoff.refused_s()
        self._again(wait_s, "status refused", str(error))

    def _again(self, wait_s: float, what: str, detail: str) -> None:
        self._wait_until_s = time.monotonic() + wait_s
        self._due.set()
        if what != self._said:
            self._said = what
            log.warning(what, detail=detail)


def patch_of(document: VirtualIPNodeStatus) -> bytes:
    """A merge patch that says every field of the status: one left out would keep what it was."""
    fields = msgspec.structs.fields(VirtualIPNodeStatus)
    return msgspec.json.encode({"status": {f.encode_name: getattr(document, f.name) for f in fields}})


def _steady(document: VirtualIPNodeStatus) -> VirtualIPNodeStatus:
    """Without what flickers."""
    peers = tuple(
        msgspec.structs.replace(
            peer, paths=tuple(msgspec.structs.replace(path, loss_permille=0) for path in peer.paths)
        )
        for peer in document.peers
    )
    return msgspec.structs.replace(document, peers=peers)
