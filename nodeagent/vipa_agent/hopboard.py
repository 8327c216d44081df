"""Next hops for threads that wait for them: drawn on the loop, when somebody reads and something changed."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from vipa.election.elector import Elector

WATCHERS_MAX: Final = 8
"""Readers at a time, a thread each: load balancers in front of one LAN come in pairs."""

DRAW_S: Final = 0.005
"""Changes within so long are one: a failure is a handful of events in a millisecond."""

DRAW_S_PER_VIP: Final = 0.0002
"""And this much more for each virtual IP: drawing one takes 10 µs, which must not cost a tenth of a core while all
move."""

STANDSTILL_S: Final = 1.0
"""A loop that has not drawn for so long after it was asked says nothing of now."""

Table = dict[str, dict[str, Any]]


class Drawn(NamedTuple):
    """``edition`` is another with each change of ``table``, also over restarts."""

    edition: str
    table: Table
    node: str = ""


class HopBoard:
    """``draw`` gives the table, on ``loop``."""

    def __init__(self, loop: asyncio.AbstractEventLoop, elector: Elector, draw: Callable[[], Table]) -> None:
        self._loop = loop
        self._elector = elector
        self._draw = draw
        self._news = threading.Condition()
        self._readers = 0
        self._drawn = Drawn("", {})
        self._drawn_at = float("-inf")
        self._number = 0
        self._closed = self._due = False
        self._seen: object = None

    # --- on the loop

    def changed(self) -> None:
        """Something may be different."""
        if self._readers and not self._due:
            self._due = True
            self._loop.call_later(DRAW_S + DRAW_S_PER_VIP * len(self._elector.node.vips), self._redraw)

    def look(self, now: float) -> None:
        """The loop is awake: whether what peers say of their adapters has changed, which the election does not tell."""
        if self._readers:
            peers = self._elector.node.peers.values()
            seen = [(p.node, p.two_way(now), [state.healthy for state in p.endpoints.values()]) for p in peers]
            if seen != self._seen:
                self._seen = seen
                self.changed()

    def _redraw(self) -> None:
        self._due = False
        table = self._draw()
        with self._news:
            if table != self._drawn.table or not self._drawn.edition:
                self._number += 1
                incarnation = self._elector.node.config.incarnation
                self._drawn = Drawn(f"{incarnation:016x}-{self._number}", table, self._elector.node.config.node)
            self._drawn_at = time.monotonic()
            self._news.notify_all()

    # --- in readers' threads

    def enter(self) -> bool:
        """A reader comes; False: there are too many. Whoever came in must :meth:`leave`."""
        with self._news:
            if self._readers >= WATCHERS_MAX:
                return False
            self._readers += 1
            return True

    def leave(self) -> None:
        """A reader goes."""
        with self._news:
            self._readers -= 1

    def read(self, but: str = "", wait_s: float = 0.0) -> Drawn | None:
        """As it is now, or as soon as its edition is not ``but``, or after ``wait_s``. None: the agent ends, or its
        loop stands still."""
        asked = time.monotonic()
        with self._news:
            while not self._closed:
                self._loop.call_soon_threadsafe(self.changed)  # one drawing for all who ask meanwhile
                called = time.monotonic()
                while self._drawn_at < called and not self._closed:
                    if not self._news.wait(STANDSTILL_S):
                        return None
                left_s = asked + wait_s - time.monotonic()
                if self._drawn.edition != but or left_s <= 0:
                    return self._drawn
                self._news.wait_for(lambda: self._closed or self._drawn.edition != but, min(left_s, STANDSTILL_S))
        return None

    def close(self) -> None:
        """Nobody waits any more."""
        with self._news:
            self._closed = True
            self._news.notify_all()
