"""The IBM i scenario in a kind cluster: wire, status and Events are asked until they agree, and judged at the end.

Endpoints are named by their own address ("10.1.1.4"), as the preferred interface list does: an adapter that comes back
may have another name, and a node that comes back another MAC.
"""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

from vipa_lab.errors import LabError
from vipa_lab.kind import echo
from vipa_lab.kind.cluster import KindCluster
from vipa_lab.kind.lan import ClientProbes, LanObserver, Station
from vipa_lab.kind.netns import Adapter, adapters, bound, run
from vipa_lab.kind.places import LAN_BRIDGE, NAMESPACE, SERVICE_ADDRESSES
from vipa_lab.kube.kubectl import KubectlError, Object
from vipa_lab.manifests import preferred_list, virtual_ip
from vipa_lab.probe import Probe
from vipa_lab.results import ProbeResult, TcpResult
from vipa_lab.until import until
from vipa_lab.verdict import DEFAULT_WINDOW_MS, Overlap

NAME: Final = "erp"
VIP: Final = "10.1.1.7"
PREFERRED: Final = ("10.1.1.4", "10.1.1.5", "10.1.1.6")
WAIT_S: Final = 120.0
"""For what must happen soon: Calm takes 1-3 s for a takeover, and three nodes share two cores here."""

_STATION: Final = "10.1.1.21/24"
_LOOK_S: Final = 0.02
# kubectl costs a tenth of a second of processor.
_ASK_S: Final = 0.5
# The asker asks every 20 ms; only more than this counts as silence.
_SILENT_MS: Final = 500.0
# The verdict takes A, B, A within its window for two answerers, so no test may make the holder go and return in less.
_DWELL_S: Final = 2.5 * DEFAULT_WINDOW_MS / 1000

Told = dict[str, tuple[str, int]]
"""By an Event's name: what it says, and how often that was so."""


