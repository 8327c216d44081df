"""Simulated time: a heap of calls, and clocks that start elsewhere and run a little fast or slow."""

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVarTuple

Ts = TypeVarTuple("Ts")


class Engine:
    """Discrete-event scheduler; ``now`` is seconds since the start of the run."""

    __slots__ = ("_heap", "_order", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()

    def at(self, when_s: float, call: Callable[[*Ts], None], *args: *Ts) -> None:
        """Run ``call(*args)`` at ``when_s``; what is due at one instant runs in the order it was asked for."""
        heapq.heappush(self._heap, (max(when_s, self.now), next(self._order), call, args))

    def after(self, delay_s: float, call: Callable[[*Ts], None], *args: *Ts) -> None:
        """Run ``call(*args)`` ``delay_s`` from now."""
        self.at(self.now + delay_s, call, *args)

    def run_until(self, end_s: float) -> None:
        """Run everything due up to and including ``end_s``; ``now`` is ``end_s`` afterwards."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= end_s:
            self.now, _, call, args = pop(heap)
            call(*args)
        self.now = end_s


class Clock:
    """CLOCK_BOOTTIME of one boot: ``base_s`` at world time ``boot_s``, running at ``rate`` (1.0002 = 200 ppm fast)."""

    __slots__ = ("_base_s", "_boot_s", "rate")

    def __init__(self, boot_s: float, base_s: float, rate: float) -> None:
        self._boot_s, self._base_s, self.rate = boot_s, base_s, rate

    def local(self, world_s: float) -> float:
        """What this clock shows at world time ``world_s``."""
        return self._base_s + (world_s - self._boot_s) * self.rate

    def world(self, local_s: float) -> float:
        """World time at which this clock shows ``local_s``."""
        return self._boot_s + (local_s - self._base_s) / self.rate
