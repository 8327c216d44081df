"""Machines, adapters and switches: what is made, what is undone, what stays separate."""

import time
from typing import Any

import pytest

from vipa_lab.client import Client
from vipa_lab.errors import LabError
from vipa_lab.lab import Lab
from vipa_lab.nic import Nic
from vipa_lab.scenario import Scenario, ibm_i_lab, three_node_lab
from vipa_lab.until import until

CREATE_MAX_S = 10.0  # mostly 0.3 s; the bound only catches a lab that waits for something


def answers(client: Client, address: str) -> bool:
    """Whether any of 20 ARP questions for ``address`` is answered."""
    result = client.arp_asker(address, period_ms=5, count=20).wait(20)
    return result.lost < result.sent


def link_of(nic: Nic) -> Any:  # noqa: ANN401 - pyroute2 is untyped
    """What the machine's kernel says of it."""
    (link,) = nic.host.namespace.netlink(lambda ipr: ipr.link("get", index=nic.index))
    return link


def test_the_seed_lan_has_its_addresses_and_is_made_and_removed_quickly() -> None:
    start_s = time.monotonic()
    with Lab() as lab:
        scenario = ibm_i_lab(lab)
        made_s = time.monotonic() - start_s
        assert scenario.preferred == ("10.1.1.4", "10.1.1.5", "10.1.1.6")
        assert [nic.address for node in scenario.nodes for nic in node.nics.values()] == list(scenario.preferred)
        assert (scenario.client.nics["eth1"].address, scenario.router.nics["eth1"].address) == (
            "10.1.1.100",
            "10.1.1.1",
        )
        assert not answers(scenario.router, scenario.vip)
        assert all(answers(scenario.router, address) for address in scenario.preferred)
    assert made_s < CREATE_MAX_S
    assert not lab.work_dir.exists()


def test_three_nodes_with_two_adapters_each(lab: Lab) -> None:
    scenario = three_node_lab(lab, echo=False)
    assert len(scenario.preferred) == 6
    assert answers(scenario.router, "10.1.1.32")


def test_both_ends_of_a_cable_have_the_same_number_so_that_link_events_are_as_late_as_on_hardware(
    ibm_i: Scenario,
) -> None:
    for host in ibm_i.lab.hosts.values():
        for nic in host.nics.values():
            link = link_of(nic)
            assert link["index"] == link.get_attr("IFLA_LINK") == nic.index
            assert link.get_attr("IFLA_ADDRESS") == nic.mac


def test_settings_of_a_machine_are_its_own_and_survive_a_boot(ibm_i: Scenario) -> None:
    w1, w2 = ibm_i.nodes
    w1.set_ipv4_conf(rp_filter=1, arp_ignore=1)
    w1.set_sysctl("net/ipv4/ip_forward", 1)
    w1.power_off()
    w1.boot()
    w1.nics["eth2"].delete()
    w1.nics["eth2"].recreate()
    read = "cat /proc/sys/net/ipv4/conf/{all,default,eth1,eth2}/{rp_filter,arp_ignore} /proc/sys/net/ipv4/ip_forward"
    assert w1.run(["bash", "-c", read]).split() == ["1"] * 9
    assert w2.run(["cat", "/proc/sys/net/ipv4/conf/all/rp_filter", "/proc/sys/net/ipv4/ip_forward"]).split() == [
        "0",
        "0",
    ]


def test_an_unknown_sysctl_is_named(ibm_i: Scenario) -> None:
    with pytest.raises(LabError, match="w1: sysctl net/ipv4/no_such = 1"):
        ibm_i.nodes[0].set_sysctl("net/ipv4/no_such", 1)


def test_machines_have_their_own_run_and_hostname(ibm_i: Scenario) -> None:
    w1, w2 = ibm_i.nodes
    w1.run(["sh", "-c", "echo here > /run/state"])
    assert (w1.run_dir / "state").read_text() == "here\n"
    assert w2.run(["ls", "/run"]) == ""
    assert w2.run(["uname", "-n"]).strip() == "w2"


def test_power_off_and_boot(ibm_i: Scenario) -> None:
    w2 = ibm_i.nodes[1]
    echo = w2.start_echo(7008)
    assert answers(ibm_i.router, "10.1.1.6")
    w2.power_off()
    assert not echo.alive
    assert not answers(ibm_i.router, "10.1.1.6")
    with pytest.raises(LabError, match="w2 is powered off"):
        w2.run(["true"])
    w2.boot()
    until(lambda: answers(ibm_i.router, "10.1.1.6"), "it answers")  # the switch may take a second to see its link
    with pytest.raises(LabError, match="w2 is on already"):
        w2.boot()


def test_an_interface_comes_back_with_another_number_and_mac(ibm_i: Scenario) -> None:
    nic = ibm_i.nodes[0].nics["eth2"]
    index, mac = nic.index, "02:00:00:00:00:99"
    nic.delete()
    assert not answers(ibm_i.router, "10.1.1.5")
    nic.recreate(mac)
    until(nic.carrier, "eth2 has carrier")
    assert nic.index != index
    assert link_of(nic).get_attr("IFLA_ADDRESS") == mac
    ibm_i.lab.settle()
    ibm_i.client.flush_neighbours()
    result = ibm_i.client.udp_probe("10.1.1.5", period_ms=10, count=20).wait(20)
    assert result.lost < result.sent


def test_switches_are_separate_lans(lab: Lab) -> None:
    one, two = lab.add_switch("one"), lab.add_switch("two")
    a, b, c = lab.add_client("a"), lab.add_station("b"), lab.add_station("c")
    a.add_nic(one, "10.1.1.1/24")
    b.add_nic(one, "10.1.1.2/24")
    c.add_nic(two, "10.1.1.3/24")
    lab.settle()
    assert answers(a, "10.1.1.2")
    assert not answers(a, "10.1.1.3")


def test_names_are_unique_and_addresses_complete(lab: Lab) -> None:
    lan = lab.add_switch("lan")
    with pytest.raises(LabError, match="already has a machine called 'lan'"):
        lab.add_node("lan")
    node = lab.add_node("w1")
    with pytest.raises(LabError, match=r"write 10\.1\.1\.4/32 or 10\.1\.1\.4/24"):
        node.add_nic(lan, "10.1.1.4")
    with pytest.raises(LabError, match="15 characters"):
        lan.add_port("a-name-that-is-far-too-long")
