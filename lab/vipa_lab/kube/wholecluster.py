"""The IBM i scenario as people run it on Kubernetes: a real API server, the real operator, real agents."""

import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from vipa_lab.cluster import WAIT_S
from vipa_lab.kube.accounts import add_node
from vipa_lab.kube.apicluster import ApiCluster
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.objects import Object
from vipa_lab.kube.operatorprocess import OperatorProcess
from vipa_lab.lab import Lab
from vipa_lab.stack import Stack

# What waits for operator, API server and agents one after the other, on two cores that they share with the lab.
CONVERGE_S: Final = 2 * WAIT_S


class WholeCluster(ApiCluster):
    """Nodes w1 and w2 exist; the VirtualIP and its list are the fleet's manifests, not applied yet."""

    def __init__(self, lab: Lab, api: ApiServer, folder: Path, *, stack: Stack = "ipv4", **vip: str) -> None:
        super().__init__(lab, api, stack=stack, **vip)
        self.operator = OperatorProcess(api.admin, folder)
        self.operator.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is not None:
                error.add_note(self.operator.log.read_text()[-4000:])
            super().__exit__(kind, error, trace)
        finally:
            self.operator.stop()

    def create(self, name: str) -> None:
        """A Kubernetes node; the operator makes what belongs to vipa."""
        add_node(self.api, name, address=self.node(name).nics["eth1"].address)

    def start_whole(self) -> float:
        """Agents, then ``kubectl apply`` of the manifests; gives the seconds from there until Ready."""
        self.start("w1", "w2")
        names = sorted(self.relays)
        self.wait(lambda: all(self.reports(name) for name in names), "interfaces reported", CONVERGE_S)
        ready_s = self.apply_until_ready()
        self.wait_peers()
        self._settled_s = self.wait_serves("w1/eth1")
        self.wait_spares()
        return ready_s

    def apply_until_ready(self) -> float:
        """The manifests, until erp is Ready; gives the seconds that took after kubectl was through."""
        self.apply()
        applied_s = time.monotonic()
        self.wait(lambda: self.condition("Ready")["status"] == "True", "erp is Ready", CONVERGE_S, 0.05)
        return time.monotonic() - applied_s

    def apply(self) -> None:
        """The manifests as they are now."""
        for file in sorted(self.manifests.glob("*.yaml")):
            self.api.kubectl.apply(file.read_text())

    def reports(self, name: str) -> list[Any]:
        """Interfaces that a node's agent has reported; none before the operator made its object."""
        found = self.api.objects.find("virtualipnodes", name)
        return list((found or {}).get("status", {}).get("interfaces", []))

    def vip_object(self) -> Object:
        """The VirtualIP as the API has it."""
        return self.api.objects.get("virtualips", "erp")

    def condition(self, kind: str) -> dict[str, Any]:
        """A condition of it; status "" before it is set."""
        conditions = self.vip_object().get("status", {}).get("conditions", [])
        return next((each for each in conditions if each["type"] == kind), {"status": "", "reason": ""})

    def holder(self) -> str:
        """Who its status says holds it, "w1/eth1"; "" for nobody."""
        holder = self.vip_object().get("status", {}).get("holder") or {}
        return f"{holder['node']}/{holder['interface']}" if holder.get("node") else ""

    def wait_spares(self) -> None:
        """Until the status says that all could serve: before, nobody may ask for a move to any."""

        def healthy() -> list[bool]:
            return [each["healthy"] for each in self.vip_object().get("status", {}).get("succession", [])]

        self.wait(lambda: healthy() == [True] * len(self.scenario.preferred), "all could serve", CONVERGE_S)

    def wait_holder(self, endpoint: str) -> None:
        """Until wire, agents and status agree."""
        self.wait_serves(endpoint, CONVERGE_S)
        self.wait(lambda: self.holder() == endpoint, f"the status says {endpoint}", CONVERGE_S)
