"""Runs as JSON lines: written one by one, so that a benchmark that was stopped goes on where it was."""

from pathlib import Path
from typing import Final

import msgspec

ROOT: Final = Path(__file__).parents[1]
# Below build/, which git ignores: figures belong to a machine, the report to the repository.
RUNS: Final = ROOT / "build/bench/failover.jsonl"
QUICK_RUNS: Final = ROOT / "build/bench/failover-quick.jsonl"
LOGS: Final = ROOT / "build/bench/logs"


class Run(msgspec.Struct, frozen=True):
    """One fault, once. Durations in milliseconds.

    outage_ms: longest stretch without an answer to the client that knows the address (0: nothing lost); ``ended``:
    whether it was over when the run was. lost of sent: its datagrams. cold_ms: longest stretch in which ARP questions
    stayed unanswered. two_ms: time with two answerers at once. tcp_broke: whether the TCP connection was reset or
    stood still at the end, None where none was open. took_over: who answered last. void: why the figures must not be
    used; "" for a good run.
    """

    case: str
    contender: str
    outage_ms: float
    ended: bool
    lost: int
    sent: int
    cold_ms: float
    two_ms: float
    tcp_broke: bool | None
    took_over: str
    lateness_ms: float
    void: str
    date: str
    machine: str
    commit: str


def append(path: Path, run: Run) -> None:
    """Add one run to the file; folder and file are made when missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as lines:
        lines.seek(0)
        lines.truncate(lines.read().rfind(b"\n") + 1)  # drop what a power cut or a full disk left of a last line
        lines.write(msgspec.json.encode(run) + b"\n")


def read(path: Path) -> list[Run]:
    """All runs so far, without a last line that was cut short."""
    if not path.exists():
        return []
    whole = path.read_bytes().rpartition(b"\n")[0]
    return [msgspec.json.decode(line, type=Run) for line in whole.splitlines()]
