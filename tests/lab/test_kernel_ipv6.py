"""Who answers for an IPv6 virtual IP, judged by a neighbour's raw socket: one node with two NICs on one LAN, and a
station that asks.

The node: eth1 fd00:a01:1::4, eth2 fd00:a01:1::5, and IPv4 beside them; the virtual IP fd00:a01:1::7 is bound on both.
"""

import errno
import select
import socket
import subprocess
import time
from typing import get_args

import pytest

from vipa_agent.kernel.clock import boottime_s
from vipa_lab import nd
from vipa_lab.gate_rig import PERMIT_S, Rig
from vipa_lab.kernel_rig import BOTH, LONG_S, OWN, OWN6, VIP, VIP6
from vipa_lab.until import SOON_S, until
from vipa_lab.within import within

EVERY = OWN + OWN6
STATION = "fd00:a01:1::100"


@pytest.fixture
def rig6(rig: Rig) -> Rig:
    """Served, nobody elected."""
    rig.own = EVERY
    rig.serve((VIP6,))
    return rig


def asked_in_every_form(rig: Rig, target: str = VIP6) -> dict[str, set[str]]:
    """Who answers each form; the unicast form is sent to each NIC of the node."""
    found = {form: rig.ask_nd(target, form) for form in get_args(nd.Form) if form != "unicast"}
    macs = (rig.node.nics[interface].mac for interface in BOTH)
    return found | {"unicast": {nic for mac in macs for nic in rig.ask_nd(target, "unicast", mac)}}


def everywhere(*interfaces: str) -> dict[str, set[str]]:
    return {form: set(interfaces) for form in get_args(nd.Form)}


def test_only_the_elected_interface_answers_whatever_the_form(rig6: Rig) -> None:
    assert asked_in_every_form(rig6) == everywhere()
    for interface in ("eth1", "eth2"):
        rig6.claim(interface, LONG_S, VIP6)
        assert asked_in_every_form(rig6) == everywhere(interface)
        rig6.kernel.revoke((VIP6,), interface)
        assert asked_in_every_form(rig6) == everywhere()
    assert [asked_in_every_form(rig6, own.partition("/")[0]) for _nic, own in OWN6] == [
        everywhere("eth1"),
        everywhere("eth2"),
    ]


def test_without_the_gate_both_would_answer(rig6: Rig) -> None:
    """The station's eyes are open: this is what the gate prevents."""
    rig6.call(lambda: subprocess.run(["nft", "flush", "ruleset"], check=True))
    assert asked_in_every_form(rig6) == everywhere("eth1", "eth2")
    rig6.call(lambda: rig6.kernel.guard((VIP6,), EVERY))
    assert asked_in_every_form(rig6) == everywhere()


def test_both_versions_of_one_virtual_ip_are_permitted_together_and_end_together(rig: Rig) -> None:
    rig.own = EVERY
    rig.serve((VIP, VIP6))
    until_s = rig.claim("eth1", PERMIT_S, VIP, VIP6)
    assert until_s is not None
    last = {VIP: 0.0, VIP6: 0.0}
    while boottime_s() < until_s + 0.5:
        for address in last:
            asked_s = boottime_s()
            if rig.ask(address, 0.02, 1):
                last[address] = asked_s
    assert all(until_s - 0.2 < asked_s < until_s + 0.1 for asked_s in last.values()), (until_s, last)
    for address in last:
        with pytest.raises(OSError, match="buffer space"):
            rig.announce("eth1", address)


def test_a_move_takes_both_versions_along(rig: Rig) -> None:
    rig.own = EVERY
    rig.serve((VIP, VIP6))
    rig.claim("eth1", LONG_S, VIP, VIP6)
    assert rig.kernel.move((VIP, VIP6), "eth1", "eth2", LONG_S)[0]
    assert [rig.ask(address) for address in (VIP, VIP6)] == [{"eth2"}, {"eth2"}]
    rig.kernel.revoke((VIP, VIP6), "eth2")
    assert [rig.ask(address) for address in (VIP, VIP6)] == [set(), set()]


def test_announcements_leave_by_the_elected_interface_alone(rig6: Rig) -> None:
    for interface in BOTH:
        with pytest.raises(OSError, match="buffer space"):
            rig6.announce(interface, VIP6)
    rig6.claim("eth2", LONG_S, VIP6)
    rig6.announce("eth2", VIP6)
    with pytest.raises(OSError, match="buffer space") as refused:
        rig6.announce("eth1", VIP6)
    assert refused.value.errno == errno.ENOBUFS
    from_own_address = nd.advertisement(rig6.node.nics["eth1"].mac, VIP6, source_ip="fd00:a01:1::4")
    with pytest.raises(OSError, match="buffer space"):
        rig6.send("eth1", from_own_address)
    rig6.announce("eth1", "fd00:a01:1::4")  # its own


def test_the_kernels_own_questions_never_carry_an_unserved_address(rig6: Rig) -> None:
    """A holder that has just revoked still sends from the virtual IP; its solicitations would move the caches of those
    it asks."""
    rig6.claim("eth1", LONG_S, VIP6)

    def asked_by() -> str:
        """Source of the question that the node asks for a cold neighbour, when it sends from the virtual IP."""
        rig6.node.flush_neighbours()
        with rig6.call(udp6) as udp:
            udp.bind((VIP6, 0))
            udp.sendto(b"x", (STATION, 9))
        end_s = time.monotonic() + SOON_S
        while select.select([rig6.nd_socket], [], [], max(0.0, end_s - time.monotonic()))[0]:
            frame = nd.parse(rig6.nd_socket.recv(128))
            if frame and (frame.kind, frame.target) == ("solicit", STATION):
                return frame.source_ip
        pytest.fail("the node asked nobody")

    assert asked_by() == VIP6
    rig6.kernel.revoke((VIP6,), "eth1")
    own = rig6.node.run(["ip", "-6", "-o", "addr", "show", "dev", "eth1"])
    asker = asked_by()
    assert asker != VIP6
    assert f" {asker}/64 " in own
    until(lambda: rig6.node.neighbour(STATION), "the rewritten question is answered")


