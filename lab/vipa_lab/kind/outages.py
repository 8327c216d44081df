"""What a client saw of each fault in a real cluster: kept as JSON lines, shown as a table."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

OUTAGES: Final = Path(__file__).parents[3] / "build/e2e/outages.jsonl"
"""Below build/, which git ignores: figures belong to a machine."""

LATE_MS: Final = 3.0
"""A probe this late is told: as with the benchmarks."""


class Outage(msgspec.Struct, frozen=True):
    """One fault, once. Durations in milliseconds.

    outage_ms: longest stretch in which no datagram was answered (0: nothing lost); lost of sent: datagrams, and
    lateness_ms: how late the probe itself was around the longest outage, or at worst. two_ms: time with two answerers
    at once. tcp_broke: times the long-lived connection had to be made again. nodes: who answered, in order.
    """

    fault: str
    timing: str
    outage_ms: float
    lost: int
    sent: int
    lateness_ms: float
    two_ms: float
    tcp_broke: int
    nodes: tuple[str, ...]
    machine: str
    commit: str
    date: str


def today() -> str:
    """As in :attr:`Outage.date`, "2026-11-23"."""
    return datetime.now(UTC).date().isoformat()


def append(outage: Outage, path: Path = OUTAGES) -> None:
    """Add one to the file; folder and file are made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as lines:
        lines.write(msgspec.json.encode(outage) + b"\n")


def read(path: Path = OUTAGES) -> list[Outage]:
    """All so far, without a last line that was cut short."""
    if not path.exists():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [msgspec.json.decode(line, type=Outage) for line in whole.splitlines()]


def table(outages: Sequence[Outage]) -> str:
    """For people, a line per fault in the order of their first run; several runs of one give median and maximum. Runs
    with a late probe count: it makes an outage longer, never shorter."""
    by_fault: dict[tuple[str, str], list[Outage]] = {}
    for outage in outages:
        by_fault.setdefault((outage.fault, outage.timing), []).append(outage)
    rows = [
        "| fault | timing | n (late) | outage median / max, ms | lost of sent | two, ms | TCP broke | answered by |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (fault, timing), runs in by_fault.items():
        outage_ms = sorted(run.outage_ms for run in runs)
        cells = (
            fault,
            timing,
            f"{len(runs)} ({sum(run.lateness_ms > LATE_MS for run in runs)})",
            f"{outage_ms[(len(runs) - 1) // 2]:.0f} / {outage_ms[-1]:.0f}",
            f"{sum(run.lost for run in runs):,} of {sum(run.sent for run in runs):,}",
            f"{max(run.two_ms for run in runs):.0f}",
            f"{sum(bool(run.tcp_broke) for run in runs)} of {len(runs)}",
            " → ".join(runs[-1].nodes),
        )
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)
