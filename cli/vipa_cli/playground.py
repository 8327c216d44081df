"""The LAN of the story with agents on it, and all one can do to it: what ``vipa demo`` and ``vipa lab`` share."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vipa.resources.virtualip import Binding
from vipa_agent.status import StatusError, read_status
from vipa_cli.demo.situation import Step, Verb
from vipa_lab.client import Client
from vipa_lab.echo_server import READY
from vipa_lab.errors import LabError
from vipa_lab.lab import Lab
from vipa_lab.nic import Nic
from vipa_lab.node import Node
from vipa_lab.process import Process
from vipa_lab.scenario import Scenario, ibm_i_lab

# A Python program starts in about 0.1 s; a busy 2-core machine was seen to take 2 s.
_START_TIMEOUT_S: Final = 20.0

_MANIFEST: Final = """\
apiVersion: vipa.dev/v1alpha1
kind: VirtualIP
metadata: {{name: erp}}
spec:
  addresses: [{vip}]
  preferredInterfaceList: ibm-i
  binding: {binding}
  failback: {{policy: Delayed, delay: {failback}}}
---
apiVersion: vipa.dev/v1alpha1
kind: PreferredInterfaceList
metadata: {{name: ibm-i}}
spec:
  interfaces:
{entries}
  fallback: None
