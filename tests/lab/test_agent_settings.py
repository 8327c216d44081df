"""The kernel settings that change who answers and what is accepted: strict, loose and no reverse-path filter, and
answering for the receiving interface's addresses only or for all.

One tour through all faults on the two extremes: nothing filtered and everything answered, where a wrong adapter would
answer first, and everything filtered, where a right one would fall silent first. Between them what depends on the
setting, the way through the list, on one cluster. Each step begins and ends with w1/eth1 serving; that there never were
two answerers is judged at the end. What more there is to a fault is tested in the files named after it.
"""

import time
from pathlib import Path

import pytest

from vipa.timing import PROFILES, Timing
from vipa_lab.cluster import WAIT_S, Cluster
from vipa_lab.forger import Forger
from vipa_lab.lab import Lab
from vipa_lab.manifests import virtual_ip
from vipa_lab.probe import Probe
from vipa_lab.results import ProbeResult, TcpResult

CALM = PROFILES[Timing.CALM]
DELAY_S = 2.0
DELAYED = f"{{policy: Delayed, delay: {DELAY_S:g}s}}"
FROZEN_S = 5.0
LOST_MAX = 5
TRIES = 10
"""A busy machine may start an agent too late for the permit of the one before; some try is in time."""
NEW_MAC = "02:76:69:70:aa:01"
LISTED = ("w1/eth1", "w1/eth2", "w2/eth1")
# rp_filter, arp_ignore
EXTREMES = ((0, 0), (1, 1))
BETWEEN = ((0, 1), (1, 0), (2, 0), (2, 1))

Datagrams = Probe[ProbeResult]
Session = Probe[TcpResult]


@pytest.mark.slow
@pytest.mark.parametrize(("rp_filter", "arp_ignore"), EXTREMES)
def test_grand_tour(lab: Lab, rp_filter: int, arp_ignore: int) -> None:
    with Cluster(lab, failback=DELAYED) as cluster:
        settings = {"rp_filter": rp_filter, "arp_ignore": arp_ignore}
        take_settings(cluster, settings)
        cluster.start_both()
        within_the_node(cluster)
        bad_manifest_beside_a_good_one(cluster)
        probe = cluster.datagrams()
        cluster.wait_client(probe, "w1")
        power_off_and_cold_start(cluster, probe)
        killed(cluster, probe)
        frozen(cluster, probe)
        killed_and_back_within_its_permit(cluster)
        forged_heartbeats(cluster)
        assert kept(cluster, settings), f"{settings} on every interface, after boots and new cards too"
        each_in_order_and_back(cluster, probe)
        assert {segment.node for segment in probe.stop().segments} == {"w1", "w2"}


@pytest.mark.slow
def test_the_way_through_the_list_on_the_settings_between(lab: Lab) -> None:
    """Changed under running agents: what they set up knows nothing of these settings."""
    with Cluster(lab) as cluster:
        cluster.start_both()
        for rp_filter, arp_ignore in BETWEEN:
            settings = {"rp_filter": rp_filter, "arp_ignore": arp_ignore}
            take_settings(cluster, settings)
            probe, session = cluster.datagrams(), cluster.client.tcp_probe(cluster.vip)
            cluster.wait_client(probe, "w1")
            cluster.wait_client(session, "w1")
            leave(cluster, "w1/eth1", probe)
            cluster.wait_answered(session)
            moved = session.stop()
            assert (moved.connects, moved.resets) == (1, 0), f"{settings}: a session survives moves within the node"
            leave(cluster, "w1/eth2", probe)
            return_to(cluster, "w1/eth2", probe)
            return_to(cluster, "w1/eth1", probe)
            assert {segment.node for segment in probe.stop().segments} == {"w1", "w2"}
            assert kept(cluster, settings)
        each = [*LISTED, *reversed(LISTED[1:-1])]
        assert cluster.served() == [*each * len(BETWEEN), LISTED[0]], "the list's order on every setting, exactly"


def take_settings(cluster: Cluster, settings: dict[str, int]) -> None:
    for node in cluster.scenario.nodes:
        node.set_ipv4_conf(**settings)


def within_the_node(cluster: Cluster) -> None:
    """Three ways to lose an adapter, and failback of three kinds; one TCP session lives through all of it."""
    session = cluster.client.tcp_probe(cluster.vip)
    cluster.wait_client(session, "w1")
    no_carrier_and_delayed_failback(cluster, session)
    take_failback(cluster, "Never")
    blocked_port_and_no_failback(cluster, session)
    take_failback(cluster, "Immediate")
    cluster.wait_serves("w1/eth1")
    deleted_card(cluster, session)
    result = session.stop()
    assert (result.connects, result.resets) == (1, 0), "a session survives moves within the node"


