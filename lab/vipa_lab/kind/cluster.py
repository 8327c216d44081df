"""The running kind cluster, as tests use it: kubectl, helm, docker, and the cables of every node."""

import ipaddress
import json
import subprocess
import time
from pathlib import Path
from typing import Any, Final

from vipa_lab.errors import LabError
from vipa_lab.kind.engine import Engine
from vipa_lab.kind.machine import links
from vipa_lab.kind.network import ip, plug_second_nic
from vipa_lab.kind.places import CLIENT, LAN_BRIDGE, LAN_SUBNET, NODES, state_folder
from vipa_lab.kube.helm import Helm
from vipa_lab.kube.kubectl import Kubectl
from vipa_lab.namespace import Namespace

# 5 s after a start on an idle machine.
_KUBELET_S: Final = 90.0
_POLL_S: Final = 0.5
_LAN: Final = ipaddress.IPv4Network(LAN_SUBNET)


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
        """The service LAN's switch: a bridge on this machine, whose ports are what :meth:`host_port` gives."""
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

    def namespace(self, container: str, run_dir: Path) -> Namespace:
        """The container's network, for probes and echo servers of this process (:class:`vipa_lab.process.Process`).

        They see this machine's files and end with this process; close it before the container is gone for good.
        """
        return Namespace(container, run_dir, join=self.pid(container))

    def service_nics(self, node: str) -> list[tuple[str, str]]:
        """(interface, address) of the node's NICs on the service LAN, by address; virtual IPs are not among them."""
        addresses = [
            (link["ifname"], ipaddress.IPv4Interface(f"{each['local']}/{each['prefixlen']}"))
            for link in self.links(node)
            for each in link["addr_info"]
        ]
        # Virtual IPs are bound with /32.
        on_lan = [(address.ip, name) for name, address in addresses if address.network == _LAN]
        return [(name, str(address)) for address, name in sorted(on_lan)]

    def links(self, container: str) -> list[dict[str, Any]]:
        """All of a container's links as ``ip -json address`` gives them; of a paused container too."""
        done = subprocess.run(
            ["nsenter", "--net", "--target", str(self.pid(container)), "ip", "-json", "-4", "address"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise LabError(f"the network of {container} cannot be read: {done.stderr.strip()}")
        return [link for link in json.loads(done.stdout) if link]

    def host_port(self, node: str, interface: str) -> str:
        """The host's end of that NIC's cable: a port of :attr:`bridge` (of another one for a NIC that is not on it)."""
        for link in self.links(node):
            if link["ifname"] == interface:
                return _host_link(int(link["link_index"]))
        names = ", ".join(link["ifname"] for link in self.links(node))
        raise LabError(f"{node} has no NIC {interface!r}; it has {names}")

    def cut(self, port: str) -> None:
        """Take a host port off its bridge: silence both ways, and the NIC in the node stays up."""
        ip("link", "set", port, "nomaster")

    def mend(self, port: str) -> None:
        """Inverse of :meth:`cut`, for ports of the service LAN."""
        ip("link", "set", port, "master", self.bridge)

    def power_off(self, node: str) -> None:
        """The machine is gone at once: cables out, then ``docker kill``, which leaves a kernel that answers for a while."""
        ports = {number: name for name, number in links().items()}
        for link in self.links(node):
            if port := ports.get(link.get("link_index", 0)):
                self.cut(port)
        self.docker("kill", node)

    def power_on(self, node: str) -> None:
        """``docker start`` after :meth:`power_off`, and the cable that docker does not know. Its kubelet runs then."""
        self.docker("start", node)
        plug_second_nic(node, self.pid(node))
        deadline_s = time.monotonic() + _KUBELET_S
        while self.docker("exec", node, "sh", "-c", "systemctl is-active kubelet || true") != "active":
            if time.monotonic() > deadline_s:
                raise LabError(f"the kubelet of {node} does not start: docker exec {node} journalctl -u kubelet")
            time.sleep(_POLL_S)


def _host_link(index: int) -> str:
    for name, number in links().items():
        if number == index:
            return name
    raise LabError(f"link {index} is not in this machine's own network namespace: run where 'make kind-up' ran")
