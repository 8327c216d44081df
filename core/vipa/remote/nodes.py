"""One node as a router hears it: what it said last, and over which paths. Pure."""

from dataclasses import dataclass, field
from typing import Final

from vipa.remote.talk import Adapter, Entry, Report

MISS: Final = 3
"""Reports that may be missing from an adapter, at the rate its agent says: as heartbeats."""

SLACK_S: Final = 0.010
"""Lateness of both event loops on top, as for heartbeats (docs/design/0001-proofs.md)."""

RETIRED_MAX: Final = 64
NEVER: Final = float("-inf")

Path = tuple[str, str]
"""The router's interface, the adapter's address."""


@dataclass(slots=True)
class Node:
    """``incarnation``: of its agent now; ``retired``: of those before it, newest first."""

    incarnation: int
    seq: int = 0
    interval_s: float = 1.0
    edition: int = -1
    pages: dict[int, tuple[Entry, ...]] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
    """By each of its addresses: the last whole edition."""
    adapters: tuple[Adapter | None, ...] = ()
    heard: dict[Path, float] = field(default_factory=dict)
    """When, over each path."""
    said: dict[Path, int] = field(default_factory=dict)
    """The newest report over each path: one copied from another path, or sent again, says nothing."""
    heard_at: float = NEVER
    retired: tuple[int, ...] = ()

    @property
    def window_s(self) -> float:
        """Silence for longer means something."""
        return MISS * self.interval_s + SLACK_S

    def successor(self, incarnation: int) -> "Node":
        """The node with a new agent, which has not told its virtual IPs yet, nor by all its adapters: what was known
        of both counts till then."""
        retired = (self.incarnation, *self.retired)[:RETIRED_MAX]
        return Node(incarnation, entries=self.entries, heard=dict(self.heard), retired=retired)

    def take(self, now: float, path: Path, report: Report) -> bool:
        """A report of this incarnation; False: it is not newer than what was heard over this path, or older than
        what is known."""
        if report.seq < self.seq or report.seq <= self.said.get(path, -1):
            return False
        if report.seq > self.seq:
            self._news(report)
        self.said[path] = report.seq
        self.heard[path] = self.heard_at = now
        return True

    def _news(self, report: Report) -> None:
        self.seq, self.interval_s, self.adapters = report.seq, report.interval_ms / 1000, report.adapters
        if report.edition != self.edition:
            self.edition, self.pages = report.edition, {}
        self.pages[report.page] = report.entries
        if len(self.pages) == report.pages:
            self.entries = {a: entry for page in self.pages.values() for entry in page for a in entry.addresses}

    def adapter(self, index: int) -> Adapter | None:
        """None: it is on none of the router's LANs, or its number came before its report."""
        return self.adapters[index] if 0 <= index < len(self.adapters) else None
