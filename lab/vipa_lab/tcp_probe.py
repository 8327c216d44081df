"""The client with a session: one long-lived TCP connection, a line every 10 ms, each echoed.

It reports the longest stall, and how often the connection broke. A broken one is made again at once, so the run also
shows who answers afterwards. ``python -m vipa_lab.tcp_probe --target 10.1.1.7``; SIGTERM ends it.
"""

import argparse
import select
import socket
import time
from itertools import pairwise
from typing import Final

from vipa_lab.pacing import ECHO_PORT, REPLY_TIMEOUT_S, LiveReporter, Pacer, Stop, prepare, report
from vipa_lab.results import Sample, TcpResult, find_segments

_CONNECT_TIMEOUT_S: Final = 0.5  # below the second after which a lost SYN is repeated (RFC 6298)
_RECONNECT_PAUSE_S: Final = 0.05
_RECEIVE_MAX: Final = 65536


class TcpProbe:
    """``samples``: one per line sent; lines lost with a broken connection stay unanswered."""

    def __init__(self, target: str, port: int, pacer: Pacer) -> None:
        self._address = (target, port)
        self._pacer = pacer
        self._live = LiveReporter()
        self._socket: socket.socket | None = None
        self._buffer = b""
        self._retry_s = 0.0
        self._next_echo = 0
        self.samples: list[Sample] = []
        self.connects = 0
        self.resets = 0

    def run(self, stop: Stop) -> None:
        """Until ``stop`` or the pacer's limit; then wait for the last echoes."""
        while not stop and not self._pacer.exhausted:
            self._connect_if_needed()
            self._send_when_due()
            self._receive(max(0.0, self._pacer.due_s - time.monotonic()))
            self._live.maybe(self.samples)
        end_s = time.monotonic() + REPLY_TIMEOUT_S
        while self._socket and self._next_echo < len(self.samples) and time.monotonic() < end_s:
            self._receive(end_s - time.monotonic())

    def _connect_if_needed(self) -> None:
        if self._socket or time.monotonic() < self._retry_s:
            return
        try:
            sock = socket.create_connection(self._address, _CONNECT_TIMEOUT_S)
        except OSError:
            self._retry_s = time.monotonic() + _RECONNECT_PAUSE_S
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        self._socket, self._buffer = sock, b""
        self._next_echo = len(self.samples)
        self.connects += 1

    def _send_when_due(self) -> None:
        due_s, now_s = self._pacer.due_s, time.monotonic()
        if now_s < due_s:
            return
        self._pacer.taken()
        if self._socket is None:
            return
        try:
            self._socket.send(b"%d\n" % len(self.samples))
            self.samples.append(Sample(due_s, now_s))
        except BlockingIOError:
            return  # the send buffer is full of earlier lines: the stall is being measured already
        except OSError:
            self._broken()

    def _receive(self, timeout_s: float) -> None:
        if self._socket is None:
            time.sleep(min(timeout_s, _RECONNECT_PAUSE_S))
            return
        if not select.select([self._socket], [], [], min(timeout_s, REPLY_TIMEOUT_S))[0]:
            return
        try:
            data = self._socket.recv(_RECEIVE_MAX)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._broken()
            return
        now_s = time.monotonic()
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            node, blank, seq = line.decode(errors="replace").partition(" ")
            if blank:  # the greeting has none
                self._take(int(seq), node, now_s)

    def _take(self, seq: int, node: str, now_s: float) -> None:
        sample = self.samples[seq]
        sample.answered_s, sample.node = now_s, node
        self._next_echo = seq + 1
        self._live.answered(seq, sample)

    def _broken(self) -> None:
        if self._socket:
            self._socket.close()
            self._socket = None
        self.resets += 1

    def result(self, target: str, period_s: float) -> TcpResult:
        """The run so far. A line lost with its connection stalled until the next echo, or until now."""
        resumed_s = time.monotonic()
        stalls = [(0.0, 0.0)]
        for sample in reversed(self.samples):
            resumed_s = sample.answered_s or resumed_s
            stalls.append((resumed_s - sample.sent_s, sample.sent_s))
        stall_s, start_s = max(stalls)
        echoes_s = sorted(sample.answered_s for sample in self.samples if sample.node)
        return TcpResult(
            target=target,
            period_ms=period_s * 1000,
            sent=len(self.samples),
            echoed=sum(bool(sample.node) for sample in self.samples),
            stall_ms_max=stall_s * 1000,
            stall_start_s=start_s,
            gap_ms_max=max((b - a for a, b in pairwise(echoes_s)), default=0.0) * 1000,
            resets=self.resets,
            connects=self.connects,
            segments=tuple(find_segments(self.samples)),
            lateness_max_ms=max(((sample.sent_s - sample.due_s) * 1000 for sample in self.samples), default=0.0),
        )


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--port", type=int, default=ECHO_PORT)
    parser.add_argument("--period-ms", type=float, default=10.0)
    parser.add_argument("--count", type=int, default=0, help="stop after so many (0: until SIGTERM)")
    options = parser.parse_args()
    stop = Stop()
    prepare()
    period_s = options.period_ms / 1000
    probe = TcpProbe(options.target, options.port, Pacer(period_s, options.count))
    probe.run(stop)
    report(probe.result(options.target, period_s))


if __name__ == "__main__":
    main()
