"""vipa is removed, and nothing of it stays: on the wire, in kernels, in the API."""

from typing import Final

from vipa_lab.kind.cluster import KindCluster
from vipa_lab.kind.netns import leftovers
from vipa_lab.kind.places import NAMESPACE
from vipa_lab.kind.scene import WAIT_S, Scene
from vipa_lab.kube.types import delete_types

KINDS: Final = "virtualips,preferredinterfacelists,virtualippools,virtualipnodes"


def test_nothing_stays(cluster: KindCluster, scene: Scene) -> None:
    """The agents are taken away while they serve; then objects and types, which nobody is there to let go."""
    kubectl = cluster.kubectl
    assert any(leftovers(cluster.pid(node)) for node in cluster.nodes), "what is looked for is seen while it is there"
    cluster.helm.run("uninstall", "vipa", "--namespace", NAMESPACE, "--wait", timeout_s=WAIT_S)

    def left() -> dict[str, list[str]]:
        return {node: found for node in cluster.nodes if (found := leftovers(cluster.pid(node)))}

    scene.wait(lambda: left() == {}, f"nothing is left in any kernel: {left()}")
    scene.wait(lambda: scene.answerer() is None, "nobody answers")
    held = [each["metadata"]["name"] for each in kubectl.list(KINDS) if each["metadata"].get("finalizers")]
    assert held == []
    kubectl.run("delete", KINDS, "--all", timeout_s=WAIT_S)
    delete_types(kubectl)
    kubectl.run("delete", "namespace", NAMESPACE, timeout_s=WAIT_S)
    everything = kubectl.run("get", "clusterroles,clusterrolebindings,validatingadmissionpolicies", "-o", "name")
    assert [line for line in everything.splitlines() if "vipa" in line] == []
