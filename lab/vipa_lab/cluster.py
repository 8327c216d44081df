"""The scenario's LAN watched from outside: ask agents and wire, wait for what shall become true, judge at the end.

A :class:`Cluster` is a context manager. An error that leaves its block carries the agents' last log lines as a note;
leaving it without one judges the run: no two answerers, and no agent that failed by itself.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from vipa_agent.status import StatusError
from vipa_lab.errors import LabError
from vipa_lab.fleet import Fleet
from vipa_lab.lab import Lab
from vipa_lab.node import Node
from vipa_lab.probe import Probe
from vipa_lab.results import ProbeResult, TcpResult
from vipa_lab.stack import Stack
from vipa_lab.until import until
from vipa_lab.verdict import DEFAULT_WINDOW_MS

WAIT_S: Final = 40.0
"""For what must happen soon: takeovers at Calm take 1-3 s on a quiet machine, and tests run on busy ones."""

# Cheap enough to do often: a look at a file; asking an agent costs its event loop about a millisecond.
_LOOK_S: Final = 0.02
_ASK_S: Final = 0.1
# The asker asks every 20 ms; a busy machine delays it and its report, so only more than this counts as silence.
_SILENT_MS: Final = 500.0
# The verdict takes A, B, A within its window for two answerers, so no test may make the holder go and return in less.
_DWELL_S: Final = 2.5 * DEFAULT_WINDOW_MS / 1000


class Cluster(Fleet):
    """A fleet, an observer, and a cold client on r1 that asks for each address of the virtual IP all the time
    (``askers``; ``asker`` for the first). Endpoints are written "w1/eth1". ``foreign``: MACs that answer for the
    virtual IP as part of a test, and are not judged."""

    def __init__(self, lab: Lab, *, stack: Stack = "ipv4", **vip: str) -> None:
        super().__init__(lab, stack=stack, **vip)
        self.foreign: set[str] = set()
        self._settled_s = 0.0
        self.observer = lab.observe(self.scenario.lan)
        self.askers: list[Probe[ProbeResult]] = [self.scenario.router.asker(address) for address in self.vips]
        self.asker = self.askers[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(self.logs())
            return
        try:
            self.judge()
        except AssertionError as wrong:
            wrong.add_note(self.logs())
            raise

    # --- looking

    def erp(self, name: str) -> dict[str, Any]:
        """The virtual IP's part of it; {} when that agent does not know it (yet), or does not answer."""
        try:
            return next((vip for vip in self.status(name)["vips"] if vip["name"] == "erp"), {})
        except StatusError:
            return {}

    def answerer(self) -> str:
        """Which endpoint the cold client's latest questions were answered by; "" for none, "?" for a foreign MAC. Where
        there are two addresses, "" when one is not answered, and both endpoints when they differ."""
        answering = {self._answerer(asker) for asker in self.askers}
        return "" if "" in answering else "+".join(sorted(answering))

    def holders(self) -> list[str]:
        """Endpoints of the agents that say they hold the virtual IP."""
        said = [(name, self.erp(name)) for name in self.running()]
        return [f"{name}/{vip['interface']}" for name, vip in said if vip.get("role") == "Holder"]

    def datagrams(self, target: str = "") -> Probe[ProbeResult]:
        """A client that sends a datagram every 5 ms, to the virtual IP unless told otherwise: loss is asked for here,
        and the resolution of a benchmark would only make a small machine busier."""
        return self.client.udp_probe(target or self.vip, period_ms=5)

    # --- waiting

    def start_both(self) -> None:
        """Both agents at once, until the first of the list serves."""
        self.start("w1", "w2")
        self.wait_peers()
        self._settled_s = self.wait_serves("w1/eth1")

    def wait(
        self, condition: Callable[[], bool], what: str, timeout_s: float = WAIT_S, every_s: float = _ASK_S
    ) -> None:
        """Until ``condition`` holds; AssertionError that names ``what``."""
        until(condition, lambda: f"{what}; {self._state()}", timeout_s, every_s)

    def wait_serves(self, endpoint: str, timeout_s: float = WAIT_S) -> float:
        """Until the wire and the agents agree that ``endpoint`` alone serves, and long enough for the next fault; gives
        the CLOCK_MONOTONIC second at which the wire was seen to."""
        self.wait(lambda: self.answerer() == endpoint, f"{endpoint} answers", timeout_s, _LOOK_S)
        seen_s = time.monotonic()
        self.wait(lambda: self.holders() == [endpoint], f"{endpoint} alone is Holder", timeout_s)
        time.sleep(max(0.0, seen_s + _DWELL_S - time.monotonic()))
        return seen_s

    def wait_peers(self) -> None:
        """Until each agent hears the other both ways over every adapter that is up."""
        self.wait(lambda: all(self._hears(name) for name in self.agents), "the agents hear each other both ways")

    def wait_healthy(self, endpoint: str, healthy: bool = True) -> None:
        """Until its agent judges the endpoint so."""
        node, _, interface = endpoint.partition("/")

        def judged() -> bool:
            try:
                interfaces = self.status(node)["interfaces"]
            except StatusError:
                return False
            return any(each["name"] == interface and each["healthy"] is healthy for each in interfaces)

        self.wait(judged, f"{endpoint} is {'healthy' if healthy else 'unhealthy'}")

    def hold(self, endpoint: str, seconds: float) -> None:
        """Watch that the wire is answered by ``endpoint`` and by no other for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.answerer() in (endpoint, ""), f"{self.answerer()} answers instead of {endpoint}"
            time.sleep(_LOOK_S)

    def wait_answered(self, probe: Probe[ProbeResult] | Probe[TcpResult], more: int = 20) -> None:
        """Until a probe has had so many further answers."""
        self.wait(probe.answers(more), f"{more} answers: {probe.process.last_words(300)}", WAIT_S, _LOOK_S)

    def wait_client(self, probe: Probe[ProbeResult] | Probe[TcpResult], node: str) -> None:
        """Until a probe is answered by ``node``, again and again."""
        self.wait(lambda: (live := probe.live()) is not None and live.node == node, f"the client is answered by {node}")
        self.wait_answered(probe)

    # --- the verdict

    def served(self, since_s: float = 0.0) -> list[str]:
        """Who answered ``asker`` since :meth:`start_both`, or since a later CLOCK_MONOTONIC second, in order, without
        the pauses; it asks no more then."""
        segments = self.asker.stop().segments
        first_s = max(since_s, self._settled_s)
        return [self._endpoint(segment.node) for segment in segments if segment.end_s > first_s]

    def check_lossless(self, result: ProbeResult) -> None:
        """AssertionError when a client lost anything. An agent that says ClaimExpired was held up by the machine for a
        tenth of a second in the middle of a move, as happens with ten busy programs per core: then nothing is said."""
        held_up = any("reason=ClaimExpired" in process.output() for _, process in self._started)
        assert result.lost == 0 or held_up, f"lost {result.lost} of {result.sent}: {result.outages}"

    def judge(self) -> None:
        """AssertionError when two answered at once, or an agent failed by itself."""
        for asker in self.askers:
            asker.process.kill()
        self.observer.stop()
        overlaps = [overlap for address in self.vips for overlap in self.observer.two_answerers(address)]
        ours = [overlap for overlap in overlaps if len(set(overlap.macs) - self.foreign) > 1]
        assert not ours, f"two answerers: {ours}"
        failures = self.failures()
        assert not failures, f"an agent failed by itself: {failures[:3]}"

    def _answerer(self, asker: Probe[ProbeResult]) -> str:
        live = asker.live()
        if live is None or live.silent_ms > _SILENT_MS or not live.node:
            return ""
        return self._endpoint(live.node)

    def _endpoint(self, mac: str) -> str:
        adapters = ((node.name, nic) for node in self.scenario.nodes for nic in node.nics.values())
        return next((f"{name}/{nic.name}" for name, nic in adapters if nic.mac == mac), "?")

    def _hears(self, name: str) -> bool:
        try:
            peers = self.status(name)["peers"]
        except StatusError:
            return False
        return any(peer["twoWay"] for peer in peers)

    def _state(self) -> str:
        try:
            holders = self.holders()
        except LabError as error:
            holders = [str(error)]
        said = f"the wire is answered by {self.answerer() or 'nobody'}, agents that hold: {holders or 'none'}"
        return "\n".join((said, *(_kernel(self.node(name)) for name in self.agents)))


def _kernel(node: Node) -> str:
    """What decides which way a reply takes."""
    looks = [f"ip -{v} {look}" for v in (4, 6) for look in ("rule", "route show table all", "neigh")]
    try:
        return "\n".join(f"--- {node.name}: {look}\n{node.run(look.split())}" for look in looks)
    except LabError as error:  # powered off
        return str(error)
