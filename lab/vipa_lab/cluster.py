"""The scenario's LAN with agents on it: write manifests, start agents, ask them and the wire, wait, judge at the end.

A :class:`Cluster` is a context manager. An error that leaves its block carries the agents' last log lines as a note;
leaving it without one judges the run: no two answerers, and no agent that failed by itself.
"""

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from vipa_agent.status import StatusError, read_status
from vipa_lab.echo_server import READY
from vipa_lab.errors import LabError
from vipa_lab.lab import Lab
from vipa_lab.nic import Nic
from vipa_lab.node import Node
from vipa_lab.probe import Probe
from vipa_lab.process import Process
from vipa_lab.results import ProbeResult, TcpResult
from vipa_lab.scenario import Scenario, ibm_i_lab
from vipa_lab.verdict import DEFAULT_WINDOW_MS

WAIT_S: Final = 40.0
"""For what must happen soon: takeovers at Calm take 1-3 s, and a machine with ten busy programs on two cores was seen
to take ten times as long over a start."""

# Cheap enough to do often: a look at a file; asking an agent costs its event loop about a millisecond.
_LOOK_S: Final = 0.02
_ASK_S: Final = 0.1
# The asker asks every 20 ms; a busy machine delays it and its report, so only more than this counts as silence.
_SILENT_MS: Final = 500.0
# The verdict takes A, B, A within its window for two answerers, so no test may make the holder go and return in less.
_DWELL_S: Final = 2.5 * DEFAULT_WINDOW_MS / 1000
_LOG_LINES: Final = 30
# What an agent's log holds only when something is wrong with the agent itself.
_WRONG: Final = ("Traceback", "kernel refused")
_WARM: Final = """\
import pathlib, sys, time
import vipa_agent.agent, vipa_agent.main
go = pathlib.Path(sys.argv[1])
print("warm", flush=True)
while not go.exists():
    time.sleep(0.002)
sys.exit(vipa_agent.main.run(sys.argv[2:]))
"""


def virtual_ip(
    name: str = "erp",
    address: str = "10.1.1.7",
    *,
    failback: str = "{policy: Immediate}",
    timing: str = "Calm",
    preferred: str = "ibm-i",
) -> str:
    """A VirtualIP manifest. Calm by default: on a busy machine a loop stands still longer than Default's silence."""
    return (
        f"apiVersion: vipa.dev/v1alpha1\nkind: VirtualIP\nmetadata: {{name: {name}}}\nspec:\n"
        f"  addresses: [{address}]\n  preferredInterfaceList: {preferred}\n"
        f"  failback: {failback}\n  timing: {timing}\n---\n"
    )


def preferred_list(*addresses: str, name: str = "ibm-i") -> str:
    """A PreferredInterfaceList manifest, without fallback."""
    entries = ", ".join(f"{{address: {address}}}" for address in addresses)
    return (
        f"apiVersion: vipa.dev/v1alpha1\nkind: PreferredInterfaceList\nmetadata: {{name: {name}}}\nspec:\n"
        f"  interfaces: [{entries}]\n  fallback: None\n---\n"
    )


