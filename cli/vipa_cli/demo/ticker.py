"""The client's datagrams as a strip of characters, newest at the right. Pure."""

from collections import deque
from typing import Final

from rich.text import Text

from vipa_lab.results import Live

# More than any terminal is wide.
_CELLS_MAX: Final = 500
_ANSWERED, _SOME, _NONE = ("▇", "green"), ("▅", "yellow"), ("▁", "bold red")


class Ticker:
    """One cell per report of the probe (50 ms, 25 datagrams): all answered, some, none."""

    def __init__(self) -> None:
        self._cells: deque[tuple[str, str]] = deque(maxlen=_CELLS_MAX)
        self._last: Live | None = None
        self.outage_ms = 0.0

    def take(self, live: Live | None) -> None:
        """Look at the probe's counters; None when no probe runs."""
        if live is None:
            self._last = None
            return
        last, self._last = self._last, live
        # A probe's first report says nothing of what it sent a moment ago.
        if last is None or live.sent <= last.sent:
            return
        sent, answered = live.sent - last.sent, live.answered - last.answered
        # One period's datagrams may be on their way; the rest of a report must be answered.
        missing = sent - answered
        self._cells.append(_NONE if not answered else _SOME if missing > max(2, sent // 5) else _ANSWERED)
        self.outage_ms = live.silent_ms if live.silent_ms > 10 else 0.0

    def strip(self, width: int) -> Text:
        """The latest ``width`` cells."""
        text = Text(" " * max(0, width - len(self._cells)))
        for character, style in list(self._cells)[-width:]:
            text.append(character, style)
        return text
