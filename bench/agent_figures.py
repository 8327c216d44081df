"""What one agent costs: processor time and memory as the kernel counts them, beats and lateness as the agent does."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_SAMPLE: Final = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Lateness:
    """A histogram of the event loop's lateness: upper bound in seconds → how many were no later."""

    buckets: dict[float, float]

    def since(self, before: "Lateness") -> "Lateness":
        """What happened after ``before``."""
        return Lateness({bound: count - before.buckets.get(bound, 0.0) for bound, count in self.buckets.items()})

    def at_most_ms(self, share: float) -> float:
        """A bound in milliseconds that so many (0…1) did not pass; infinite when above all bounds, 0 for none seen."""
        total = max(self.buckets.values(), default=0.0)
        return min((b * 1000 for b, count in self.buckets.items() if count >= share * total), default=0.0)


@dataclass(frozen=True)
class Reading:
    """An agent's counters at one moment. Processor time in seconds, of all its threads."""

    user_s: float
    system_s: float
    sent: float
    received: float
    accepted: float
    transitions: float
    lateness: Lateness
    switches: int

    @classmethod
    def take(cls, pid: int, metrics: str) -> Self:
        """Of process ``pid`` with this page of metrics."""
        # The name in brackets may hold anything; what follows begins with field 3 (proc(5)).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        samples = [(name, labels or "", float(value)) for name, labels, value in _SAMPLE.findall(metrics)]

        def total(wanted: str, label: str = "") -> float:
            return sum(value for name, labels, value in samples if name == wanted and label in labels)

        buckets = {
            float(labels.split('"')[1]): value
            for name, labels, value in samples
            if name == "vipa_loop_lateness_seconds_bucket"
        }
        return cls(
            user_s=int(fields[11]) / _TICKS_PER_S,
            system_s=int(fields[12]) / _TICKS_PER_S,
            sent=total("vipa_heartbeats_total", 'result="sent"'),
            received=total("vipa_heartbeats_total", 'direction="received"'),
            accepted=total("vipa_heartbeats_total", 'result="accepted"'),
            transitions=total("vipa_transitions_total"),
            lateness=Lateness(buckets),
            switches=sum(_switches(task) for task in Path(f"/proc/{pid}/task").iterdir()),
        )


@dataclass(frozen=True)
class Memory:
    """Resident memory in MB: all pages, and those counted with their share."""

    rss_mb: float
    pss_mb: float

    @classmethod
    def of(cls, pid: int) -> Self:
        """Of process ``pid``."""
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        kb = {name: int(value) for name, value in re.findall(r"^(\w+): +(\d+) kB", rollup, re.MULTILINE)}
        return cls(kb["Rss"] / 1024, kb["Pss"] / 1024)


def _switches(task: Path) -> int:
    try:
        text = (task / "status").read_text()
    except FileNotFoundError:  # the thread of a scrape, over by now
        return 0
    return sum(int(count) for count in re.findall(r"ctxt_switches:\t(\d+)", text))
