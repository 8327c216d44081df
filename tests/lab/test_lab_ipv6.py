"""The lab speaks IPv6: addresses beside addresses, neighbour discovery asked, forged and judged."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import Ether

from vipa_lab import nd
from vipa_lab.lab import Lab
from vipa_lab.nic import Nic
from vipa_lab.observer import Observer
from vipa_lab.scenario import Scenario, ibm_i_lab
from vipa_lab.stack import ipv6_beside
from vipa_lab.until import until

MAC, IP, VIP6 = "02:76:69:70:01:01", "fd00:a01:1::4", "fd00:a01:1::7"
EVERYBODY = "33:33:00:00:00:01"


@pytest.fixture(scope="module")
def dual() -> Iterator[Scenario]:
    """Both IP versions; w1 has the virtual IPs on its first adapter."""
    with Lab() as lab:
        made = ibm_i_lab(lab)
        made.nodes[0].nics["eth1"].add_address(f"{made.vip}/32")
        made.nodes[0].nics["eth1"].add_address(f"{made.vip6}/128")
        yield made


@pytest.fixture
def observer(dual: Scenario) -> Iterator[Observer]:
    made = dual.lab.observe(dual.lan)
    yield made
    made.process.kill()


def answered_by(observer: Observer, mac: str, count: int = 10) -> None:
    """Wait until ``mac`` has answered so often."""

    def enough() -> bool:
        return sum((c.kind, c.vip, c.mac) == ("answer", VIP6, mac) for c in observer.claims()) >= count

    until(enough, observer.process.last_words, 30)


def test_the_address_beside_an_address() -> None:
    assert ipv6_beside("10.1.1.4/24") == "fd00:a01:1::4/64"
    assert ipv6_beside("10.1.1.100/32") == "fd00:a01:1::100/128"
    assert ipv6_beside("10.255.3.200") == "fd00:aff:3::200"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            nd.solicit(MAC, IP, VIP6),
            Ether(src=MAC, dst="33:33:ff:00:00:07")
            / IPv6(src=IP, dst="ff02::1:ff00:7")
            / ICMPv6ND_NS(tgt=VIP6)
            / ICMPv6NDOptSrcLLAddr(lladdr=MAC),
        ),
        (
            nd.solicit(MAC, IP, VIP6, "unicast", "02:00:00:00:00:09"),
            Ether(src=MAC, dst="02:00:00:00:00:09")
            / IPv6(src=IP, dst=VIP6)
            / ICMPv6ND_NS(tgt=VIP6)
            / ICMPv6NDOptSrcLLAddr(lladdr=MAC),
        ),
        (
            nd.solicit(MAC, IP, VIP6, "dad"),
            Ether(src=MAC, dst="33:33:ff:00:00:07") / IPv6(src="::", dst="ff02::1:ff00:7") / ICMPv6ND_NS(tgt=VIP6),
        ),
        (
            nd.advertisement(MAC, VIP6, router=True),
            Ether(src=MAC, dst=EVERYBODY)
            / IPv6(src=VIP6, dst="ff02::1")
            / ICMPv6ND_NA(tgt=VIP6, R=1, S=0, O=1)
            / ICMPv6NDOptDstLLAddr(lladdr=MAC),
        ),
    ],
)
def test_frames_are_what_scapy_makes(ours: bytes, theirs: Any) -> None:  # noqa: ANN401 - scapy is untyped
    assert ours == bytes(theirs)
    read = nd.parse(ours)
    assert read is not None
    assert nd.build(read) == ours


def test_what_is_no_neighbour_discovery_is_none() -> None:
    good = nd.solicit(MAC, IP, VIP6)
    assert nd.parse(good[:77]) is None
    assert nd.parse(good[:21] + b"\xfe" + good[22:]) is None, "a router passed it on"
    assert nd.parse(good[:54] + b"\x80" + good[55:]) is None, "an echo request"


def test_each_form_of_question_is_answered_and_one_answerer_is_clean(dual: Scenario, observer: Observer) -> None:
    holder, other = dual.nodes[0].nics["eth1"], dual.nodes[1].nics["eth1"]
    askers = [dual.router.nd_asker(VIP6, period_ms=5, count=40, form=form) for form in ("multicast", "dad")]
    askers.append(dual.router.nd_asker(VIP6, period_ms=5, count=40, form="unicast", to_mac=holder.mac))
    for asker in askers:
        result = asker.wait(30)
        assert (result.lost, result.double_answers) == (0, 0)
        assert [segment.node for segment in result.segments] == [holder.mac]
    assert dual.router.nd_asker(VIP6, count=5, form="unicast", to_mac=other.mac).wait(30).lost == 5
    observer.stop()
    assert sum(c.kind == "answer" and c.port == "r1-eth1" for c in observer.claims()) == 80
    assert observer.two_answerers(VIP6) == []
    assert observer.leaks(VIP6, ("w1-eth1",)) == []
    assert {frame.port for frame in observer.leaks(VIP6, ())} == {"w1-eth1"}


def test_both_versions_are_measured_at_once(dual: Scenario) -> None:
    probes = [dual.client.udp_probe(target, period_ms=5, count=40) for target in (dual.vip, dual.vip6)]
    results = [probe.wait(30) for probe in (*probes, dual.client.connect_probe(dual.vip6, period_ms=5, count=20))]
    assert [(result.lost, [s.node for s in result.segments]) for result in results] == [(0, ["w1"])] * 3
    session = dual.client.tcp_probe(dual.vip6, count=20).wait(30)
    assert (session.echoed, session.connects) == (20, 1)
    assert dual.client.neighbour(dual.vip6) == dual.nodes[0].nics["eth1"].mac


def test_a_second_answerer_is_caught(dual: Scenario, observer: Observer) -> None:
    w1, w2 = (node.nics["eth1"] for node in dual.nodes)
    asker = dual.router.nd_asker(VIP6)
    answered_by(observer, w1.mac)
    w2.add_address(f"{VIP6}/128")
    answered_by(observer, w2.mac)
    w2.remove_address(f"{VIP6}/128")
    assert asker.stop().double_answers > 0
    observer.stop()
    overlap = observer.two_answerers(VIP6)[0]
    assert (overlap.port, set(overlap.macs)) == ("r1-eth1", {w1.mac, w2.mac})


def observed(dual: Scenario) -> tuple[int | None, str]:
    """Exit code and words of ``vipa observe`` on the client."""
    words = [str(Path(sys.executable).with_name("vipa")), "observe", "FD00:a01:1:0::7", "--seconds", "0.3"]
    process = dual.client.start(words, "observe")
    process.wait(30)
    return process.exit_code, process.output()


def test_the_command_observe_asks_in_ipv6(dual: Scenario) -> None:
    w1, w2 = (node.nics["eth1"] for node in dual.nodes)
    code, words = observed(dual)
    assert (code, f"  {w1.mac}  answered " in words, "NOT GOOD" in words) == (0, True, False), words
    w2.add_address(f"{VIP6}/128")
    code, words = observed(dual)
    w2.remove_address(f"{VIP6}/128")
    assert (code, "several answer at once" in words) == (1, True), words


def test_one_forged_announcement_is_caught_and_so_is_a_question_from_the_virtual_ip(
    dual: Scenario, observer: Observer
) -> None:
    w1, w2 = (node.nics["eth1"] for node in dual.nodes)
    asker = dual.router.nd_asker(VIP6, period_ms=10)
    answered_by(observer, w1.mac)
    w2.send(nd.advertisement(w2.mac, VIP6))
    answered_by(observer, w1.mac, 10 + sum(c.kind == "answer" for c in observer.claims()))
    w2.send(nd.solicit(w2.mac, VIP6, "fd00:a01:1::100"))
    answered_by(observer, w1.mac, 10 + sum(c.kind == "answer" for c in observer.claims()))
    asker.stop()
    observer.stop()
    announced = [c for c in observer.claims() if (c.kind, c.vip, c.mac) == ("announce", VIP6, w2.mac)]
    assert len({c.at_s for c in announced if c.port == "c1-eth1"}) == 2
    assert [frame.port for frame in observer.leaks(VIP6, ("w1-eth1",))] == ["w2-eth1", "w2-eth1"]
    # A wide window: a busy machine may hold the asker up for longer than five periods.
    assert {o.macs for o in observer.two_answerers(VIP6, window_ms=2000)} == {tuple(sorted((w1.mac, w2.mac)))}


def test_an_announcement_moves_a_cached_client_but_not_one_that_heeds_none(dual: Scenario) -> None:
    w1, w2 = (node.nics["eth1"] for node in dual.nodes)
    heeding, stubborn = dual.client, dual.router
    stubborn.set_ipv6_conf(drop_unsolicited_na=1)
    for client in (heeding, stubborn):
        client.flush_neighbours()
        assert client.udp_probe(VIP6, count=3).wait(30).lost == 0
        assert client.neighbour(VIP6) == w1.mac
    w2.send(nd.advertisement(w2.mac, VIP6))
    until(lambda: heeding.neighbour(VIP6) == w2.mac, "the client's cache follows the announcement")
    assert stubborn.neighbour(VIP6) == w1.mac
    stubborn.set_ipv6_conf(drop_unsolicited_na=0)
    heeding.flush_neighbours()
    assert heeding.neighbour(VIP6) is None


def flags(nic: Nic, address: str) -> str:
    """What the kernel says of an address: "" when it has none."""
    return nic.host.run(["ip", "-6", "-o", "addr", "show", "dev", nic.name, "to", f"{address}/128"])


def test_a_foreign_host_takes_an_address_with_and_without_looking(dual: Scenario) -> None:
    printer = dual.lab.add_station("printer")
    nic = printer.add_nic(dual.lan, "10.1.1.50/24", "fd00:a01:1::50/64")
    dual.lab.settle()
    printer.set_ipv6_conf(accept_dad=1)
    nic.add_address(f"{VIP6}/128", dad=True)
    until(lambda: "dadfailed" in flags(nic, VIP6), "the station finds that it is taken")
    nic.remove_address(f"{VIP6}/128")
    nic.add_address(f"{VIP6}/128")
    assert "tentative" not in flags(nic, VIP6)
    assert dual.router.nd_asker(VIP6, count=5).wait(30).double_answers > 0
    printer.power_off()


def test_ipv6_addresses_come_back_with_an_interface(dual: Scenario) -> None:
    nic = dual.nodes[1].nics["eth1"]
    nic.set_admin(up=False)
    assert flags(nic, nic.address6) == ""
    nic.set_admin(up=True)
    assert nic.address6 == "fd00:a01:1::6"
    until(lambda: dual.router.nd_asker(nic.address6, period_ms=5, count=5).wait(30).lost == 0, "it answers again")


def test_a_lan_without_ipv4() -> None:
    with Lab() as lab:
        made = ibm_i_lab(lab, stack="ipv6")
        assert (made.vip, made.vip6, made.preferred) == (VIP6, VIP6, (IP, "fd00:a01:1::5", "fd00:a01:1::6"))
        hosts = (*made.nodes, made.client, made.router)
        assert [host.run(["ip", "-4", "addr", "show", "scope", "global"]) for host in hosts] == [""] * 4
        for nic in made.nodes[0].nics.values():
            nic.add_address(f"{made.vip}/128")
        assert made.client.udp_probe(made.vip, period_ms=5, count=20).wait(30).lost == 0
        made.client.add_route("fd00:99::/64", "fd00:a01:1::1")
        assert "via fd00:a01:1::1" in made.client.run(["ip", "-6", "route", "show", "default"])
