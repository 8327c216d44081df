"""The lab's side of the observer: what ARP and ND the switch delivered, and the verdict on it
(:mod:`vipa_lab.verdict`)."""

import math
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from vipa_lab.capture import READY, End, Frame, Line
from vipa_lab.errors import LabError
from vipa_lab.process import Process
from vipa_lab.sightings import leaks, to_claims
from vipa_lab.switch import Switch
from vipa_lab.tail import Tail
from vipa_lab.verdict import DEFAULT_WINDOW_MS, Claim, Overlap, Scope, two_answerers

# A Python program starts in about 0.1 s; a busy 2-core machine was seen to take 2 s.
_START_TIMEOUT_S: Final = 20.0

_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class Observer:
    """Captures from its creation on. It sends nothing itself: start an asker on a client or a neutral station."""

    def __init__(self, switch: Switch, directory: Path) -> None:
        log = directory / f"capture-{time.monotonic_ns()}.log"
        self.process = Process(switch.namespace, [sys.executable, "-m", "vipa_lab.capture"], log)
        self._tail = Tail(log, len(READY) + 1)
        self._frames: list[Frame] = []
        self._dropped = 0
        self.process.wait_output(READY.decode(), _START_TIMEOUT_S)

    def frames(self) -> list[Frame]:
        """Everything captured so far, by time."""
        for line in self._tail.lines():
            message = _decoder.decode(line)
            if isinstance(message, End):
                self._dropped = message.dropped
            else:
                self._frames.append(message)
        return sorted(self._frames, key=lambda frame: frame.at_s)

    def claims(self) -> list[Claim]:
        """The frames that matter, for every address; see :func:`vipa_lab.sightings.to_claims`."""
        return to_claims(self.frames())

    def stop(self) -> None:
        """End the capture; what passed before is kept. LabError when frames were dropped: any verdict is void."""
        self.process.terminate()
        self.frames()
        if self._dropped:
            raise LabError(
                f"the observer lost {self._dropped} frames: no verdict; the machine is too busy for this run"
            )

    def two_answerers(
        self, vip: str, *, scope: Scope = "receiver", window_ms: float = DEFAULT_WINDOW_MS
    ) -> list[Overlap]:
        """Every overlap for ``vip`` so far; empty is the promise kept. After :meth:`stop` it is final."""
        return two_answerers(self.claims(), vip, scope=scope, window_ms=window_ms)

    def leaks(self, vip: str, elected: Collection[str], since_s: float = 0.0, until_s: float = math.inf) -> list[Frame]:
        """Frames so far that speak for ``vip`` and came from another port than ``elected``; see
        :func:`vipa_lab.sightings.leaks`."""
        return leaks(self.frames(), vip, elected, since_s, until_s)
