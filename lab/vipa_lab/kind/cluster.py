"""The running kind cluster, as tests use it: kubectl, helm, docker, and the cables of every node."""

import json
from pathlib import Path
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.kind.engine import Engine
from vipa_lab.kind.netns import adapters
from vipa_lab.kind.network import ip, plug_second_nic
from vipa_lab.kind.places import CLIENT, LAN_BRIDGE, NODES, state_folder
from vipa_lab.kube.helm import Helm
from vipa_lab.kube.kubectl import Kubectl
from vipa_lab.until import until

# 5 s after a start on an idle machine.
_KUBELET_S: Final = 90.0
_POLL_S: Final = 0.5


class KindCluster:
    """What ``make kind-up`` left running; LabError when nothing is. It holds nothing open itself."""

    def __init__(self) -> None:
        state = state_folder()
        try:
            up = json.loads((state / "cluster.json").read_text())
        except FileNotFoundError:
            raise LabError("no kind cluster is up: 'make kind-up' makes one (as root)") from None
        self.way: str = up["way"]
        """"stock" (kindest/node) or "packages" (node image of Debian and Go packages)."""
        self.engine = Engine(up["docker_host"])
        self.kubeconfig: Path = state / "kubeconfig"
        """The cluster's admin."""
        self.kubectl = Kubectl(self.kubeconfig)
        self.helm = Helm(state / "helm", self.kubeconfig)
        self.image: str = up["image"]
        """The project's image as the nodes have it, "vipa:0.1.0"."""
        self.nodes: tuple[str, ...] = NODES
        """Containers and Kubernetes nodes have the same names: the control plane, then the workers."""
        self.bridge = LAN_BRIDGE
        """The service LAN's switch: a bridge here. Its ports are the nodes' cables (:mod:`vipa_lab.kind.netns`)."""
        self.client = CLIENT
        """A container with one NIC on the service LAN."""

    def docker(self, *words: str, timeout_s: float = 60.0) -> str:
        """Any docker command; gives its standard output, stripped. DockerError with docker's words."""
        return self.engine.run(*words, timeout_s=timeout_s)

    def pid(self, container: str) -> int:
        """The process that holds the container's network namespace; another one after each start."""
        pid = int(self.docker("container", "inspect", "--format", "{{.State.Pid}}", container))
        if pid == 0:
            raise LabError(f"{container} is not running: power_on() it first")
        return pid

    def power_off(self, node: str) -> None:
        """The machine is gone at once: cables out, then ``docker kill``, which leaves a kernel that answers a while."""
        for adapter in adapters(self.pid(node)):
            if adapter.bridge:
                ip("link", "set", adapter.port, "nomaster")
        self.docker("kill", node)

    def power_on(self, node: str) -> None:
        """``docker start`` after :meth:`power_off`, and the cable that docker does not know. Its kubelet runs then."""
        self.docker("start", node)
        plug_second_nic(node, self.pid(node))

        def kubelet_runs() -> bool:
            return self.docker("exec", node, "sh", "-c", "systemctl is-active kubelet || true") == "active"

        what = f"the kubelet of {node} runs; docker exec {node} journalctl -u kubelet"
        until(kubelet_runs, what, _KUBELET_S, _POLL_S, LabError)
