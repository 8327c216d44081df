"""Adapters, cables and switch ports fail in a real cluster; the seed's scenario first."""

import time
from typing import Final

from vipa_lab.kind import faults
from vipa_lab.kind.cluster import KindCluster
from vipa_lab.kind.faults import Inject
from vipa_lab.kind.measured import Measure
from vipa_lab.kind.netns import inside, run
from vipa_lab.kind.places import WORKERS
from vipa_lab.kind.scene import PREFERRED, Scene

W1, W2 = WORKERS
FIRST, SECOND, THIRD = PREFERRED
# A second for each cause of a false alarm: five renewals of a permit at Calm, twelve silences.
QUIET_S: Final = 10.0
NOBODYS: Final = "10.1.1.30"


def test_nothing_is_lost_while_nothing_happens(scene: Scene, measure: Measure) -> None:
    before = scene.moves_told()
    with measure("none") as seen:
        time.sleep(QUIET_S)
    seen.check_stayed(W1)
    assert scene.moves_told() == before


def test_the_observer_sees_two_answerers(cluster: KindCluster, scene: Scene) -> None:
    """Else no verdict here would be worth anything. The address is nobody's, and two nodes have it."""
    asker = scene.station.ask(NOBODYS)
    ports = {node: faults.adapter_of(cluster, node, address).name for node, address in ((W1, FIRST), (W2, THIRD))}
    try:
        for node, name in ports.items():
            run(*inside(cluster.pid(node)), "ip", "address", "add", f"{NOBODYS}/32", "dev", name)
        scene.wait(lambda: bool(scene.observer.two_answerers(NOBODYS)), "two answerers are seen")
    finally:
        for node, name in ports.items():
            run(*inside(cluster.pid(node)), "ip", "address", "del", f"{NOBODYS}/32", "dev", name)
        asker.process.kill()


def test_the_seeds_scenario(cluster: KindCluster, scene: Scene, inject: Inject, measure: Measure) -> None:
    """Figures 1 to 3: each adapter of the list fails in turn, and they come back."""
    told = scene.moves_told()
    with measure("elected adapter loses its cable") as to_second:
        heal_first = inject(faults.carrier_lost(cluster, W1, FIRST))
        second = scene.wait_serves(SECOND)
    assert to_second.nodes() == [W1], "the other adapter is on the same node"
    assert to_second.tcp.connects == 1, "sessions outlive an adapter"
    scene.wait_told(told, second)

    told = scene.moves_told()
    with measure("the node's last adapter loses its cable") as to_third:
        heal_second = inject(faults.carrier_lost(cluster, W1, SECOND))
        third = scene.wait_serves(THIRD)
    assert to_third.nodes() == [W1, W2]
    scene.wait_told(told, third)

    told = scene.moves_told()
    with measure("a preferred adapter comes back (another node)") as back:
        heal_second()
        second = scene.wait_serves(SECOND)
    assert back.nodes() == [W2, W1]
    back.check_lossless()
    scene.wait_told(told, second)

    told = scene.moves_told()
    with measure("a preferred adapter comes back (same node)") as first_back:
        heal_first()
        first = scene.wait_serves(FIRST)
    assert first_back.nodes() == [W1]
    first_back.check_lossless()
    scene.wait_told(told, first)


def test_the_adapter_is_set_down_on_the_node(
    cluster: KindCluster, scene: Scene, inject: Inject, measure: Measure
) -> None:
    told = scene.moves_told()
    with measure("elected adapter set down on the node") as seen:
        heal = inject(faults.adapter_down(cluster, W1, FIRST))
        second = scene.wait_serves(SECOND)
    assert seen.nodes() == [W1]
    scene.wait_told(told, second)
    heal()
    scene.wait_serves(FIRST)


def test_the_switch_port_dies_silently(cluster: KindCluster, scene: Scene, inject: Inject, measure: Measure) -> None:
    told = scene.moves_told()
    with measure("elected adapter's port out of the bridge, link up") as seen:
        heal = inject(faults.port_out(cluster, W1, FIRST))
        second = scene.wait_serves(SECOND)
    assert seen.nodes() == [W1]
    scene.wait_told(told, second)
    heal()
    scene.wait_serves(FIRST)


def test_the_node_is_cut_off_silently(cluster: KindCluster, scene: Scene, inject: Inject, measure: Measure) -> None:
    """Both its ports; the API server still hears it."""
    told = scene.moves_told()
    with measure("both ports of the holder out of the bridge, link up") as seen:
        heals = [inject(faults.port_out(cluster, W1, address)) for address in (FIRST, SECOND)]
        third = scene.wait_serves(THIRD)
    assert seen.nodes() == [W1, W2]
    scene.wait_told(told, third)
    for heal in heals:
        heal()
    scene.wait_serves(FIRST)


def test_the_adapter_comes_back_under_another_name(
    cluster: KindCluster, scene: Scene, inject: Inject, measure: Measure
) -> None:
    """On the other worker, whose one adapter of the list it is."""
    inject(faults.second_adapter_removed(cluster, W2))
    scene.apply(addresses=(THIRD, FIRST, SECOND))
    scene.wait_serves(THIRD)
    name = faults.adapter_of(cluster, W2, THIRD).name

    told = scene.moves_told()
    with measure("elected adapter disappears (docker network disconnect)") as seen:
        heal = inject(faults.disconnected(cluster, W2, THIRD))
        first = scene.wait_serves(FIRST)
    assert seen.nodes() == [W2, W1]
    scene.wait_told(told, first)

    told = scene.moves_told()
    with measure("it comes back under another name (docker network connect)") as back:
        heal()
        third = scene.wait_serves(THIRD)
    back.check_lossless()
    assert faults.adapter_of(cluster, W2, THIRD).name != name, "what this test is about"
    scene.wait_told(told, third)
