"""The observer's negative controls: what must be caught, and what must not."""

import pytest

from vipa_lab.arp import announcement
from vipa_lab.observer import Observer
from vipa_lab.scenario import Scenario
from vipa_lab.until import until

VIP = "10.1.1.7/32"


def wait_for_claims(observer: Observer, mac: str, count: int = 10) -> None:
    def enough() -> bool:
        return sum(c.kind == "answer" and c.mac == mac for c in observer.claims()) >= count

    until(enough, observer.process.last_words, 30)


def test_one_answerer_is_clean(served: Scenario) -> None:
    observer = served.lab.observe(served.lan)
    result = served.router.arp_asker(served.vip, count=50).wait(60)
    observer.stop()
    answers = [c for c in observer.claims() if (c.kind, c.vip, c.port) == ("answer", served.vip, "r1-eth1")]
    assert len(answers) == 50 - result.lost == 50
    assert observer.two_answerers(served.vip) == []


def test_an_ungated_second_answerer_is_caught(served: Scenario) -> None:
    w1, w2 = served.nodes
    observer = served.lab.observe(served.lan)
    asker = served.router.arp_asker(served.vip)
    wait_for_claims(observer, w1.nics["eth1"].mac)
    w2.nics["eth1"].add_address(VIP)
    wait_for_claims(observer, w2.nics["eth1"].mac)
    result = asker.stop()
    observer.stop()
    overlap = observer.two_answerers(served.vip)[0]
    assert set(overlap.macs) == {w1.nics["eth1"].mac, w2.nics["eth1"].mac}
    assert overlap.port == "r1-eth1"
    assert overlap.ms > 50
    assert result.double_answers > 0


def test_a_second_adapter_of_the_same_node_is_caught(served: Scenario) -> None:
    w1, _ = served.nodes
    observer = served.lab.observe(served.lan)
    w1.set_ipv4_conf(arp_ignore=0)  # both adapters answer for any address of the node: ARP flux
    served.router.arp_asker(served.vip, count=10).wait(60)
    observer.stop()
    macs = {mac for overlap in observer.two_answerers(served.vip) for mac in overlap.macs}
    assert macs == {nic.mac for nic in w1.nics.values()}


def test_a_takeover_is_clean(served: Scenario) -> None:
    w1, w2 = served.nodes
    observer = served.lab.observe(served.lan)
    asker = served.router.arp_asker(served.vip)
    wait_for_claims(observer, w1.nics["eth1"].mac)
    w1.power_off()
    w2.nics["eth1"].add_address(VIP)
    wait_for_claims(observer, w2.nics["eth1"].mac)
    asker.stop()
    observer.stop()
    assert observer.two_answerers(served.vip) == []
    assert observer.two_answerers(served.vip, scope="lan") == []


@pytest.mark.parametrize("reply_form", [False, True])
def test_one_late_announcement_of_another_is_caught(served: Scenario, reply_form: bool) -> None:
    w1, w2 = (node.nics["eth1"] for node in served.nodes)
    observer = served.lab.observe(served.lan)
    asker = served.router.arp_asker(served.vip, period_ms=10)
    wait_for_claims(observer, w1.mac)
    w2.send(announcement(w2.mac, served.vip, reply_form=reply_form))
    wait_for_claims(observer, w1.mac, sum(c.kind == "answer" for c in observer.claims()) + 10)
    asker.stop()
    observer.stop()
    announced = [c for c in observer.claims() if (c.kind, c.mac) == ("announce", w2.mac) and c.vip == served.vip]
    assert {c.port for c in announced} == {"w1-eth1", "w1-eth2", "c1-eth1", "r1-eth1"}
    # A wide window: a busy machine may hold the asker up for longer than five periods.
    (overlap,) = observer.two_answerers(served.vip, window_ms=2000)
    assert (overlap.port, set(overlap.macs)) == ("r1-eth1", {w1.mac, w2.mac})


def test_answers_that_nobody_gets_do_not_count(served: Scenario) -> None:
    """A holder cut off on its way out still answers into the void while its successor serves: no client is misled."""
    w1, w2 = served.nodes
    w1.nics["eth1"].port.cut("from_nic")
    w2.nics["eth1"].add_address(VIP)
    observer = served.lab.observe(served.lan)
    asker = served.router.arp_asker(served.vip)
    wait_for_claims(observer, w2.nics["eth1"].mac)
    asker.stop()
    observer.stop()
    assert {frame.port for frame in observer.leaks(served.vip, ())} == {"w1-eth1", "w2-eth1"}
    assert observer.two_answerers(served.vip) == []


def test_the_two_sides_of_a_split_show_on_the_lan_but_for_no_receiver(served: Scenario) -> None:
    w1, w2 = served.nodes
    w2.nics["eth1"].add_address(VIP)
    client, router = served.client, served.router
    near = [nic.port for host in (w1, client) for nic in host.nics.values()]
    served.lan.split(near, [nic.port for host in (w2, router) for nic in host.nics.values()])
    observer = served.lab.observe(served.lan)
    askers = [client.arp_asker(served.vip), router.arp_asker(served.vip)]
    for node in (w1, w2):
        wait_for_claims(observer, node.nics["eth1"].mac)
    for asker in askers:
        asker.stop()
    observer.stop()
    assert observer.two_answerers(served.vip) == []
    assert observer.two_answerers(served.vip, scope="lan") != []
