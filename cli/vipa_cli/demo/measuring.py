"""The client's instruments for the length of one act, and the observer and the asker for the whole demo."""

import contextlib
import os
import signal
from typing import Final

from vipa_cli.demo.acts import VIP
from vipa_cli.demo.beyond import Beyond
from vipa_cli.playground import Playground
from vipa_lab.observer import Observer
from vipa_lab.probe import Probe
from vipa_lab.results import Live, ProbeResult, TcpResult
from vipa_lab.sightings import to_claims
from vipa_lab.verdict import Claim, Overlap, two_answerers

# A client that asks anew this often sees a hole or a second answerer of one period.
_ASK_MS: Final = 20.0
# Older than this and unanswered: nobody answers now. Two and a half asks, as one may be under way.
SILENT_MS: Final = 50.0


class Wire:
    """What the switch sees: who answers, and whether two do. Runs as long as the lab."""

    def __init__(self, playground: Playground) -> None:
        scenario = playground.scenario
        self._names = playground.names_by_mac()
        self._observer: Observer = scenario.lab.observe(scenario.lan)
        self._asker: Probe[ProbeResult] = scenario.router.arp_asker(VIP, period_ms=_ASK_MS)
        self.asker_port = scenario.router.nics["eth1"].port.name
        self._judged_until_s = 0.0

    def answerer(self) -> str:
        """The adapter that answers who asks now ("w1/eth1"), "" when none does."""
        live = self._asker.live()
        if live is None or not live.node or live.silent_ms > SILENT_MS:
            return ""
        return self._names.get(live.node, live.node)

    def since(self, start_s: float) -> tuple[list[Claim], list[Overlap]]:
        """ARP about the virtual IP from ``start_s`` on; and every overlap that no call before this one gave."""
        claims = [claim for claim in to_claims(self._observer.frames()) if claim.vip == VIP]
        overlaps = [o for o in two_answerers(claims, VIP) if o.end_s > self._judged_until_s]
        self._judged_until_s = max((claim.at_s for claim in claims), default=self._judged_until_s)
        return [claim for claim in claims if claim.at_s >= start_s], overlaps

    def stop(self) -> None:
        """End the capture. LabError when it lost frames: then nothing can be said about two answerers."""
        self._observer.stop()

    @property
    def names(self) -> dict[str, str]:
        """Adapter by MAC."""
        return self._names


class Client:
    """A datagram every 2 ms and a long TCP session, until :meth:`stop`. ``beyond``: clients behind a router, if any."""

    def __init__(self, playground: Playground, *, session: bool) -> None:
        client = playground.scenario.client
        self._udp: Probe[ProbeResult] = client.udp_probe(VIP)
        self._tcp: Probe[TcpResult] | None = client.tcp_probe(VIP) if session else None
        self.beyond = Beyond(playground.remote) if playground.remote is not None else None

    def live(self) -> Live | None:
        """The datagrams' counters."""
        return self._udp.live()

    def is_served(self) -> bool:
        """Whether datagrams and session are answered now, and have been for a while."""
        live, tcp = self._udp.live(), self._tcp.live() if self._tcp else None
        udp_well = live is not None and live.answered >= 100 and live.silent_ms < SILENT_MS
        tcp_well = self._tcp is None or (tcp is not None and tcp.answered >= 10)
        return udp_well and tcp_well and (self.beyond is None or self.beyond.is_served())

    def node(self) -> str:
        """The machine that answers the datagrams now, "" when none does."""
        live = self._udp.live()
        return live.node if live is not None and live.silent_ms < SILENT_MS else ""

    def stop(self) -> tuple[ProbeResult, TcpResult | None]:
        """The results of the one on the LAN, after at most a second for the last answers."""
        if self.beyond is not None:
            self.beyond.ask_to_stop()
        for probe in (self._udp, self._tcp):  # at once, or each would wait for its last answers in turn
            if probe is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(probe.process.pid, signal.SIGTERM)
        return self._udp.stop(), self._tcp.stop() if self._tcp else None
