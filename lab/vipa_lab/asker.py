"""What the cold clients of both IP versions share: a question each N ms, who answers it, and when.

An answer counts for the latest question before it (a question is answered in well under a period, or not at all).
``double_answers`` counts questions answered by more than one MAC: the LAN would follow whichever came last.
"""

import argparse
import select
import socket
import time
from collections.abc import Callable
from typing import Final

from vipa_lab.pacing import LiveReporter, Pacer, Stop, prepare, report
from vipa_lab.results import Sample, summarise

_FRAME_MAX: Final = 128


class Asker:
    """Sends ``question``; ``answer`` gives the MAC that a received frame names in answer to it, or None. ``samples``:
    one per question; ``node`` is the MAC of the first answer."""

    def __init__(
        self, sock: socket.socket, question: bytes, answer: Callable[[bytes], str | None], pacer: Pacer
    ) -> None:
        self._socket = sock
        self._question = question
        self._answer = answer
        self._pacer = pacer
        self._live = LiveReporter()
        self._answerers: set[str] = set()
        self.samples: list[Sample] = []
        self.double_answers = 0

    def run(self, stop: Stop) -> None:
        """Until ``stop`` or the pacer's limit, and one more period for the last answer."""
        while not stop and not self._pacer.exhausted:
            if time.monotonic() >= self._pacer.due_s:
                self._ask()
            self._receive(max(0.0, self._pacer.due_s - time.monotonic()))
            self._live.maybe(self.samples)
        end_s = time.monotonic() + self._pacer.period_s
        while (left_s := end_s - time.monotonic()) > 0:
            self._receive(left_s)

    def _ask(self) -> None:
        self.samples.append(Sample(self._pacer.due_s, time.monotonic()))
        self._pacer.taken()
        self._answerers = set()
        try:
            self._socket.send(self._question)
        except OSError:
            return  # own link down: the question stays unanswered

    def _receive(self, timeout_s: float) -> None:
        # An endless deadline means no more questions: poll often enough to notice the end.
        if not select.select([self._socket], [], [], min(timeout_s, self._pacer.period_s))[0]:
            return
        while True:
            try:
                mac = self._answer(self._socket.recv(_FRAME_MAX))
            except BlockingIOError:
                return
            except OSError:
                continue  # "network is down", reported once
            if mac:
                self._take(mac)

    def _take(self, mac: str) -> None:
        if not self.samples or mac in self._answerers:
            return
        self._answerers.add(mac)
        if len(self._answerers) == 2:
            self.double_answers += 1
        sample = self.samples[-1]
        if not sample.node:
            sample.answered_s, sample.node = time.monotonic(), mac
            self._live.answered(len(self.samples) - 1, sample)


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The command line of an asker."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--interface", required=True)
    parser.add_argument("--ip", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--period-ms", type=float, default=20.0)
    parser.add_argument("--count", type=int, default=0, help="stop after so many (0: until SIGTERM)")
    return parser


def open_raw(interface: str, ethertype: int) -> tuple[socket.socket, str]:
    """A socket for whole frames of one Ethernet type on ``interface``, and that interface's MAC."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
    sock.bind((interface, ethertype))
    sock.setblocking(False)
    return sock, sock.getsockname()[4].hex(":")


def ask(
    options: argparse.Namespace, kind: str, sock: socket.socket, question: bytes, answer: Callable[[bytes], str | None]
) -> None:
    """Ask as the command line says, and report."""
    stop = Stop()
    realtime = prepare()
    period_s = options.period_ms / 1000
    asker = Asker(sock, question, answer, Pacer(period_s, options.count))
    asker.run(stop)
    report(
        summarise(
            asker.samples,
            kind=kind,
            target=options.target,
            period_s=period_s,
            realtime=realtime,
            double_answers=asker.double_answers,
        )
    )
