"""The lab's side of the observer: what ARP the switch delivered, and the verdict on it (:mod:`vipa_lab.verdict`)."""

import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from vipa_lab import arp
from vipa_lab.capture import READY, End, Frame, Line
from vipa_lab.errors import LabError
from vipa_lab.process import Process
from vipa_lab.switch import Switch
from vipa_lab.tail import Tail
from vipa_lab.verdict import DEFAULT_WINDOW_MS, Claim, Kind, Overlap, Scope, two_answerers

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
        """The frames that matter, for every address; see :func:`to_claims`."""
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


def to_claims(frames: list[Frame]) -> list[Claim]:
    """Asks, answers and announcements, as their receivers got them. A unicast answer that a switch floods (it has not
    learnt the port yet) counts only at the port where its receiver was last heard."""
    claims = []
    home: dict[str, str] = {}
    for frame in frames:
        packet = frame.arp
        if frame.way == "in":
            home[packet.source] = frame.port
            if packet.operation == arp.REQUEST and packet.sender_ip != packet.target_ip:
                claims.append(Claim(frame.at_s, "ask", packet.target_ip, frame.port, packet.sender_mac))
        elif packet.destination == arp.BROADCAST:
            claims.append(Claim(frame.at_s, "announce", packet.sender_ip, frame.port, packet.sender_mac))
        elif home.get(packet.destination, frame.port) == frame.port:
            kind: Kind = "answer" if packet.operation == arp.REPLY else "announce"
            claims.append(Claim(frame.at_s, kind, packet.sender_ip, frame.port, packet.sender_mac))
    return claims
