"""Who answers, judged by a neighbour's raw socket: one node with two NICs on one LAN, and a station that asks.

The node: eth1 10.1.1.4, eth2 10.1.1.5; the virtual IP 10.1.1.7 is bound on both.
"""

import errno
import select
import socket
import subprocess
import time

import pytest

from vipa_agent.kernel.clock import boottime_s
from vipa_agent.kernel.errors import KernelError, NetlinkRefused, RulesetRefused, Unsupported
from vipa_agent.kernel.libnftables import Nft
from vipa_lab import arp
from vipa_lab.gate_rig import PERMIT_S, VIP2, Rig, wait_past
from vipa_lab.kernel_rig import BOTH, LONG_S, OWN, VIP
from vipa_lab.until import SOON_S


@pytest.mark.parametrize("arp_ignore", [0, 1])
@pytest.mark.parametrize("rp_filter", [0, 1, 2])
def test_only_the_elected_interface_answers(rig: Rig, rp_filter: int, arp_ignore: int) -> None:
    rig.node.set_ipv4_conf(rp_filter=rp_filter, arp_ignore=arp_ignore)
    rig.serve()
    assert rig.ask() == set()
    for interface in ("eth1", "eth2"):
        rig.claim(interface)
        assert rig.ask() == {interface}
        rig.kernel.revoke((VIP,), interface)
        assert rig.ask() == set()
    assert rig.ask("10.1.1.4") == {"eth1"}
    assert rig.ask("10.1.1.5") == {"eth2"}


def test_without_the_gate_both_would_answer(rig: Rig) -> None:
    """The station's eyes are open: this is what the gate prevents."""
    rig.serve()
    rig.call(lambda: subprocess.run(["nft", "flush", "ruleset"], check=True))
    assert rig.ask() == {"eth1", "eth2"}
    assert rig.kernel.gone() >= {"table arp vipa", "table netdev vipa"}
    rig.call(lambda: rig.kernel.guard((VIP,), OWN))
    assert rig.ask() == set()
    assert not rig.kernel.gone()


def test_the_kernels_own_questions_never_carry_an_unserved_address(rig: Rig) -> None:
    """A holder that has just revoked still sends from the virtual IP; asking for a neighbour with it as sender would
    move the caches of all who hear it."""
    rig.serve()
    rig.claim("eth1")

    def asked_by() -> str:
        """Sender of the question that the node asks for a cold neighbour, when it sends from the virtual IP."""
        rig.node.flush_neighbours()
        with rig.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as udp:
            udp.bind((VIP, 0))
            udp.sendto(b"x", ("10.1.1.100", 9))
        end_s = time.monotonic() + SOON_S
        while select.select([rig.socket], [], [], max(0.0, end_s - time.monotonic()))[0]:
            frame = arp.parse(rig.socket.recv(128))
            if frame and (frame.operation, frame.target_ip) == (arp.REQUEST, "10.1.1.100"):
                return frame.sender_ip
        pytest.fail("the node asked nobody")

    assert asked_by() == VIP
    rig.kernel.revoke((VIP,), "eth1")
    assert asked_by() == "10.1.1.4"


def test_a_restart_finds_what_is_held(rig: Rig) -> None:
    rig.serve((VIP, VIP2))
    rig.claim("eth2")
    wait_past(rig.claim("eth1", PERMIT_S, VIP2))
    rig.call(rig.kernel.close)
    rig.kernel = rig.start()
    (held,) = rig.call(rig.kernel.held)
    assert (held.address, held.interface, held.permit_s) == (VIP, "eth2", LONG_S)
    assert held.until is not None
    assert held.until > boottime_s()
    assert rig.kernel.bound() == {VIP, VIP2}
    rig.call(lambda: rig.kernel.clean_stale({VIP}))
    assert rig.kernel.bound() == {VIP}
    rig.call(lambda: rig.kernel.guard((VIP,), OWN))
    assert (rig.ask(VIP), rig.ask(VIP2)) == ({"eth2"}, set())


def test_a_recreated_interface_is_fenced_again(rig: Rig) -> None:
    rig.serve()
    rig.claim("eth2")
    rig.node.nics["eth2"].delete()
    rig.call(lambda: rig.kernel.guard((VIP,), OWN[:1]))
    rig.node.nics["eth2"].recreate()
    rig.lab.settle()
    rig.call(lambda: rig.kernel.guard((VIP,), OWN))
    rig.kernel.revoke((VIP,), "eth2")
    rig.call(lambda: rig.kernel.bind((VIP,), BOTH))
    with pytest.raises(OSError, match="buffer space"):
        rig.announce("eth2")
    assert rig.ask() == set()
    rig.claim("eth2")
    rig.announce("eth2")
    assert rig.ask() == {"eth2"}


def test_what_is_bound_stays_gated(rig: Rig) -> None:
    rig.serve()
    rig.call(lambda: rig.kernel.guard((), OWN))
    assert rig.ask() == set()
    rig.call(lambda: rig.kernel.unbind((VIP,)))
    rig.announce("eth1")  # nobody's business any more
    with pytest.raises(KernelError, match="guard before bind"):
        rig.kernel.bind((VIP,), BOTH)


def test_a_removed_address_is_bound_again(rig: Rig) -> None:
    rig.serve()
    rig.node.run(["ip", "addr", "del", f"{VIP}/32", "dev", "eth2"])
    lost = rig.call(rig.kernel.lost)
    assert lost == {VIP: {"eth2"}}
    rig.call(lambda: rig.kernel.rebind(VIP, lost[VIP]))
    assert rig.call(rig.kernel.lost) == {}
    rig.claim("eth2")
    assert rig.ask() == {"eth2"}


def test_a_virtual_ip_is_never_a_source_address(rig: Rig) -> None:
    rig.serve()
    rig.claim("eth1")
    for _name, address in OWN:  # worst case: the virtual IP is now the oldest address of each interface
        rig.node.nics[_name].remove_address(address)
        rig.node.nics[_name].add_address(address)
    rig.call(lambda: rig.kernel.guard((VIP,), OWN))

    def source_to(target: str) -> str:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.connect((target, 9))
            return str(udp.getsockname()[0])

    assert rig.call(lambda: source_to("10.1.1.100")) == "10.1.1.4"
    rig.node.run(["ip", "route", "add", "10.9.0.0/16", "via", "10.1.1.100", "dev", "eth2"])
    assert rig.call(lambda: source_to("10.9.9.9")) == "10.1.1.5"


def test_errors_are_for_people(rig: Rig) -> None:
    with pytest.raises(Unsupported, match="no IP address"):
        rig.call(lambda: rig.kernel.guard(("10.1.1",), OWN))
    with pytest.raises(Unsupported, match="1 to 15 bytes"):
        rig.kernel.revoke((VIP,), "a-name-that-is-too-long")
    nft = rig.call(Nft)
    with pytest.raises(RulesetRefused, match="syntax error"):
        nft.run("add nonsense")
    nft.close()
    with pytest.raises(RulesetRefused, match="closed"):
        nft.run("list ruleset")
    assert "CAP_NET_ADMIN" in str(NetlinkRefused(errno.EPERM, "binding"))
