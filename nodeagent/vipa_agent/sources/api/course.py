"""What the reflector does next, by what happened last: list, then watch, then list again only when it must. Pure.

    LIST ── version ──► WATCH ── ended, broken, silent ──► WATCH from the last version seen
      ▲                   │
      └── 410, or a second watch that brought nothing ◄┘

A watch that goes on from the last version misses nothing: what was deleted meanwhile comes as DELETED, or, when the
server no longer knows that version, as 410; the list that follows then says by absence what is gone.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from vipa_agent.sources.api.backoff import Backoff
from vipa_agent.sources.api.objects import Change, Event

GONE: Final = 410
TOO_MANY: Final = 429
SERVER_ERROR: Final = 500

HEALTHY_S: Final = 10.0
"""A watch that lived so long, or brought anything, proves that the API works: waits start small again."""
FRUITLESS_MAX: Final = 2
"""So many watches in a row that brought nothing before they failed: the version itself may be what is wrong (a server
restored from a backup answers "too large resource version" for ever), so list."""


class Do(StrEnum):
    """What to ask the API for."""

    LIST = "list"
    WATCH = "watch"


@dataclass(frozen=True, slots=True)
class Step:
    """Ask for this, ``after_s`` seconds from now; ``version`` is what a watch goes on from."""

    do: Do
    after_s: float = 0.0
    version: str = ""


class Course:
    """The reflector's memory. ``step`` is what to do next."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._version = ""
        self._fruitless = 0
        self._fruit = False
        self.step = Step(Do.LIST)

    def listed(self, version: str) -> None:
        """A list came: watch from it."""
        self._version = version
        self._fruitless = 0
        self._watch(0.0)

    def seen(self, event: Event) -> bool:
        """A watch event came. False when the watch is over: an error event is its last."""
        if event.change is Change.ERROR:
            self.refused(event.code)
            return False
        self._version = event.version or self._version
        self._fruit = True
        self._fruitless = 0
        self._backoff.reset()
        self.step = Step(Do.WATCH, 0.0, self._version)
        return True

    def ended(self, lived_s: float) -> None:
        """The server ended the watch in good order, as it does after a few minutes."""
        if lived_s >= HEALTHY_S or self._fruit:
            self._backoff.reset()
            self._watch(0.0)
        else:
            self.broke()

    def broke(self) -> None:
        """Nobody answered, or the answer broke off, or a watch went silent."""
        wait_s = self._backoff.unreachable_s()
        if self.step.do is Do.LIST:
            self.step = Step(Do.LIST, wait_s)
            return
        self._fruitless = 0 if self._fruit else self._fruitless + 1
        if self._fruitless >= FRUITLESS_MAX:
            self._list(wait_s)
        else:
            self._watch(wait_s)

    def refused(self, code: int, retry_after_s: float | None = None) -> None:
        """The API answered with an HTTP status other than 2xx, or a watch with an error event of this code."""
        if code == GONE:
            self._list(self._backoff.gone_s())
        elif retry_after_s is not None or code == TOO_MANY:
            self.step = Step(self.step.do, self._backoff.asked_s(retry_after_s or 1.0), self._version)
        elif code >= SERVER_ERROR:
            self.broke()
        else:  # 401, 403, 404: somebody has to change something, and then a list is what is right anyway
            self._list(self._backoff.refused_s())

    def relist(self) -> None:
        """List at once: the owner doubts what it knows."""
        self._list(0.0)

    def _list(self, after_s: float) -> None:
        self._version = ""
        self._fruitless = 0
        self._fruit = False
        self.step = Step(Do.LIST, after_s)

    def _watch(self, after_s: float) -> None:
        self._fruit = False
        self.step = Step(Do.WATCH, after_s, self._version)
