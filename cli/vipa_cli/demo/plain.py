"""Views without a terminal: lines for pipes and logs, and silence for ``--json``."""

import time
from collections.abc import Sequence
from typing import TextIO

from vipa_cli.demo.acts import VIP, Act
from vipa_cli.demo.director import Snapshot
from vipa_cli.demo.figures import Figure
from vipa_cli.demo.judge import Row, Verdict
from vipa_cli.demo.reached import told
from vipa_cli.demo.table import lateness


class Silent:
    """Shows nothing."""

    def begin(self, acts: Sequence[Act]) -> None:
        """See View."""

    def act(self, number: int, act: Act, *, again: bool) -> None:
        """See View."""

    def step(self, text: str) -> None:
        """See View."""

    def tick(self, snapshot: Snapshot) -> None:
        """See View."""

    def row(self, row: Row) -> None:
        """See View."""


class Lines(Silent):
    """One line per event, flushed at once, so that a pipe shows it as it happens."""

    def __init__(self, out: TextIO, figure: Figure) -> None:
        self._out = out
        self._figure = figure
        self._start_s = time.monotonic()
        self._total = 0

    def begin(self, acts: Sequence[Act]) -> None:
        """See View."""
        self._total = len(acts)
        adapters = ", ".join(f"{address} ({name})" for name, address in self._figure.lanes)
        self._say(f"virtual IP {VIP}; {adapters}: {self._figure.title}")
        for line in self._figure.drawing.splitlines():
            self._say(f"     {line}")

    def act(self, number: int, act: Act, *, again: bool) -> None:
        """See View."""
        more = " (again: the machine was too busy)" if again else ""
        self._say(f"{number}/{self._total} {act.story}{more}")

    def step(self, text: str) -> None:
        """See View."""
        self._say(f"     {text}")

    def row(self, row: Row) -> None:
        """See View."""
        answer = f"{row.answerers} answered at once"
        self._say(
            f"     {row.took_over or 'nobody'} serves; outage {row.outage_ms:.1f} ms, {row.lost} lost, {answer}: "
            f"{f'{row.verdict}: {lateness(row)}' if row.verdict is Verdict.LATE else row.verdict}"
        )
        if row.remote is not None:
            self._say(f"     behind the router: {told(row.remote)}")

    def _say(self, text: str) -> None:
        self._out.write(f"{time.monotonic() - self._start_s:6.1f} s  {text}\n")
        self._out.flush()
