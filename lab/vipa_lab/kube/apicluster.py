"""The IBM i scenario with agents that take their plans from an API server, each over a management network of its own.

The operator's part is played by :meth:`ApiCluster.assign`: interfaces as the agents report them, core's planner, each
node's share written to its VirtualIPNode.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, cast

import msgspec

from vipa.plan import Plan
from vipa.planner import plan, world_of
from vipa.resources import VirtualIPNode, read_object
from vipa.resources.assigned import spec_of
from vipa_agent.sources.folder import load_files
from vipa_lab.cluster import WAIT_S, Cluster
from vipa_lab.errors import LabError
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.relay import Relay
from vipa_lab.lab import Lab
from vipa_lab.process import AGENT_CAPABILITIES
from vipa_lab.stack import Stack

NODES: Final = "/apis/vipa.dev/v1alpha1/virtualipnodes"
_APPLY: Final = "application/apply-patch+yaml"


class ApiCluster(Cluster):
    """See the module. ``relays``: the way of each node to the API server; ``epoch``: of the plan written last."""

    def __init__(self, lab: Lab, api: ApiServer, *, stack: Stack = "ipv4", **vip: str) -> None:
        super().__init__(lab, stack=stack, **vip)
        self.api = api
        self.epoch = 0
        self.relays = {node.name: Relay(node, api) for node in self.scenario.nodes}
        self.flags: dict[str, list[str]] = {}
        self.environment: dict[str, dict[str, str]] = {}
        for relay in self.relays.values():
            relay.start()
        for name in self.relays:
            self.create(name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            for relay in self.relays.values():
                relay.stop()

    def words(self, name: str) -> list[str]:
        """The command line of an agent after the program's name; ``flags`` instead of the admin's kubeconfig."""
        config = self.api.kubeconfig("admin", ["system:masters"], server=self.relays[name].url)
        source = self.flags.get(name, ["--kubeconfig", str(config)])
        state = ["--state-dir", str(self.node(name).state_dir), "--key-file", str(self.lab.key_file)]
        return ["--node", name, "--api", *source, *state, "--log-format", "text"]

    def start(self, *names: str) -> None:
        """Start the agents of these machines."""
        for name in names:
            argv = [sys.executable, "-m", "vipa_agent.main", *self.words(name)]
            environment = self.environment.get(name)
            started = self.node(name).start(argv, "agent", capabilities=AGENT_CAPABILITIES, env=environment)
            self.keep(name, started)

    def start_assigned(self) -> None:
        """Both agents, and a plan as soon as both have reported their interfaces, until the first of it serves."""
        self.start("w1", "w2")
        self.assign()
        self.wait_peers()
        self._settled_s = self.wait_serves("w1/eth1")

    # --- the operator's part

    def create(self, name: str) -> None:
        """The object of a node, without a plan."""
        self._ask("POST", NODES, _node(name))

    def delete(self, name: str) -> None:
        """The object of a node is gone."""
        self._ask("DELETE", f"{NODES}/{name}")

    def assign(self, *, files: Path | None = None) -> Plan:
        """Plan the manifests, now, for the nodes as they have reported themselves; write each node its share."""
        names = sorted(self.relays)
        self.wait_status(lambda: all(self.status_of(name).get("interfaces") for name in names), "interfaces reported")
        objects = [o for o in load_files([files or self.manifests]).objects if not isinstance(o, VirtualIPNode)]
        nodes = [read_object(self.node_object(name)) for name in names]
        problems = [problem for node in nodes for problem in node.problems]
        if problems:
            raise LabError(f"a VirtualIPNode is not valid: {problems}")
        self.epoch += 1
        planned = plan(world_of([*objects, *(cast(VirtualIPNode, n.obj) for n in nodes)], epoch=self.epoch))
        for name in names:
            self.write_spec(name, planned)
        return planned

    def write_spec(self, name: str, planned: Plan) -> None:
        """One node's share of a plan, by server-side apply."""
        spec = json.loads(msgspec.json.encode(spec_of(planned, name)))
        body = _node(name) | {"spec": {"epoch": planned.epoch, "assignments": spec.get("assignments", [])}}
        self._ask("PATCH", f"{NODES}/{name}?fieldManager=vipa-operator&force=true", body, _APPLY)

    # --- looking

    def node_object(self, name: str) -> dict[str, Any]:
        """A node's object as the API has it."""
        found: dict[str, Any] = self._ask("GET", f"{NODES}/{name}")
        # read_object is strict about what vipa itself writes; these are the API server's
        found["metadata"].pop("managedFields", None)
        return found

    def status_of(self, name: str) -> dict[str, Any]:
        """What a node's agent has reported."""
        found: dict[str, Any] = self.node_object(name).get("status", {})
        return found

    def reported_holders(self) -> list[str]:
        """Nodes that say in the API that they hold erp."""
        return [name for name in sorted(self.relays) if "erp" in self.status_of(name).get("held", [])]

    def wait_status(self, condition: Callable[[], bool], what: str, timeout_s: float = WAIT_S) -> float:
        """Until a condition about the API holds; gives the seconds that took."""
        began_s = time.monotonic()
        self.wait(condition, what, timeout_s)
        return time.monotonic() - began_s

    def _ask(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Any:  # noqa: ANN401 - JSON
        status, answer = self.api.rest.ask(method, path, body, content_type)
        if not 200 <= status < 300:
            raise LabError(f"{method} {path}: {status} {answer}")
        return answer


def _node(name: str) -> dict[str, Any]:
    return {"apiVersion": "vipa.dev/v1alpha1", "kind": "VirtualIPNode", "metadata": {"name": name}}