def no_carrier_and_delayed_failback(cluster: Cluster, session: Session) -> None:
    cable = cluster.nic("w1/eth1").port
    cable.down()
    cluster.wait_serves("w1/eth2")
    assert interface(cluster, "w1/eth1")["reason"] == "LinkDown"
    cluster.wait_answered(session)
    back_s = time.monotonic()
    cable.up()
    assert cluster.wait_serves("w1/eth1") - back_s >= DELAY_S, "failback waits for its delay"
    cluster.wait_answered(session)


def blocked_port_and_no_failback(cluster: Cluster, session: Session) -> None:
    """Leaves w1/eth2 serving: failback is Never."""
    blocked = cluster.nic("w1/eth1")
    blocked.port.block()
    cluster.wait_serves("w1/eth2")
    assert blocked.carrier(), "a blocked port keeps its link"
    assert interface(cluster, "w1/eth1")["reason"] == "PathSilent"
    cluster.wait_answered(session)
    blocked.port.unblock()
    cluster.wait_healthy("w1/eth1")
    cluster.hold("w1/eth2", CALM.silence_s)


def deleted_card(cluster: Cluster, session: Session) -> None:
    """The card that serves goes, and comes back as another one: another interface index, another MAC."""
    card = cluster.nic("w1/eth1")
    card.delete()
    cluster.wait_serves("w1/eth2")
    gone = interface(cluster, "w1/eth1")
    assert (gone["healthy"], gone["reason"]) == (False, "InterfaceMissing")
    cluster.wait_answered(session)
    card.recreate(NEW_MAC)
    cluster.wait_serves("w1/eth1")  # as seen by the cold client: the new MAC answers
    assert interface(cluster, "w1/eth1")["mac"] == NEW_MAC
    cluster.wait_answered(session)


def take_failback(cluster: Cluster, policy: str) -> None:
    """Both agents follow another policy. A manifest that is refused is written after it: who refuses that one has read
    this one."""
    cluster.write("erp.yaml", virtual_ip(failback=f"{{policy: {policy}}}"))
    refuse(cluster, f"after-{policy.lower()}")


def refuse(cluster: Cluster, name: str) -> Path:
    """Write a manifest that every agent refuses, and wait until it does."""
    path = cluster.write(f"{name}.yaml", virtual_ip(name, "10.1.1.999"))

    def refused() -> bool:
        return all(name in {each["name"] for each in cluster.status(node)["refusals"]} for node in cluster.running())

    cluster.wait(refused, f"both agents refuse {name}")
    return path


def bad_manifest_beside_a_good_one(cluster: Cluster) -> None:
    before, probe = undisturbed(cluster)
    broken = cluster.write("broken.yaml", "kind: [VirtualIP\n")
    bad = refuse(cluster, "crm")
    for agent in cluster.agents.values():
        agent.wait_output("broken.yaml", WAIT_S)
    check_undisturbed(cluster, before, probe)
    broken.unlink()
    bad.unlink()


def power_off_and_cold_start(cluster: Cluster, probe: Datagrams) -> None:
    """First the machine that serves, then the other one too; then both boot and start at the same time."""
    cluster.power_off("w1")
    cluster.wait_serves("w2/eth1")
    cluster.wait_client(probe, "w2")
    cluster.power_off("w2")
    for name in ("w1", "w2"):
        cluster.boot(name)
    cluster.start("w1", "w2")
    cluster.wait_peers()
    cluster.wait_serves("w1/eth1")
    cluster.wait_client(probe, "w1")


def killed(cluster: Cluster, probe: Datagrams) -> None:
    """The agent stays dead until the other machine serves; its return is an Immediate failback between machines."""
    cluster.agents["w1"].kill()
    cluster.wait_serves("w2/eth1")
    cluster.wait_client(probe, "w2")
    cluster.start("w1")
    cluster.wait_serves("w1/eth1")
    cluster.wait_client(probe, "w1")


def frozen(cluster: Cluster, probe: Datagrams) -> None:
    """Well beyond the permit. Its kernel serves on who knows its MAC, until the next holder announces itself."""
    counted = cluster.datagrams()
    cluster.wait_client(counted, "w1")
    frozen_s = time.monotonic()
    cluster.freeze("w1")
    cluster.wait_serves("w2/eth1")
    cluster.wait(lambda: time.monotonic() - frozen_s >= FROZEN_S, f"{FROZEN_S:g} seconds")
    cluster.thaw("w1")
    cluster.wait_serves("w1/eth1")
    assert "reason=PermitLapsed" in cluster.agents["w1"].output(), "the thawed agent knows that it lost its permit"
    assert cluster.moves("w1")[-1] == "HandedOver", "back by a planned move"
    cluster.wait_client(counted, "w1")
    assert counted.stop().lost <= LOST_MAX
    cluster.wait_client(probe, "w1")


