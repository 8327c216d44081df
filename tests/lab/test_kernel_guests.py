"""Addresses of a guest behind a bridge: who answers for them, what gets through, and that all of it is put back."""

from functools import partial

import pytest

from vipa_lab.gate_rig import Rig
from vipa_lab.guests import BRIDGE, Guests
from vipa_lab.kernel_rig import BOTH, LONG_S, OWN, VIP, VIP6
from vipa_lab.node import Node
from vipa_lab.ping import reaches

BEHIND = ((VIP, BRIDGE), (VIP6, BRIDGE))
STATION6 = "fd00:a01:1::100"
LOOKS = ("rule", "neigh show proxy", "route show table all proto 118")


def state(rig: Rig) -> dict[str, str]:
    """All that proxying changes on the node."""
    found = {f"-{v} {look}": rig.node.run(["ip", f"-{v}", *look.split()]) for v in (4, 6) for look in LOOKS}
    for interface in (*BOTH, BRIDGE):
        for name in (f"ipv4/conf/{interface}/forwarding", f"ipv4/conf/{interface}/proxy_arp"):
            found[name] = read(rig, name)
        for version in ("ipv4", "ipv6"):
            name = f"{version}/neigh/{interface}/proxy_delay"
            found[name] = read(rig, name)
    return found | {name: read(rig, name) for name in ("ipv6/conf/all/proxy_ndp", "ipv6/conf/all/forwarding")}


def read(rig: Rig, name: str) -> str:
    return rig.node.run(["cat", f"/proc/sys/net/{name}"]).strip()


def test_the_elected_interface_alone_proxies_for_a_guest(rig: Rig) -> None:
    rig.node.set_ipv4_conf(rp_filter=1)
    rig.node.set_ipv6_conf(forwarding=1)
    guests = Guests(rig.lab, rig.node)
    guest = guests.add("guest", f"{VIP}/24", VIP6)
    before = state(rig)

    rig.call(lambda: rig.kernel.guard((VIP, VIP6), OWN, BEHIND))
    rig.call(lambda: rig.kernel.bind((VIP, VIP6), BOTH))
    assert [rig.ask(VIP), rig.ask(VIP6)] == [set(), set()]
    assert rig.kernel.bound() == {VIP, VIP6}

    for interface, other in (("eth2", "eth1"), ("eth1", "eth2")):  # main routes by eth1: eth2 shows steering
        serves(rig, guest, interface, other)

    removed_comes_back(rig)
    a_restart_finds_it(rig)
    rig.call(rig.kernel.clean_up)
    assert state(rig) == before


def serves(rig: Rig, guest: Node, interface: str, other: str) -> None:
    """Both ways while the other adapter's path is dead, and nothing is said by that one."""
    rig.claim(interface, LONG_S, VIP, VIP6)
    assert [rig.ask(VIP), rig.ask(VIP6)] == [{interface}, {interface}]
    macs = {name: rig.node.nics[name].mac for name in BOTH}
    assert rig.ask_nd(VIP6, "unicast", macs[interface]) == {interface}
    assert rig.ask_nd(VIP6, "unicast", macs[other]) == set()
    for address in (VIP, VIP6):
        rig.announce(interface, address)
        with pytest.raises(OSError, match="No buffer space"):
            rig.announce(other, address)

    rig.node.nics[other].port.block()
    for host, target in ((rig.station, VIP), (rig.station, VIP6), (guest, "10.1.1.100"), (guest, STATION6)):
        assert reaches(host, target), f"{host.name} does not reach {target} by {interface}"
    assert reaches(guest, "10.1.1.4")  # the node itself
    assert rig.station.neighbour(VIP6) in (macs[interface], None)
    rig.node.nics[other].port.unblock()

    rig.kernel.revoke((VIP, VIP6), interface)
    assert [rig.ask(VIP), rig.ask(VIP6)] == [set(), set()]


def removed_comes_back(rig: Rig) -> None:
    rig.node.run(["ip", "neigh", "del", "proxy", VIP, "dev", "eth1"])
    rig.node.run(["ip", "-6", "route", "flush", "table", "7117"])
    lost = rig.call(rig.kernel.lost)
    assert lost == {VIP: {"eth1"}, VIP6: {BRIDGE}}
    for address, names in lost.items():
        rig.call(partial(rig.kernel.rebind, address, names))
    assert rig.call(rig.kernel.lost) == {}
    rig.node.run(["sysctl", "-qw", "net.ipv4.conf.eth2.forwarding=0"])
    assert rig.call(rig.kernel.lacking) == "forwarding of eth2"
    rig.call(lambda: rig.kernel.guard((VIP, VIP6), OWN))
    assert rig.call(rig.kernel.lacking) == ""


def a_restart_finds_it(rig: Rig) -> None:
    there = state(rig)
    rig.claim("eth1", LONG_S, VIP, VIP6)
    rig.call(rig.kernel.close)
    rig.kernel = rig.start()
    assert {held.address for held in rig.call(rig.kernel.held)} == {VIP, VIP6}
    rig.call(lambda: rig.kernel.guard((VIP, VIP6), OWN, BEHIND))
    assert rig.kernel.bound() == {VIP, VIP6}
    assert state(rig) == there
    assert [rig.ask(VIP), rig.ask(VIP6)] == [{"eth1"}, {"eth1"}]
