"""The cold client: asks "who has the virtual IP?" each N ms and notes who answers, and when.

``python -m vipa_lab.arp_asker --interface eth1 --ip 10.1.1.1 --target 10.1.1.7``; SIGTERM ends it. An answer counts for
the latest question before it (a question is answered in well under a period, or not at all). ``double_answers`` counts
questions answered by more than one MAC: the LAN would follow whichever came last.
"""

import argparse
import select
import socket
import time

from vipa_lab import arp
from vipa_lab.pacing import LiveReporter, Pacer, Stop, prepare, report
from vipa_lab.results import Sample, summarise


class ArpAsker:
    """``samples``: one per question; ``node`` is the MAC of the first answer."""

    def __init__(self, interface: str, ip: str, target: str, pacer: Pacer) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(arp.ETH_P_ARP))
        self._socket.bind((interface, arp.ETH_P_ARP))
        self._socket.setblocking(False)
        self._mac = self._socket.getsockname()[4].hex(":")
        self._question = arp.who_has(self._mac, ip, target)
        self._target = target
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
                frame = arp.parse(self._socket.recv(128))
            except BlockingIOError:
                return
            except OSError:
                continue  # "network is down", reported once
            if frame and (frame.operation, frame.sender_ip) == (arp.REPLY, self._target):
                self._take(frame)

    def _take(self, frame: arp.Arp) -> None:
        # Announcements in reply form are broadcast: they answer nobody's question.
        if frame.destination != self._mac or not self.samples or frame.sender_mac in self._answerers:
            return
        self._answerers.add(frame.sender_mac)
        if len(self._answerers) == 2:
            self.double_answers += 1
        sample = self.samples[-1]
        if not sample.node:
            sample.answered_s, sample.node = time.monotonic(), frame.sender_mac
            self._live.answered(len(self.samples) - 1, sample)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interface", required=True)
    parser.add_argument("--ip", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--period-ms", type=float, default=20.0)
    parser.add_argument("--count", type=int, default=0, help="stop after so many (0: until SIGTERM)")
    options = parser.parse_args()
    stop = Stop()
    realtime = prepare()
    period_s = options.period_ms / 1000
    asker = ArpAsker(options.interface, options.ip, options.target, Pacer(period_s, options.count))
    asker.run(stop)
    report(
        summarise(
            asker.samples,
            kind="arp",
            target=options.target,
            period_s=period_s,
            realtime=realtime,
            double_answers=asker.double_answers,
        )
    )


if __name__ == "__main__":
    main()