class Cluster:
    """w1 and w2 of :func:`vipa_lab.scenario.ibm_i_lab`, a folder of manifests they share, an observer and a cold client
    on r1 that asks for the virtual IP all the time. Endpoints are written "w1/eth1". No agent runs at first.

    ``vip``: how the VirtualIP erp is to be (keywords of :func:`virtual_ip`).
    """

    def __init__(self, lab: Lab, **vip: str) -> None:
        self.lab = lab
        self.scenario: Scenario = ibm_i_lab(lab)
        self.client = self.scenario.client
        self.vip = self.scenario.vip
        self.manifests = lab.work_dir / "manifests"
        self.manifests.mkdir()
        self.write("erp.yaml", virtual_ip(**vip))
        self.write("list.yaml", preferred_list(*self.scenario.preferred))
        self._folders: dict[str, Path] = {}
        self.agents: dict[str, Process] = {}
        self._started: list[tuple[str, Process]] = []
        self._frozen: set[str] = set()
        self._settled_s = 0.0
        self.foreign: set[str] = set()
        """MACs that answer for the virtual IP as part of a test: not judged."""
        self.observer = lab.observe(self.scenario.lan)
        self.asker: Probe[ProbeResult] = self.scenario.router.arp_asker(self.vip)

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

    # --- machines and agents

    def node(self, name: str) -> Node:
        """A machine that can hold the virtual IP."""
        return next(node for node in self.scenario.nodes if node.name == name)

    def nic(self, endpoint: str) -> Nic:
        """The adapter "w1/eth1"."""
        node, _, interface = endpoint.partition("/")
        return self.node(node).nics[interface]

    def folder(self, name: str) -> Path:
        """Where the agent of this machine reads its manifests."""
        return self._folders.get(name, self.manifests)

    def own_folder(self, name: str) -> None:
        """From its next start on, the agent of this machine reads a copy of the folder that no other agent reads."""
        self._folders[name] = self.lab.work_dir / f"manifests-{name}"
        shutil.copytree(self.manifests, self._folders[name])

    def write(self, name: str, text: str, folder: Path | None = None) -> Path:
        """A manifest, in one step as editors and ConfigMaps do it; by default for all agents."""
        into = folder or self.manifests
        passing = into / f".{name}"
        passing.write_text(text)
        return passing.rename(into / name)

    def start(self, *names: str) -> None:
        """Start the agents of these machines."""
        for name in names:
            self._keep(name, self.node(name).start_agent(self.folder(name), "--log-format", "text"))

    def start_warm(self, name: str) -> Path:
        """Start an agent that has imported all it needs and begins when the file given back is made: a restart that
        takes no longer than the agent itself does. The agent before it is the test's to end."""
        go = self.lab.work_dir / f"go-{len(self._started)}"
        process = self.node(name).start([sys.executable, "-c", _WARM, str(go), *self.words(name)], "agent")
        self._keep(name, process)
        process.wait_output("warm", WAIT_S)
        return go

    def words(self, name: str) -> list[str]:
        """The command line of an agent after the program's name."""
        key = ["--key-file", str(self.lab.key_file)]
        state = ["--state-dir", str(self.node(name).state_dir)]
        return ["--node", name, "--manifests", str(self.folder(name)), *state, *key, "--log-format", "text"]

    def start_both(self) -> None:
        """Both agents at once, until the first of the list serves."""
        self.start("w1", "w2")
        self.wait_peers()
        self._settled_s = self.wait_serves("w1/eth1")

    def freeze(self, name: str) -> None:
        """Stop an agent in its tracks; it is not asked for its status meanwhile."""
        self.agents[name].freeze()
        self._frozen.add(name)

    def thaw(self, name: str) -> None:
        """Inverse of :meth:`freeze`."""
        self.agents[name].thaw()
        self._frozen.discard(name)

    def power_off(self, name: str) -> None:
        """No farewell."""
        self.node(name).power_off()

    def boot(self, name: str) -> None:
        """Power and the service are back; the agent is not started."""
        node = self.node(name)
        node.boot()
        node.start_echo().wait_output(READY, WAIT_S)

    # --- looking

    def status(self, name: str) -> dict[str, Any]:
        """The status document of a running agent."""
        return read_status(self.node(name).state_dir)

    def erp(self, name: str) -> dict[str, Any]:
        """The virtual IP's part of it; {} when that agent does not know it (yet), or does not answer."""
        try:
            return next((vip for vip in self.status(name)["vips"] if vip["name"] == "erp"), {})
        except StatusError:
            return {}

    def answerer(self) -> str:
        """Which endpoint the cold client's latest questions were answered by; "" for none, "?" for a foreign MAC."""
        live = self.asker.live()
        if live is None or live.silent_ms > _SILENT_MS or not live.node:
            return ""
        return self._endpoint(live.node)

    def holders(self) -> list[str]:
        """Endpoints of the agents that say they hold the virtual IP."""
        asked = [name for name, agent in self.agents.items() if agent.alive and name not in self._frozen]
        said = [(name, self.erp(name)) for name in asked]
        return [f"{name}/{vip['interface']}" for name, vip in said if vip.get("role") == "Holder"]

    def bound_on(self, name: str, address: str = "") -> list[str]:
        """Interfaces of a machine that have the virtual IP."""
        words = self.node(name).run(["ip", "-o", "addr", "show", "to", f"{address or self.vip}/32"])
        return [line.split()[1] for line in words.splitlines()]

    def leftovers(self, name: str) -> list[str]:
        """What of vipa is in a machine's kernel: addresses, nft tables, policy rules."""
        node = self.node(name)
        tables = [line for line in node.run(["nft", "list", "tables"]).splitlines() if " vipa" in line]
        rules = [line for line in node.run(["ip", "rule"]).splitlines() if "fwmark" in line]
        return [f"{self.vip} on {interface}" for interface in self.bound_on(name)] + tables + rules

    def moves(self, name: str) -> list[str]:
        """The reason of each time an agent of this machine became Holder, oldest first."""
        outputs = (process.output() for of, process in self._started if of == name)
        lines = [line for output in outputs for line in output.splitlines() if " new=Holder " in line]
        return [line.partition(" reason=")[2].split()[0] for line in lines]

    def logs(self) -> str:
        """The last lines of every agent that was started."""
        found = []
        for name, process in self._started:
            lines = process.output().splitlines()[-_LOG_LINES:]
            found.append(f"--- agent of {name} (exit code {process.exit_code})\n" + "\n".join(lines))
        return "\n".join(found)

    # --- waiting

    def wait(
        self, condition: Callable[[], bool], what: str, timeout_s: float = WAIT_S, every_s: float = _ASK_S
    ) -> None:
        """Until ``condition`` holds; AssertionError that names ``what``."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout_s:g} s: {what}; {self._state()}"
            time.sleep(every_s)

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
        live = probe.live()
        before = live.answered if live else 0

        def answered() -> bool:
            live = probe.live()
            return live is not None and live.answered >= before + more

        self.wait(answered, f"{more} answers: {probe.process.last_words(300)}", WAIT_S, _LOOK_S)

    def wait_client(self, probe: Probe[ProbeResult] | Probe[TcpResult], node: str) -> None:
        """Until a probe is answered by ``node``, again and again."""
        self.wait(lambda: (live := probe.live()) is not None and live.node == node, f"the client is answered by {node}")
        self.wait_answered(probe)

    # --- the verdict

    def served(self) -> list[str]:
        """Who answered the cold client since :meth:`start_both`, in order, without the pauses; it asks no more then."""
        segments = self.asker.stop().segments
        return [self._endpoint(segment.node) for segment in segments if segment.end_s > self._settled_s]

    def judge(self) -> None:
        """AssertionError when two answered at once, or an agent failed by itself."""
        self.asker.process.kill()
        self.observer.stop()
        overlaps = self.observer.two_answerers(self.vip)
        ours = [overlap for overlap in overlaps if len(set(overlap.macs) - self.foreign) > 1]
        assert not ours, f"two answerers: {ours}"
        for name, process in self._started:
            wrong = [line for line in process.output().splitlines() if any(word in line for word in _WRONG)]
            assert not wrong, f"the agent of {name} failed: {wrong[:3]}"

    def _keep(self, name: str, process: Process) -> None:
        self.agents[name] = process
        self._started.append((name, process))

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
        return f"the wire is answered by {self.answerer() or 'nobody'}, agents that hold: {holders or 'none'}"
