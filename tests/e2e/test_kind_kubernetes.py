"""What people and controllers do to a cluster: roll out, upgrade, drain, delete, stop the API server."""

from collections.abc import Callable
from typing import Final

from vipa_lab.kind import faults
from vipa_lab.kind.cluster import KindCluster
from vipa_lab.kind.faults import Inject
from vipa_lab.kind.measured import Measure
from vipa_lab.kind.places import CONTROL_PLANE, NAMESPACE, WORKERS
from vipa_lab.kind.scene import NAME, PREFERRED, WAIT_S, Scene

W1, W2 = WORKERS
FIRST, SECOND, THIRD = PREFERRED
AGENTS: Final = "app.kubernetes.io/name=vipa-agent"
# Three nodes one after the other: a pod that starts, is Ready for 5 s, and one that ends.
ROLLOUT_S: Final = 240.0

Install = Callable[..., None]


def agent_of(cluster: KindCluster, node: str) -> str:
    """The pod of the agent that runs on a node."""
    pods = cluster.kubectl.list("pods", NAMESPACE, AGENTS)
    return next(str(p["metadata"]["name"]) for p in pods if p["spec"]["nodeName"] == node)


def agents(cluster: KindCluster) -> set[str]:
    """The pods of all agents."""
    return {pod["metadata"]["name"] for pod in cluster.kubectl.list("pods", NAMESPACE, AGENTS)}


def test_agents_are_rolled_out_and_nothing_moves(cluster: KindCluster, scene: Scene, measure: Measure) -> None:
    before, told = agents(cluster), scene.moves_told()
    with measure("rollout of the DaemonSet") as seen:
        cluster.kubectl.run("rollout", "restart", "daemonset/vipa-agent", "-n", NAMESPACE)
        wait = ("rollout", "status", "daemonset/vipa-agent", "-n", NAMESPACE, f"--timeout={ROLLOUT_S:g}s")
        cluster.kubectl.run(*wait, timeout_s=ROLLOUT_S + 10)
        scene.wait_serves(FIRST)
    assert not before & agents(cluster), "every agent is a new one"
    seen.check_stayed(W1)
    assert scene.moves_told() == told


def test_helm_upgrade_moves_nothing(cluster: KindCluster, scene: Scene, install: Install, measure: Measure) -> None:
    before, told = agents(cluster), scene.moves_told()
    again = f"after-{sorted(before)[0]}"
    with measure("helm upgrade") as seen:
        # Something that the pods of agents and operator carry, so that all of them are new.
        install(f"agent.podAnnotations.upgraded={again}", f"operator.podAnnotations.upgraded={again}")
        scene.wait_serves(FIRST)
    assert not before & agents(cluster), "every agent is a new one"
    seen.check_stayed(W1)
    assert scene.moves_told() == told


def test_kubectl_drain_moves_nothing_and_vipas_own_loses_nothing(
    cluster: KindCluster, scene: Scene, measure: Measure
) -> None:
    """docs/cli.md, "Moving": ours first, then kubectl's; both undone."""
    told = scene.moves_told()
    drain = ("drain", W1, "--ignore-daemonsets", "--delete-emptydir-data", "--force", f"--timeout={WAIT_S:g}s")
    try:
        with measure("kubectl drain") as alone:
            cluster.kubectl.run(*drain, timeout_s=WAIT_S + 10)
            scene.wait_serves(FIRST)
        alone.check_stayed(W1)
        assert scene.moves_told() == told
        with measure("kubectl vipa drain") as seen:
            scene.vipa("drain", W1, "--wait")
            third = scene.wait_serves(THIRD)
        assert seen.nodes() == [W1, W2]
        seen.check_lossless()
        scene.wait_told(told, third)
        told = scene.moves_told()
        with measure("drain undone") as back:
            scene.vipa("drain", W1, "--undo")
            first = scene.wait_serves(FIRST)
        assert back.nodes() == [W2, W1]
        back.check_lossless()
        scene.wait_told(told, first)
    finally:
        cluster.kubectl.run("uncordon", W1)
        scene.vipa("drain", W1, "--undo")


def test_an_agents_pod_is_deleted_by_force(cluster: KindCluster, scene: Scene, measure: Measure) -> None:
    """It hands over, and the next agent takes back, which may be over before a status could tell of it."""
    killed = agent_of(cluster, W1)
    with measure("agent pod deleted by force") as seen:
        cluster.kubectl.run("delete", "pod", killed, "-n", NAMESPACE, "--force", "--grace-period=0")
        scene.wait(lambda: killed not in agents(cluster) and len(agents(cluster)) == 3, "a new agent is there")
        scene.wait_nodes_ready()
        scene.wait_serves(FIRST)
    assert agent_of(cluster, W1) != killed
    seen.check_lossless()


def test_the_operator_is_deleted(
    cluster: KindCluster, scene: Scene, install: Install, inject: Inject, measure: Measure
) -> None:
    """Nothing moves; adapters still fail over; what was missed is told when it is back."""
    told = scene.moves_told()
    try:
        with measure("operator deleted") as seen:
            cluster.kubectl.run(
                "delete", "deployment", "vipa-operator", "-n", NAMESPACE, "--wait", "--cascade=foreground"
            )
            scene.wait_wire(FIRST)
        seen.check_stayed(W1)
        with measure("elected adapter loses its cable, no operator") as failed:
            inject(faults.carrier_lost(cluster, W1, FIRST))
            scene.wait_wire(SECOND)
        assert failed.tcp.connects == 1
    finally:
        install()
    scene.wait_told(told, scene.wait_serves(SECOND))


def test_the_api_server_is_stopped(cluster: KindCluster, scene: Scene, inject: Inject, measure: Measure) -> None:
    """Nothing moves; adapters still fail over; what was missed is told when it is back."""
    told = scene.moves_told()
    with measure("API server stopped") as seen:
        heal = inject(faults.api_server_stopped(cluster, CONTROL_PLANE))
        scene.wait_wire(FIRST)
    seen.check_stayed(W1)
    with measure("elected adapter loses its cable, no API server") as failed:
        heal_cable = inject(faults.carrier_lost(cluster, W1, FIRST))
        scene.wait_wire(SECOND)
    assert failed.tcp.connects == 1
    with measure("API server back") as back:
        heal()
        second = scene.wait_serves(SECOND)
    back.check_stayed(W1)
    scene.wait_told(told, second)
    heal_cable()
    scene.wait_serves(FIRST)


def test_a_virtual_ip_is_deleted_while_its_holder_is_cut_off(
    cluster: KindCluster, scene: Scene, inject: Inject
) -> None:
    """From the LAN, and from the API server: it hears of the deletion only when it is back."""
    management = internal_address(cluster, W1)
    heals = [inject(faults.port_out(cluster, W1, address)) for address in (FIRST, SECOND, management)]
    scene.wait_serves(THIRD)
    cluster.kubectl.delete("virtualip", NAME)  # waits until it is gone, so no finalizer holds it
    scene.wait(lambda: W2 not in scene.bound_on(), f"{W2} gives it up")
    for heal in heals:
        heal()
    scene.wait(lambda: scene.bound_on() == [], "nobody has it bound")
    scene.wait(lambda: scene.answerer() is None, "nobody answers")


def internal_address(cluster: KindCluster, node: str) -> str:
    """By which its kubelet reaches the API server."""
    addresses = cluster.kubectl.get("node", node)["status"]["addresses"]
    return next(str(each["address"]) for each in addresses if each["type"] == "InternalIP")
