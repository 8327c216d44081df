"""A machine to measure from. Every probe is a program of its own, so nothing in the lab's process disturbs it."""

import sys

from vipa_lab.host import Host
from vipa_lab.nd import Form
from vipa_lab.pacing import ECHO_PORT
from vipa_lab.probe import Probe
from vipa_lab.process import Process
from vipa_lab.results import ProbeResult, TcpResult


class Client(Host):
    """Periods are milliseconds; ``count`` 0 runs until the probe is stopped."""

    def udp_probe(
        self, target: str, *, period_ms: float = 2.0, count: int = 0, port: int = ECHO_PORT
    ) -> Probe[ProbeResult]:
        """Datagrams to ``target``, each answered or lost."""
        return Probe(self._start("udp_probe", target, period_ms, count, ["--port", str(port)]))

    def tcp_probe(
        self, target: str, *, period_ms: float = 10.0, count: int = 0, port: int = ECHO_PORT
    ) -> Probe[TcpResult]:
        """One long-lived connection to ``target``."""
        return Probe(self._start("tcp_probe", target, period_ms, count, ["--port", str(port)]))

    def connect_probe(
        self, target: str, *, period_ms: float = 50.0, count: int = 0, port: int = ECHO_PORT
    ) -> Probe[ProbeResult]:
        """A new connection to ``target`` each period."""
        return Probe(self._start("connect_probe", target, period_ms, count, ["--port", str(port)]))

    def arp_asker(
        self, target: str, *, period_ms: float = 20.0, count: int = 0, nic: str = "eth1"
    ) -> Probe[ProbeResult]:
        """A cold client that asks for ``target``'s MAC each period; the result's "nodes" are MACs."""
        more = ["--interface", nic, "--ip", self.nics[nic].address]
        return Probe(self._start("arp_asker", target, period_ms, count, more))

    def nd_asker(
        self,
        target: str,
        *,
        period_ms: float = 20.0,
        count: int = 0,
        nic: str = "eth1",
        form: Form = "multicast",
        to_mac: str = "",
    ) -> Probe[ProbeResult]:
        """The same for an IPv6 ``target``; ``to_mac``: whom the unicast form asks."""
        more = ["--interface", nic, "--ip", self.nics[nic].address6, "--form", form]
        return Probe(self._start("nd_asker", target, period_ms, count, [*more, "--to-mac", to_mac]))

    def asker(self, target: str, *, period_ms: float = 20.0) -> Probe[ProbeResult]:
        """The cold client for ``target``'s IP version."""
        return (self.nd_asker if ":" in target else self.arp_asker)(target, period_ms=period_ms)

    def _start(self, program: str, target: str, period_ms: float, count: int, more: list[str]) -> Process:
        argv = [sys.executable, "-m", f"vipa_lab.{program}", "--target", target]
        argv += ["--period-ms", str(period_ms), "--count", str(count), *more]
        return self.start(argv, program)
