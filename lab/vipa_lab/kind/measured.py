"""A client that asks the virtual IP all the time while something happens, and what it makes of it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from vipa_lab.kind.outages import Outage, today
from vipa_lab.kind.scene import VIP, Scene
from vipa_lab.results import ProbeResult, TcpResult

LOSSLESS_MS: Final = 600.0
"""A takeover at Calm costs at least one silence, 800 ms, so a shorter outage was none: nodes share two cores here, and
are held up now and then."""

_STOP_S: Final = 20.0


class Measured:
    """``result`` and ``tcp`` are there when the block was left."""

    result: ProbeResult
    tcp: TcpResult

    def nodes(self) -> list[str]:
        """Who answered, in order."""
        return [segment.node for segment in self.result.segments]

    def check_lossless(self) -> None:
        """AssertionError when the client was without an answer for so long that something moved with a gap."""
        assert self.result.longest_outage_ms <= LOSSLESS_MS, self.result.outages

    def check_stayed(self, node: str) -> None:
        """AssertionError when another node answered, ever, or the connection broke, or a gap shows that it might."""
        assert self.nodes() == [node]
        assert self.tcp.connects == 1, self.tcp
        self.check_lossless()


Measure = Callable[[str], AbstractContextManager[Measured]]
"""``with measure("adapter down") as seen:``: what happens in the block is kept under that name."""


@contextmanager
def measured(scene: Scene) -> Iterator[Measured]:
    """Asks from the first answers before the block until the last answers after it."""
    seen = Measured()
    udp, tcp = scene.probes.udp(VIP), scene.probes.tcp(VIP)
    try:
        scene.wait_answered(udp)
        scene.wait_answered(tcp)
        yield seen
        scene.wait_answered(udp)
        scene.wait_answered(tcp)
    except BaseException:
        udp.process.kill()
        tcp.process.kill()
        raise
    seen.result, seen.tcp = udp.stop(_STOP_S), tcp.stop(_STOP_S)


def outage_of(fault: str, scene: Scene, seen: Measured, machine: str, commit: str) -> Outage:
    """The line of a fault for the table."""
    result = seen.result
    longest = max(result.outages, key=lambda outage: outage.ms, default=None)
    begin_s = min((segment.start_s for segment in result.segments), default=0.0)
    return Outage(
        fault=fault,
        timing=scene.timing,
        outage_ms=result.longest_outage_ms,
        lost=result.lost,
        sent=result.sent,
        lateness_ms=longest.lateness_ms if longest is not None else result.lateness_max_ms,
        two_ms=sum(overlap.ms for overlap in scene.overlaps() if overlap.end_s >= begin_s),
        tcp_broke=seen.tcp.connects - 1,
        nodes=tuple(seen.nodes()),
        machine=machine,
        commit=commit,
        date=today(),
    )
