"""Machines stand still, lose power, leave the cluster and come back."""

from typing import Final

from vipa_lab.kind import faults
from vipa_lab.kind.cluster import KindCluster
from vipa_lab.kind.faults import Inject
from vipa_lab.kind.measured import Measure
from vipa_lab.kind.places import WORKERS
from vipa_lab.kind.scene import PREFERRED, Scene

W1, W2 = WORKERS
FIRST, SECOND, THIRD = PREFERRED
# A virtual IP that came back before the service did would lose what nobody is there to answer.
NEVER: Final = "{policy: Never}"
# Kubernetes deletes the pods of a Node that is gone after 40 s; what is told by then was not their end's doing.
POD_COLLECTED_S: Final = 40.0


def test_the_holder_is_paused(cluster: KindCluster, scene: Scene, inject: Inject, measure: Measure) -> None:
    """Its kernel goes on answering until the permit ends; thawed, it has to look before it does anything."""
    told = scene.moves_told()
    with measure("holder paused (docker pause)") as seen:
        heal = inject(faults.paused(cluster, W1))
        third = scene.wait_serves(THIRD)
    assert seen.nodes() == [W1, W2]
    scene.wait_told(told, third)

    told = scene.moves_told()
    with measure("holder goes on (docker unpause)") as back:
        heal()
        first = scene.wait_serves(FIRST)
    assert back.nodes() == [W2, W1]
    scene.wait_told(told, first)


def test_the_holder_loses_power_and_comes_back(
    cluster: KindCluster, scene: Scene, inject: Inject, measure: Measure
) -> None:
    scene.apply(failback=NEVER)
    told = scene.moves_told()
    with measure("holder loses power (docker kill)") as seen:
        heal = inject(faults.killed(cluster, W1))
        third = scene.wait_serves(THIRD)
    assert seen.nodes() == [W1, W2]
    scene.wait_told(told, third)

    with measure("it boots (docker start), failback Never") as boot:
        heal()
        scene.wait_nodes_ready()
        scene.wait_redundant()
    boot.check_stayed(W2)

    told = scene.moves_told()
    with measure("failback to it") as back:
        scene.apply()
        first = scene.wait_serves(FIRST)
    assert back.nodes() == [W2, W1]
    back.check_lossless()
    scene.wait_told(told, first)


def test_a_node_leaves_the_cluster_and_joins_again(
    cluster: KindCluster, scene: Scene, inject: Inject, measure: Measure
) -> None:
    """Kubernetes' garbage collector takes whatever the Node owns; the agent hands over all the same."""
    scene.apply(failback=NEVER)
    told = scene.moves_told()
    with measure("node deleted from the cluster") as seen:
        heal = inject(faults.node_deleted(cluster, W1))
        third = scene.wait_serves(THIRD, POD_COLLECTED_S)
        scene.wait(lambda: cluster.kubectl.find("virtualipnode", W1) is None, f"the VirtualIPNode of {W1} is gone")
    assert seen.nodes() == [W1, W2]
    seen.check_lossless()
    scene.wait_told(told, third)
    scene.wait(lambda: said_of(cluster, W1)[-1:] == ["Normal"], "an Event tells that its agent has let go")

    with measure("node joined again, failback Never") as joined:
        heal()
        scene.wait(lambda: cluster.kubectl.find("node", W1) is not None, f"{W1} has registered")
        scene.wait_nodes_ready()
        scene.wait_redundant()
    joined.check_stayed(W2)
    scene.apply()
    scene.wait_serves(FIRST)


def said_of(cluster: KindCluster, node: str) -> list[str]:
    """Types of the Events that tell that the object of a node was deleted."""
    events = cluster.kubectl.list("events", "default")
    ours = [e for e in events if e["reason"] == "NodeGone" and e["involvedObject"]["name"] == node]
    return [e["type"] for e in ours if e["message"].startswith("deleted")]
