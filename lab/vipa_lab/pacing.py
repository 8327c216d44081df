"""What all measuring programs share: pacing by absolute deadlines, reports as JSON lines, and an orderly end.

A send that is late is not made up for by shifting the later ones: deadline n is start + n × period, always, so a probe
that was held up shows it as lateness and never as a shorter outage.
"""

import gc
import os
import signal
import sys
import time
from types import FrameType
from typing import Final

import msgspec

from vipa_lab.results import Live, Report, Sample

# UDP and TCP; in no well-known use, and nothing else runs on a lab's machines.
ECHO_PORT: Final = 7007
# A reply after this long is no answer (docs: "Replies matched later than 1 s count lost").
REPLY_TIMEOUT_S: Final = 1.0
# Often enough for a live view, seldom enough not to disturb the pacing (one line, 20 µs).
LIVE_INTERVAL_S: Final = 0.05
# The lowest of the real-time priorities is above everything that is not real-time (sched(7)).
_PRIORITY: Final = 1


class Stop:
    """Becomes true on SIGTERM or SIGINT."""

    def __init__(self) -> None:
        self.requested = False
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def __bool__(self) -> bool:
        return self.requested

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.requested = True


class Pacer:
    """Deadlines ``period_s`` apart from now on; ``limit`` ends after that many (0: never)."""

    def __init__(self, period_s: float, limit: int = 0) -> None:
        self.period_s = period_s
        self._limit = limit
        self._count = 0
        self._start_s = time.monotonic() + period_s

    @property
    def due_s(self) -> float:
        """The next deadline; infinite when the limit is reached."""
        if self.exhausted:
            return float("inf")
        return self._start_s + self._count * self.period_s

    @property
    def exhausted(self) -> bool:
        """True when ``limit`` deadlines have been taken."""
        return bool(self._limit) and self._count >= self._limit

    def taken(self) -> None:
        """The present deadline was served."""
        self._count += 1


class LiveReporter:
    """Writes a :class:`Live` line at most every 50 ms from the sends so far."""

    def __init__(self) -> None:
        self._next_s = 0.0
        self._answered = 0
        self._node = ""
        self._oldest = 0

    def answered(self, seq: int, sample: Sample) -> None:
        """Send number ``seq`` got its answer."""
        self._answered += 1
        self._node = sample.node
        self._oldest = max(self._oldest, seq + 1)

    def maybe(self, samples: list[Sample]) -> None:
        """Report when it is time."""
        now_s = time.monotonic()
        if now_s < self._next_s:
            return
        self._next_s = now_s + LIVE_INTERVAL_S
        silent_ms = (now_s - samples[self._oldest].sent_s) * 1000 if self._oldest < len(samples) else 0.0
        report(Live(now_s, len(samples), self._answered, self._node, silent_ms))


def report(message: Report) -> None:
    """Write one JSON line to standard output at once."""
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


def prepare() -> bool:
    """Make this program punctual: no garbage collection pauses and, where the kernel lets us (real root), real-time
    priority. Gives whether it is real-time."""
    gc.disable()
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    except PermissionError:
        return False
    return True