class Scene:
    """An observer and a cold client from its creation on; ``probes`` are the client container's. A context manager;
    leaving it stops what it started, :meth:`judge` before that gives the verdict."""

    def __init__(self, cluster: KindCluster, folder: Path, timing: str = "Calm") -> None:
        self.cluster = cluster
        self.kubectl = cluster.kubectl
        self.timing = timing
        self.probes = ClientProbes(lambda: cluster.pid(cluster.client), folder)
        self._known: dict[str, tuple[str, Adapter]] = {}
        with ExitStack() as stack:
            self.observer = LanObserver(LAN_BRIDGE, folder)
            stack.callback(self.observer.process.kill)
            (folder / "station").mkdir()
            self.station = Station(LAN_BRIDGE, _STATION, folder / "station")
            stack.callback(self.station.close)
            self.asker: Probe[ProbeResult] = self.station.ask(VIP)
            self._closing = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    # --- what people do

    def apply(self, failback: str = "{policy: Immediate}", addresses: tuple[str, ...] = PREFERRED) -> None:
        """The VirtualIP and its list, as ``kubectl apply`` of the seed's manifests."""
        self.kubectl.apply(virtual_ip(failback=failback, timing=self.timing) + preferred_list(*addresses))

    def vipa(self, *words: str) -> str:
        """The command line, as a person at the cluster uses it."""

        program = str(Path(sys.executable).with_name("vipa"))
        return run(program, *words, "--kubeconfig", str(self.cluster.kubeconfig), timeout_s=WAIT_S)

    # --- looking

    def answerer(self) -> tuple[str, Adapter] | None:
        """Node and adapter that the cold client's latest questions were answered by; None for nobody."""
        live = self.asker.live()
        if live is None or live.silent_ms > _SILENT_MS or not live.node:
            return None
        if live.node not in self._known:
            self._known = {a.mac: (node, a) for node in self.cluster.nodes for a in self._adapters(node)}
        return self._known.get(live.node, ("?", Adapter("?", 0, live.node, (), "", "")))

    def status(self) -> dict[str, Any]:
        """The VirtualIP's status; {} while there is none, or the API server does not answer."""
        try:
            found = self.kubectl.find("virtualip", NAME)
        except KubectlError:
            return {}
        status: dict[str, Any] = (found or {}).get("status", {})
        return status

    def condition(self, kind: str) -> str:
        """Status of a condition of it; "" before it is set."""
        return next((c["status"] for c in self.status().get("conditions", []) if c["type"] == kind), "")

    def moves_told(self) -> Told:
        """What Events about the virtual IP say of moves."""
        events: list[Object] = self.kubectl.list("events", "default")
        ours = [event for event in events if event["involvedObject"]["name"] == NAME]
        moves = [event for event in ours if event["message"].startswith(("moved from", "served by"))]
        return {event["metadata"]["name"]: (event["message"], event["count"]) for event in moves}

    def bound_on(self) -> list[str]:
        """Nodes whose kernel has the virtual IP bound; paused ones too."""
        return [node for node in self.cluster.nodes if bound(self.cluster.pid(node), VIP)]

    # --- waiting

    def wait(
        self, condition: Callable[[], bool], what: str, timeout_s: float = WAIT_S, every_s: float = _ASK_S
    ) -> None:
        """Until ``condition`` holds; AssertionError that names ``what``."""
        until(condition, lambda: f"{what}; {self._state()}", timeout_s, every_s)

    def wait_wire(self, address: str, timeout_s: float = WAIT_S) -> None:
        """Until the wire is answered by the adapter with this address, and long enough for the next fault."""
        self._known = {}

        def answered() -> bool:
            found = self.answerer()
            return found is not None and address in found[1].addresses

        self.wait(answered, f"{address} answers", timeout_s, _LOOK_S)
        time.sleep(_DWELL_S)

    def wait_serves(self, address: str, timeout_s: float = WAIT_S) -> str:
        """Until wire and status agree that ``address`` serves; gives it as Events call it, "node/interface"."""
        self.wait_wire(address, timeout_s)
        answerer = self.answerer()
        assert answerer is not None, f"{address} answers no more"
        node, adapter = answerer
        true = {"node": node, "interface": adapter.name, "address": address, "mac": adapter.mac}

        def agrees() -> bool:
            holder = self.status().get("holder") or {}
            return {key: holder.get(key) for key in true} == true and self.condition("Ready") == "True"

        self.wait(agrees, f"the status says {true}", timeout_s)
        return f"{node}/{adapter.name}"

    def wait_told(self, before: Told, endpoint: str) -> None:
        """Until an Event that was not there ``before`` says that ``endpoint`` serves."""

        def told() -> bool:
            new = self.moves_told().items() - before.items()
            return any(f"to {endpoint}" in message or f"by {endpoint}" in message for _, (message, _) in new)

        self.wait(told, f"an Event says {endpoint}")

    def wait_answered(self, probe: Probe[ProbeResult] | Probe[TcpResult], more: int = 40) -> None:
        """Until a probe has had so many further answers."""
        self.wait(probe.answers(more), f"{more} answers: {probe.process.last_words(300)}", WAIT_S, _LOOK_S)

    def wait_redundant(self) -> None:
        """Until all three candidates are healthy."""

        def whole() -> bool:
            succession = self.status().get("succession", [])
            return [each["address"] for each in succession if each["healthy"]] == list(PREFERRED)

        self.wait(whole, f"{', '.join(PREFERRED)} are healthy")

    def wait_nodes_ready(self) -> None:
        """Until every node is Ready and runs its agent and the echo server."""
        wait = f"--timeout={WAIT_S:g}s"
        self.kubectl.run("wait", "--for=condition=Ready", "nodes", "--all", wait, timeout_s=WAIT_S + 10)
        for namespace, name in ((NAMESPACE, "vipa-agent"), (echo.NAMESPACE, echo.NAME)):
            words = ("rollout", "status", f"daemonset/{name}", "-n", namespace, wait)
            self.kubectl.run(*words, timeout_s=WAIT_S + 10)

    # --- the verdict

    def overlaps(self) -> list[Overlap]:
        """Every time that two answered at once, so far. Not an A, B, A of one node's own adapters, each to questions of
        its own: that is a move within the node and back, which one kernel does in one step."""
        nodes = {adapter.mac: node for node in self.cluster.nodes for adapter in self._adapters(node)}

        def within_a_node(overlap: Overlap) -> bool:
            return overlap.rule == "interleaved" and len({nodes.get(mac, mac) for mac in overlap.macs}) == 1

        return [overlap for overlap in self.observer.two_answerers(VIP) if not within_a_node(overlap)]

    def judge(self) -> None:
        """AssertionError when two answered at once; nothing is asked or captured after this."""
        self.asker.process.kill()
        self.observer.stop()
        overlaps = self.overlaps()
        assert not overlaps, f"two answerers: {overlaps}"

    def _adapters(self, node: str) -> list[Adapter]:
        try:
            found = adapters(self.cluster.pid(node))
        except LabError:
            return []  # it is powered off
        return [adapter for adapter in found if any(_on_lan(address) for address in adapter.addresses)]

    def _state(self) -> str:
        status = self.status()
        conditions = {c["type"]: f"{c['status']} {c['reason']}" for c in status.get("conditions", [])}
        return f"the wire is answered by {self.answerer() or 'nobody'}; status: {status.get('holder')}, {conditions}"


def _on_lan(address: str) -> bool:
    return any(address in pair for pair in SERVICE_ADDRESSES.values())
