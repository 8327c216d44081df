"""Faults of a kind cluster. Each is a context manager: made on entry, undone on exit, whatever happened between.

What breaks a cable works on the host's end of it, so the node's own kernel and programs see what they would see of a
real switch, and it works on a paused or dying node too. Undoing looks at how things are then: an adapter may have
another name, a node another process, by that time.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from vipa_lab.errors import LabError
from vipa_lab.kind.cluster import KindCluster
from vipa_lab.kind.netns import Adapter, adapters, inside, run
from vipa_lab.kind.network import plug_second_nic
from vipa_lab.kind.places import LAN, cable
from vipa_lab.kube.kubectl import KubectlError
from vipa_lab.until import until

# A static pod's container is gone or back after one look of the kubelet at its folder (20 s), image and start.
_CONTROL_PLANE_S: Final = 180.0
_POLL_S: Final = 0.5
_MANIFEST: Final = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_ASIDE: Final = "/etc/kubernetes/kube-apiserver.stopped"

Inject = Callable[[AbstractContextManager[None]], Callable[[], None]]
"""A fixture of tests: after ``heal = inject(paused(…))`` the fault is there until ``heal()`` or the test's end."""


def adapter_of(cluster: KindCluster, node: str, address: str) -> Adapter:
    """The adapter of a node that has this address now; LabError when none has."""
    found = adapters(cluster.pid(node))
    for adapter in found:
        if address in adapter.addresses:
            return adapter
    has = ", ".join(f"{each.name} {' '.join(each.addresses)}" for each in found)
    raise LabError(f"{node} has no adapter with {address}; it has {has}")


@contextmanager
def adapter_down(cluster: KindCluster, node: str, address: str) -> Iterator[None]:
    """Somebody sets the adapter down on the node itself."""
    name = adapter_of(cluster, node, address).name
    run(*inside(cluster.pid(node)), "ip", "link", "set", name, "down")
    try:
        yield
    finally:
        run(*inside(cluster.pid(node)), "ip", "link", "set", name, "up")


@contextmanager
def carrier_lost(cluster: KindCluster, node: str, address: str) -> Iterator[None]:
    """The cable is pulled: the node's kernel is told."""
    port = adapter_of(cluster, node, address).port
    run("ip", "link", "set", port, "down")
    try:
        yield
    finally:
        run("ip", "link", "set", port, "up")


@contextmanager
def port_out(cluster: KindCluster, node: str, address: str) -> Iterator[None]:
    """The switch's port is out of its LAN, and the link stays up: the node is not told."""
    adapter = adapter_of(cluster, node, address)
    run("ip", "link", "set", adapter.port, "nomaster")
    try:
        yield
    finally:
        run("ip", "link", "set", adapter.port, "master", adapter.bridge)


@contextmanager
def second_adapter_removed(cluster: KindCluster, node: str) -> Iterator[None]:
    """The cable that docker does not know is pulled out with its adapter, for good as far as the node can tell."""
    run("ip", "link", "del", cable(node))
    try:
        yield
    finally:
        plug_second_nic(node, cluster.pid(node))


@contextmanager
def disconnected(cluster: KindCluster, node: str, address: str) -> Iterator[None]:
    """The adapter disappears from the node; it comes back with its address under another name. Docker connects no
    adapter beside one that has the same subnet: remove the second one before."""
    cluster.docker("network", "disconnect", LAN, node)
    try:
        yield
    finally:
        cluster.docker("network", "connect", "--ip", address, LAN, node)


@contextmanager
def paused(cluster: KindCluster, node: str) -> Iterator[None]:
    """Every process of the node stands still; its kernel goes on."""
    cluster.docker("pause", node)
    try:
        yield
    finally:
        cluster.docker("unpause", node)


@contextmanager
def killed(cluster: KindCluster, node: str) -> Iterator[None]:
    """The node's plug is pulled."""
    cluster.power_off(node)
    try:
        yield
    finally:
        cluster.power_on(node)


@contextmanager
def api_server_stopped(cluster: KindCluster, control_plane: str) -> Iterator[None]:
    """The one API server is away."""
    cluster.docker("exec", control_plane, "mv", _MANIFEST, _ASIDE)
    try:
        until(lambda: not answers(cluster), "the API server is away", _CONTROL_PLANE_S, _POLL_S, LabError)
        yield
    finally:
        cluster.docker("exec", control_plane, "mv", _ASIDE, _MANIFEST)
        until(lambda: answers(cluster), "the API server is back", _CONTROL_PLANE_S, _POLL_S, LabError)


def answers(cluster: KindCluster) -> bool:
    """Whether the API server answers."""
    try:
        cluster.kubectl.run("get", "--raw", "/readyz", timeout_s=10)
    except KubectlError:
        return False
    return True


@contextmanager
def node_deleted(cluster: KindCluster, node: str) -> Iterator[None]:
    """The Node object is deleted; the kubelet registers it again when it is started anew."""
    cluster.kubectl.delete("node", node)
    try:
        yield
    finally:
        cluster.docker("exec", node, "systemctl", "restart", "kubelet")