"""


@dataclass(frozen=True, slots=True)
class AdapterView:
    """``name`` is "w1/eth1"; ``state``: up, pulled (no carrier), blocked (silent, link up), off."""

    name: str
    address: str
    state: str


@dataclass(frozen=True, slots=True)
class NodeView:
    """``agent``: runs, frozen, killed, stopped, ended (by itself), off."""

    name: str
    agent: str
    adapters: tuple[AdapterView, ...]


class Playground:
    """Fills ``lab`` by ``stage``. No agent runs at first. ``failback``: delay of the virtual IP's failback, as in a
    manifest; ``binding`` too. ``others``: programs besides agents that take part and must not end. ``remote``: a client
    behind the router, where there is one beside the scenario's."""

    def __init__(
        self,
        lab: Lab,
        failback: str = "2s",
        stage: Callable[[Lab], Scenario] = ibm_i_lab,
        binding: Binding = Binding.HOLDER,
    ) -> None:
        self.lab = lab
        self.scenario = stage(lab)
        self.others: list[Process] = []
        self.remote: Client | None = None
        self.manifests = lab.work_dir / "manifests"
        self.manifests.mkdir(exist_ok=True)
        self.manifest_file = self.manifests / "ibm-i.yaml"
        self.manifest_file.write_text(manifest(self.scenario, failback, binding))
        self._agents: dict[str, Process] = {}
        self._agent_state = {node.name: "stopped" for node in self.scenario.nodes}
        self._pulled: set[str] = set()
        self._blocked: set[str] = set()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The machines that can hold the virtual IP."""
        return self.scenario.nodes

    def node(self, name: str) -> Node:
        """One of them; LabError with the right names."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise LabError(f"there is no machine {name!r}; there are {', '.join(n.name for n in self.nodes)}")

    def nic(self, name: str) -> Nic:
        """An adapter by its name "w1/eth1"; LabError with the right names."""
        node, _, interface = name.partition("/")
        for candidate in self.nodes:
            if candidate.name == node and interface in candidate.nics:
                return candidate.nics[interface]
        names = ", ".join(f"{n.name}/{nic}" for n in self.nodes for nic in n.nics)
        raise LabError(f"there is no adapter {name!r}; there are {names}")

    def names_by_mac(self) -> dict[str, str]:
        """Adapter name of each MAC on the LAN."""
        return {nic.mac: f"{node.name}/{nic.name}" for node in self.nodes for nic in node.nics.values()}

    def state_dir(self, node: str) -> Path:
        """Where the agent of ``node`` offers its status."""
        return self.node(node).state_dir

    def do(self, step: Step) -> None:
        """Carry out one step. LabError when it makes no sense now, with what would."""
        match step.verb:
            case Verb.PULL:
                self.nic(step.target).port.down()
                self._pulled.add(step.target)
            case Verb.PLUG:
                self.nic(step.target).port.up()
                self._pulled.discard(step.target)
            case Verb.BLOCK:
                self.nic(step.target).port.block()
                self._blocked.add(step.target)
            case Verb.UNBLOCK:
                self.nic(step.target).port.unblock()
                self._blocked.discard(step.target)
            case Verb.POWER_OFF:
                self._power_off(self.node(step.target))
            case Verb.BOOT:
                self._boot(self.node(step.target))
            case Verb.START:
                self._start(self.node(step.target))
            case Verb.KILL | Verb.STOP | Verb.FREEZE | Verb.THAW:
                self._signal(step.verb, self._running(step.target), step.target)

    def look(self) -> tuple[NodeView, ...]:
        """What stands where now."""
        return tuple(
            NodeView(
                node.name,
                self._agent_now(node),
                tuple(
                    AdapterView(f"{node.name}/{nic.name}", nic.address, self._nic_state(node, nic))
                    for nic in node.nics.values()
                ),
            )
            for node in self.nodes
        )

    def informed(self, node: str) -> bool:
        """Whether the agent of ``node`` can be asked, and knows the virtual IP."""
        try:
            return bool(read_status(self.state_dir(node))["vips"])
        except StatusError:  # it is being started
            return False

    def check_agents(self) -> None:
        """LabError with the last words of an agent that ended by itself."""
        for node in self.nodes:
            if self._agent_now(node) == "ended":
                raise LabError(f"the agent on {node.name} gave up: {self._agents[node.name].last_words()}")
        for process in self.others:
            if not process.alive:
                raise LabError(f"{process.argv[-1]} gave up: {process.last_words()}")

    def agent(self, name: str) -> Process | None:
        """The latest agent process of a machine."""
        return self._agents.get(self.node(name).name)

    def _agent_now(self, node: Node) -> str:
        state = self._agent_state[node.name]
        if state in ("runs", "frozen") and not self._agents[node.name].alive:
            return "ended"
        return state

    def _nic_state(self, node: Node, nic: Nic) -> str:
        name = f"{node.name}/{nic.name}"
        if not node.is_on:
            return "off"
        return "pulled" if name in self._pulled else "blocked" if name in self._blocked else "up"

    def _power_off(self, node: Node) -> None:
        if not node.is_on:
            raise LabError(f"{node.name} is off already; boot it first")
        # Its ports go up again behind a dead machine; what was pulled before is pulled after it boots.
        node.power_off()
        for name in self._pulled & {f"{node.name}/{nic}" for nic in node.nics}:
            self.nic(name).port.down()
        self._agent_state[node.name] = "off"

    def _boot(self, node: Node) -> None:
        node.boot()
        self._agent_state[node.name] = "stopped"
        node.start_echo().wait_output(READY, _START_TIMEOUT_S)

    def _start(self, node: Node) -> None:
        if not node.is_on:
            raise LabError(f"{node.name} is off; boot it first")
        old = self._agents.get(node.name)
        if self._agent_state[node.name] in ("runs", "frozen") and old is not None and old.alive:
            raise LabError(f"an agent runs on {node.name} already; kill or stop it first")
        if old is not None and old.alive:  # it was asked to stop and is still handing over
            old.wait(_START_TIMEOUT_S)
        self._agents[node.name] = node.start_agent(self.manifests)
        self._agent_state[node.name] = "runs"

    def _running(self, name: str) -> Process:
        agent = self._agents.get(self.node(name).name)
        if agent is None or not agent.alive or self._agent_state[name] not in ("runs", "frozen"):
            raise LabError(f"no agent runs on {name}; start it first")
        return agent

    def _signal(self, verb: Verb, agent: Process, name: str) -> None:
        if verb is Verb.KILL:
            agent.kill()
            self._agent_state[name] = "killed"
        elif verb is Verb.FREEZE:
            agent.freeze()
            self._agent_state[name] = "frozen"
        elif verb is Verb.THAW:
            agent.thaw()
            self._agent_state[name] = "runs"
        else:
            # Not Process.terminate(): nobody should stand still while the agent hands over.
            os.kill(agent.pid, signal.SIGTERM)
            self._agent_state[name] = "stopped"


def manifest(scenario: Scenario, failback: str, binding: Binding = Binding.HOLDER) -> str:
    """The scenario's virtual IP and its preferred interface list."""
    entries = "\n".join(f"    - {{address: {address}}}" for address in scenario.preferred)
    return _MANIFEST.format(vip=scenario.vip, failback=failback, binding=binding.value, entries=entries)
