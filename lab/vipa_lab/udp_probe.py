"""The client: UDP datagrams to the virtual IP at absolute deadlines, and what came back from whom.

``python -m vipa_lab.udp_probe --target 10.1.1.7``: JSON lines of :mod:`vipa_lab.results`; SIGTERM ends it, after at
most one second for the last answers. The socket is connected, so only replies from the address asked count.
"""

import argparse
import select
import socket
import struct
import time
from typing import Final

from vipa_lab.pacing import ECHO_PORT, REPLY_TIMEOUT_S, LiveReporter, Pacer, Stop, prepare, report
from vipa_lab.results import Sample, summarise

# sequence number, time of sending (s); the echo server appends its node's name.
PAYLOAD: Final = struct.Struct("!Qd")
_RECEIVE_MAX: Final = 2048


class UdpProbe:
    """``samples`` grows by one per period, answered or not."""

    def __init__(self, target: str, port: int, pacer: Pacer) -> None:
        family, _, _, _, address = socket.getaddrinfo(
            target, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(address)
        self._pacer = pacer
        self._live = LiveReporter()
        self._unanswered = 0
        self.samples: list[Sample] = []

    def run(self, stop: Stop) -> None:
        """Until ``stop`` or the pacer's limit; then wait for the last answers."""
        while not stop and not self._pacer.exhausted:
            self._send_when_due()
            self._receive(max(0.0, self._pacer.due_s - time.monotonic()))
            self._live.maybe(self.samples)
        end_s = time.monotonic() + REPLY_TIMEOUT_S
        while self._unanswered and time.monotonic() < end_s:
            self._receive(end_s - time.monotonic())

    def _send_when_due(self) -> None:
        due_s = self._pacer.due_s
        now_s = time.monotonic()
        if now_s < due_s:
            return
        self._pacer.taken()
        self.samples.append(Sample(due_s, now_s))
        try:
            self._socket.send(PAYLOAD.pack(len(self.samples) - 1, now_s))
            self._unanswered += 1
        except OSError:
            return  # no neighbour, no route, refused: the datagram is lost, which is what is measured

    def _receive(self, timeout_s: float) -> None:
        if not select.select([self._socket], [], [], min(timeout_s, REPLY_TIMEOUT_S))[0]:
            return
        while True:
            try:
                data = self._socket.recv(_RECEIVE_MAX)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error about an earlier datagram, reported once and cleared
            self._take(data, time.monotonic())

    def _take(self, data: bytes, now_s: float) -> None:
        if len(data) <= PAYLOAD.size:
            return
        seq, _ = PAYLOAD.unpack_from(data)
        if seq >= len(self.samples):
            return
        sample = self.samples[seq]
        if sample.node or now_s - sample.sent_s > REPLY_TIMEOUT_S:
            return
        self._unanswered -= 1
        sample.answered_s, sample.node = now_s, data[PAYLOAD.size :].decode(errors="replace")
        self._live.answered(seq, sample)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--port", type=int, default=ECHO_PORT)
    parser.add_argument("--period-ms", type=float, default=2.0)
    parser.add_argument("--count", type=int, default=0, help="stop after so many (0: until SIGTERM)")
    options = parser.parse_args()
    stop = Stop()
    realtime = prepare()
    period_s = options.period_ms / 1000
    probe = UdpProbe(options.target, options.port, Pacer(period_s, options.count))
    probe.run(stop)
    report(summarise(probe.samples, kind="udp", target=options.target, period_s=period_s, realtime=realtime))


if __name__ == "__main__":
    main()
