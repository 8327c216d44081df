"""One act of the demo as its instruments may have seen it."""

import msgspec

from vipa_cli.demo.acts import Act
from vipa_cli.demo.judge import Measured
from vipa_lab.results import Outage, ProbeResult, TcpResult
from vipa_lab.verdict import Claim, Kind

PORT = "r1-eth1"


def outage(ms: float, *, void: bool = False) -> Outage:
    return Outage(1.0, 1.0 + ms / 1000, ms, int(ms / 2), "w1", "w1", 5.0 if void else 0.1, void)


def probe(*outages: Outage, late_ms: float = 0.2) -> ProbeResult:
    return ProbeResult(
        kind="udp",
        target="10.1.1.7",
        period_ms=2.0,
        sent=1000,
        lost=sum(o.lost for o in outages),
        outages=outages,
        segments=(),
        rtt_median_ms=0.2,
        rtt_max_ms=1.0,
        lateness_p99_ms=0.1,
        lateness_max_ms=late_ms,
        lateness_bound_ms=3.0,
        void=late_ms > 3,
        realtime=True,
    )


def session(resets: int = 0) -> TcpResult:
    return TcpResult("10.1.1.7", 10.0, 100, 100, 1.0, 0.0, 11.0, resets, 1 + resets, (), 0.1)


def claim(at_s: float, kind: Kind, mac: str = "aa", port: str = PORT) -> Claim:
    return Claim(at_s, kind, "10.1.1.7", port, mac)


def measured(act: Act, udp: ProbeResult, tcp: TcpResult | None = None, **more: object) -> Measured:
    base = Measured(0.0, 9.0, udp, tcp or session(), (), (), served=True, last=act.situation.serves, took_s=0.5)
    return msgspec.structs.replace(base, **more)