def killed_and_back_within_its_permit(cluster: Cluster) -> None:
    for _ in range(TRIES):
        before, probe = undisturbed(cluster)
        # A permit has at least this long to live when its agent dies.
        in_time = cluster.restart("w1", CALM.permit_s - CALM.renew_s - CALM.interval_s, WAIT_S)
        cluster.wait_serves("w1/eth1")
        if in_time or "reason=Adopted" in cluster.agents["w1"].output():
            break
        probe.stop()
    else:
        raise AssertionError("this machine is too busy to start an agent within a permit")
    assert cluster.erp("w1")["reason"] == "Adopted"
    cluster.hold("w1/eth1", CALM.permit_s)  # nobody took it when the permit of the dead one would have ended
    check_undisturbed(cluster, before, probe)


def forged_heartbeats(cluster: Cluster) -> None:
    """r1 tells w2 in the name of w1 that nobody serves."""
    forger = Forger(cluster.lab, cluster.scenario.router.nics["eth1"], cluster.nic("w1/eth1"), cluster.nic("w2/eth1"))
    before, probe = undisturbed(cluster)

    def counted() -> dict[str, int]:
        return dict(cluster.status("w2")["heartbeats"])

    at_first, lies = counted(), forger.lies(forger.lie())
    for payload in lies.values():
        for _ in range(20):
            forger.send(payload)

    def all_counted() -> bool:
        now = counted()
        return all(now.get(result, 0) >= at_first.get(result, 0) + 20 for result in lies)

    cluster.wait(all_counted, f"w2 counts 20 each of {', '.join(lies)}")
    cluster.hold("w1/eth1", CALM.silence_s)
    check_undisturbed(cluster, before, probe)


def each_in_order_and_back(cluster: Cluster, probe: Datagrams) -> None:
    """The list from first to last until none is left, and back; the last step, for the cold client asks no more."""
    began_s = time.monotonic()
    cluster.wait_answered(cluster.asker)
    for endpoint in LISTED[:-1]:
        leave(cluster, endpoint, probe)
    assert cluster.erp("w1")["role"] == "Excluded"
    cluster.nic(LISTED[-1]).port.down()
    cluster.wait(lambda: not cluster.answerer() and not cluster.holders(), "no adapter is left: nobody answers")
    for endpoint in reversed(LISTED):
        return_to(cluster, endpoint, probe)
    assert cluster.erp("w1")["reason"] == "TopOfList"
    assert cluster.served(began_s) == [*LISTED, *reversed(LISTED[:-1])], "the list's order, exactly"


def leave(cluster: Cluster, endpoint: str, probe: Datagrams) -> None:
    """The adapter that serves loses its link: the next of the list serves."""
    successor = LISTED[LISTED.index(endpoint) + 1]
    cluster.nic(endpoint).port.down()
    cluster.wait_serves(successor)
    cluster.wait_client(probe, successor.partition("/")[0])


def return_to(cluster: Cluster, endpoint: str, probe: Datagrams) -> None:
    cluster.nic(endpoint).port.up()
    cluster.wait_serves(endpoint)
    cluster.wait_client(probe, endpoint.partition("/")[0])


def undisturbed(cluster: Cluster) -> tuple[list[object], Datagrams]:
    """Begin to watch that nothing moves and nothing is lost: give both to :func:`check_undisturbed`."""
    probe = cluster.datagrams()
    cluster.wait_client(probe, "w1")
    return [cluster.erp("w1")["term"], cluster.moves("w2")], probe


def check_undisturbed(cluster: Cluster, before: list[object], probe: Datagrams) -> None:
    cluster.wait_serves("w1/eth1")
    cluster.wait_answered(probe)
    cluster.check_lossless(probe.stop())
    assert [cluster.erp("w1")["term"], cluster.moves("w2")] == before, "nothing moved"


def interface(cluster: Cluster, endpoint: str) -> dict[str, object]:
    """What its agent says of this adapter."""
    node, _, name = endpoint.partition("/")
    return next(dict(each) for each in cluster.status(node)["interfaces"] if each["name"] == name)


def kept(cluster: Cluster, settings: dict[str, int]) -> bool:
    """Whether the kernels still have what this tour is about."""
    return all(
        cluster.node(name).run(["cat", f"/proc/sys/net/ipv4/conf/{scope}/{key}"]).strip() == str(value)
        for name in ("w1", "w2")
        for scope in ("all", *cluster.node(name).nics)
        for key, value in settings.items()
    )
