"""At most so many virtual IPs at once: when a node dies that held hundreds, each has its turn.

All at once they would keep the loop busy for longer than a silence: the node would be late, distrust itself, and begin
anew without end. So a step looks at a few, the next one at the next few, and frames, heartbeats and timers get their
turn between. Those whose turn has not come wait in order and send nothing.
"""

from typing import Final

LOOK_S: Final = 0.0001
"""One look at one virtual IP with all that comes of it: 30 to 60 µs with the probes it sends, on a busy core up to
twice that (profiled with 600, docs/limits.md "Many virtual IPs")."""

LOOKS_MIN: Final = 16
"""So many looks cost 1.6 ms: an eighth of Fast's silence."""

PROBING_MAX: Final = 128
"""Probed at once: 128 × three questions per gap of 10 ms are 38,400 frames a second, 2.6 % of what a gigabit port
carries of the smallest (1.49 million), for as long as a takeover lasts. More would not be faster: the processor is what
limits."""

EXCHANGING_MAX: Final = 16
"""Offered at once: the successor claims them within one claim element's life (20 ms at Default), while frames come in.
With 64 on a busy machine the elements ended first, again and again."""

OFFERS_PER_S: Final = EXCHANGING_MAX / 0.020
"""Those that wait for a place ask again at this pace: a hand-over takes about 20 ms."""

CLAIM_S: Final = 0.0003
"""What a claim adds to the time between the claim elements of many and the permit of all: 60 µs; five times that on a
busy machine."""


def looks_max(silence_s: float) -> int:
    """Looks in one step, where the shortest silence is ``silence_s``: a quarter of it, so that half of it is left on a
    core that others use too."""
    return LOOKS_MIN if silence_s == 0 else max(LOOKS_MIN, int(min(silence_s, 1.0) / 4 / LOOK_S))


def claims_max(element_s: float) -> int:
    """Claims at once, so that the permit of all is asked for while the claim elements (life ``element_s``) still
    live."""
    return max(1, min(PROBING_MAX, int(element_s / CLAIM_S)))


class Measure:
    """How much one step may do here: what it cost on an idle machine is the most, what it takes counts."""

    def __init__(self) -> None:
        self._share = 1.0
        self.judge(0.0)

    def judge(self, silence_s: float) -> None:
        """The shortest silence is ``silence_s`` from now on."""
        self.silence_s = silence_s
        self._looks_max = looks_max(silence_s)

    @property
    def looks(self) -> int:
        """Looks in one step."""
        return max(LOOKS_MIN, int(self._looks_max * self._share))

    @property
    def probing(self) -> int:
        """Probed at once: not more than one step looks at."""
        return min(PROBING_MAX, self.looks)

    def claims(self, element_s: float) -> int:
        """Claims at once, of elements that live ``element_s``."""
        return max(1, int(claims_max(element_s) * self._share))

    def took(self, seconds: float) -> None:
        """A step that did as much as it may, and all that came of it."""
        if seconds > self.silence_s / 3:
            self.less()
        else:
            self._share = min(1.0, self._share * 1.25)

    def less(self) -> None:
        """It was too much: halve it."""
        self._share = max(0.05, self._share / 2)


class Crowd:
    """Names of virtual IPs that probe, wait for their turn to probe, or claim."""

    def __init__(self) -> None:
        self._probing: set[str] = set()
        self._waiting: dict[str, None] = {}
        self.claiming: set[str] = set()

    def may_probe(self, name: str, most: int) -> bool:
        """Whether ``name`` may begin to probe, ``most`` at once; if not it stands in the queue from now on."""
        if name not in self._probing and len(self._probing) >= most:
            self._waiting[name] = None
            return False
        self._waiting.pop(name, None)
        self._probing.add(name)
        return True

    @property
    def waiting(self) -> int:
        """How many stand in the queue."""
        return len(self._waiting)

    def room(self, most: int) -> bool:
        """Whether fewer than ``most`` probe and somebody waits."""
        return bool(self._waiting) and len(self._probing) < most

    def wait(self, name: str) -> None:
        """``name`` stands in the queue, at its end if it did not."""
        if name not in self._probing:
            self._waiting[name] = None

    def rest(self, name: str) -> bool:
        """``name`` neither probes nor waits for now; whether that leaves room."""
        self._waiting.pop(name, None)
        probed = name in self._probing
        self._probing.discard(name)
        return probed

    def next(self) -> str:
        """Who has waited longest and may probe from now on; "" for nobody."""
        name = next(iter(self._waiting), "")
        if name:
            del self._waiting[name]
            self._probing.add(name)
        return name