def test_datagrams_from_the_virtual_ip_keep_it_and_leave_by_the_elected_interface(rig6: Rig) -> None:
    """Whatever the first route says, and with the other path dead though its link is up."""
    for elected, other in (("eth1", "eth2"), ("eth2", "eth1")):
        rig6.node.nics[other].port.block()
        rig6.claim(elected, LONG_S, VIP6)
        with within(rig6.station, udp6) as station, rig6.call(udp6) as node:
            node.bind((VIP6, 0))
            station.bind((STATION, 0))
            station.settimeout(0.5)

            def arrives(node: socket.socket = node, station: socket.socket = station) -> bool:
                node.sendto(b"x", station.getsockname())
                try:
                    return bool(station.recvfrom(10)[1][0] == VIP6)
                except TimeoutError:
                    return False

            until(arrives, f"a datagram by {elected}")
        rig6.kernel.revoke((VIP6,), elected)
        rig6.node.nics[other].port.unblock()


def udp6() -> socket.socket:
    return socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)


def bound_words(rig: Rig, interface: str) -> str:
    return rig.node.run(["ip", "-6", "-o", "addr", "show", "dev", interface, "to", f"{VIP6}/128"])


def test_it_is_bound_at_once_and_chosen_by_nobody(rig: Rig) -> None:
    rig.node.set_ipv6_conf(accept_dad=1)  # as on real machines
    rig.own = EVERY
    rig.serve((VIP6,))
    for interface in BOTH:
        words = bound_words(rig, interface)
        assert f"{VIP6}/128" in words
        assert "preferred_lft 0sec" in words
        assert "tentative" not in words
    rig.claim("eth1", LONG_S, VIP6)
    for name, address in OWN6:  # worst case: the virtual IP is now the oldest address of each interface
        rig.node.nics[name].remove_address(address)
        rig.node.nics[name].add_address(address)
    rig.call(lambda: rig.kernel.guard((VIP6,), EVERY))

    def source_to(target: str) -> str:
        with udp6() as udp:
            udp.connect((target, 9))
            return str(udp.getsockname()[0])

    assert rig.call(lambda: source_to(STATION)) in ("fd00:a01:1::4", "fd00:a01:1::5")
    assert rig.call(lambda: source_to("fd00:a01:1::7f")) in ("fd00:a01:1::4", "fd00:a01:1::5"), "a nearer prefix"
    rig.node.run(["ip", "route", "add", "fd00:99::/64", "via", STATION, "dev", "eth2"])
    assert rig.call(lambda: source_to("fd00:99::9")) == "fd00:a01:1::5"


def test_what_the_kernel_or_an_admin_removed_is_bound_again(rig6: Rig) -> None:
    rig6.node.run(["ip", "addr", "del", f"{VIP6}/128", "dev", "eth2"])
    assert rig6.call(rig6.kernel.lost) == {VIP6: {"eth2"}}
    rig6.call(lambda: rig6.kernel.rebind(VIP6, ("eth2",)))
    assert rig6.call(rig6.kernel.lost) == {}
    nic = rig6.node.nics["eth1"]
    nic.set_admin(up=False)
    assert bound_words(rig6, "eth1") == "", "the kernel drops IPv6 addresses with the link"
    nic.set_admin(up=True)
    rig6.lab.settle()
    assert rig6.call(rig6.kernel.lost) == {VIP6: {"eth1"}}
    rig6.call(lambda: rig6.kernel.rebind(VIP6, ("eth1",)))
    assert "tentative" not in bound_words(rig6, "eth1")
    rig6.call(lambda: rig6.kernel.guard((VIP6,), EVERY))  # as the agent does when an interface changes
    rig6.claim("eth1", LONG_S, VIP6)
    assert asked_in_every_form(rig6) == everywhere("eth1")


def test_a_restart_finds_what_is_held_and_cleaning_up_leaves_nothing(rig: Rig) -> None:
    before = [rig.node.run(look.split()) for look in ("ip -6 -o addr", "ip -6 rule")]
    rig.own = EVERY
    rig.serve((VIP, VIP6))
    rig.claim("eth2", LONG_S, VIP, VIP6)
    rig.call(rig.kernel.close)
    rig.kernel = rig.start()
    held = rig.call(rig.kernel.held)
    assert {(each.address, each.interface) for each in held} == {(VIP, "eth2"), (VIP6, "eth2")}
    assert rig.kernel.bound() == {VIP, VIP6}
    rig.call(lambda: rig.kernel.guard((VIP, VIP6), EVERY))
    assert rig.ask(VIP6) == {"eth2"}
    rig.call(rig.kernel.clean_up)
    assert rig.kernel.bound() == frozenset()
    assert "vipa" not in rig.node.run(["nft", "list", "tables"])
    after = [rig.node.run(look.split()) for look in ("ip -6 -o addr", "ip -6 rule")]
    assert after == before
