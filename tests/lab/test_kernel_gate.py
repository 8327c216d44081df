"""Who answers, judged by a neighbour's raw socket: one node with two NICs on one LAN, and a station that asks.

The node: eth1 10.1.1.4, eth2 10.1.1.5; the virtual IP 10.1.1.7 is bound on both.
"""

import ctypes
import errno
import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from vipa.timing import PROFILES, Timing
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.kernel.errors import KernelError, NetlinkRefused, RulesetRefused, Unsupported
from vipa_agent.kernel.kernel import Kernel
from vipa_agent.kernel.libnftables import Nft
from vipa_lab import arp
from vipa_lab.host import Host
from vipa_lab.lab import Lab
from vipa_lab.syscalls import CLONE_NEWNET

VIP, VIP2 = "10.1.1.7", "10.1.1.8"
CLAIM_S = 0.1  # the longest that the election asks for
OWN = (("eth1", "10.1.1.4/24"), ("eth2", "10.1.1.5/24"))
BOTH = ("eth1", "eth2")
PERMIT_S = PROFILES[Timing.DEFAULT].permit_s
LONG_S = 60.0
"""For tests that are not about expiry: no stall of a busy machine ends it."""
DEADLINE_S = 10.0
QUIET_S = 0.3
"""An answer takes well under 1 ms; what has not come by then was not sent."""
T = TypeVar("T")
libc = ctypes.CDLL(None, use_errno=True)


class Rig:
    """One node, one station, one switch; ``call`` runs on the node."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.switch = lab.add_switch()
        self.node = lab.add_node("w1")
        for _name, address in OWN:
            self.node.add_nic(self.switch, address)
        self.station = lab.add_station("client")
        self.station.add_nic(self.switch, "10.1.1.100/24")
        lab.settle()
        self.renewed: list[tuple[str, float]] = []
        self.lapsed: list[str] = []
        self.socket = within(self.station, open_arp)
        self.kernel = self.start()

    def call(self, function: Callable[[], T]) -> T:
        return within(self.node, function)

    def start(self) -> Kernel:
        """An agent's kernel layer; a second one is the agent after a restart."""
        return self.call(lambda: Kernel(lambda i, until: self.renewed.append((i, until)), self.lapsed.append))

    def serve(self, addresses: tuple[str, ...] = (VIP,)) -> None:
        """Guard and bind, nobody elected."""
        self.call(lambda: self.kernel.guard(addresses, OWN))
        self.call(lambda: self.kernel.bind(addresses, BOTH))

    def claim(self, interface: str, permit_s: float | None = LONG_S, address: str = VIP) -> float | None:
        """Claim and permit; retried, since a stall between the two rightly fails it."""
        until = eventually(lambda: self._claim_once(interface, permit_s, address))
        return until[0]

    def _claim_once(self, interface: str, permit_s: float | None, address: str) -> tuple[float | None] | None:
        assert self.kernel.begin_claim((address,), CLAIM_S)
        ok, until = self.kernel.permit((address,), interface, permit_s)
        return (until,) if ok else None

    def ask(self, target: str = VIP, wait_s: float = QUIET_S, enough: int = 0) -> set[str]:
        """Interfaces of the node that answer "who has TARGET?"; returns at once after ``enough`` answers."""
        while self.socket.recv(128) if select.select([self.socket], [], [], 0)[0] else b"":
            pass
        mac = self.station.nics["eth1"].mac
        self.socket.send(arp.who_has(mac, "10.1.1.100", target))
        names = {nic.mac: nic.name for nic in self.node.nics.values()}
        seen: set[str] = set()
        end_s = time.monotonic() + wait_s
        while not enough or len(seen) < enough:
            # Past the end what has come is still read: this thread may have stood still meanwhile.
            if not select.select([self.socket], [], [], max(0.0, end_s - time.monotonic()))[0]:
                break
            frame = arp.parse(self.socket.recv(128))
            if frame and frame.operation == arp.REPLY and frame.sender_ip == target:
                seen.add(names[frame.sender_mac])
        return seen

    def announce(self, interface: str, address: str = VIP) -> None:
        """One gratuitous ARP request by raw socket, as the agent sends it; OSError when the gate stops it."""
        mac = self.node.nics[interface].mac
        frame = arp.build(arp.Arp(arp.BROADCAST, mac, arp.REQUEST, mac, address, arp.BROADCAST, address))

        def send() -> None:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
                raw.bind((interface, arp.ETH_P_ARP))
                raw.send(frame)

        self.call(send)


def within(host: Host, function: Callable[[], T]) -> T:
    """Run in the machine's network namespace, on this thread: the lab's own threads there cannot start threads, since
    they make their children in another PID namespace (clone(2), CLONE_THREAD)."""
    outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        enter(host.namespace.fd)
        return function()
    finally:
        enter(outside)
        os.close(outside)


def enter(namespace_fd: int) -> None:
    if libc.setns(namespace_fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def open_arp() -> socket.socket:
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(arp.ETH_P_ARP))
    raw.bind(("eth1", arp.ETH_P_ARP))
    return raw


def wait_past(until: float | None) -> None:
    """Until a permit has certainly ended: it was made a transaction after the time it is counted from."""
    assert until is not None
    time.sleep(max(0.0, until + 0.5 - boottime_s()))


def eventually(check: Callable[[], T | None], timeout_s: float = DEADLINE_S) -> T:
    """The first true value of ``check``."""
    end_s = time.monotonic() + timeout_s
    while time.monotonic() < end_s:
        value = check()
        if value:
            return value
        time.sleep(0.005)
    pytest.fail(f"not within {timeout_s:g} s")


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Lab() as lab:
        made = Rig(lab)
        yield made
        made.call(made.kernel.close)
        made.socket.close()


@pytest.mark.parametrize("arp_ignore", [0, 1])
@pytest.mark.parametrize("rp_filter", [0, 1, 2])
def test_only_the_elected_interface_answers(rig: Rig, rp_filter: int, arp_ignore: int) -> None:
    rig.node.set_ipv4_conf(rp_filter=rp_filter, arp_ignore=arp_ignore)
    rig.serve()
    assert rig.ask() == set()
    for interface in ("eth1", "eth2", "eth1"):
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
    assert rig.kernel.lacking()
    rig.call(lambda: rig.kernel.guard((VIP,), OWN))
    assert rig.ask() == set()
    assert not rig.kernel.lacking()


def test_answers_end_with_the_permit(rig: Rig) -> None:
    rig.serve()

    def last_answer() -> float | None:
        """When, from the permit's end on, the last answered question was asked; None when none was answered."""
        until = rig.claim("eth1", PERMIT_S)
        assert until is not None
        late_s = None
        while boottime_s() < until + QUIET_S:
            asked_s = boottime_s()
            if rig.ask(wait_s=0.01, enough=1):
                late_s = asked_s - until
        return late_s

    # It ends after the time we speak of by the time the transaction took (wide: this thread may stand still before it
    # sends), and by a timer tick (4 ms at HZ=250).
    assert eventually(last_answer) < 0.2
    assert rig.ask() == set()


def test_raw_announcements_need_the_permit(rig: Rig) -> None:
    rig.serve()
    with pytest.raises(OSError, match="buffer space") as refused:
        rig.announce("eth1")
    assert refused.value.errno == errno.ENOBUFS
    rig.claim("eth1", PERMIT_S)
    with pytest.raises(OSError, match="buffer space"):
        rig.announce("eth2")
    rig.claim("eth1")
    rig.announce("eth1")
    rig.kernel.revoke((VIP,), "eth1")
    with pytest.raises(OSError, match="buffer space"):
        rig.announce("eth1")


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
        end_s = time.monotonic() + DEADLINE_S
        while select.select([rig.socket], [], [], end_s - time.monotonic())[0]:
            frame = arp.parse(rig.socket.recv(128))
            if frame and (frame.operation, frame.target_ip) == (arp.REQUEST, "10.1.1.100"):
                return frame.sender_ip
        pytest.fail("the node asked nobody")

    assert asked_by() == VIP
    rig.kernel.revoke((VIP,), "eth1")
    assert asked_by() == "10.1.1.4"


def test_an_untimed_permit_answers_without_renewal(rig: Rig) -> None:
    rig.serve((VIP, VIP2))
    assert rig.claim("eth2", None) is None
    wait_past(rig.claim("eth2", PERMIT_S, VIP2))
    assert (rig.ask(), rig.ask(VIP2)) == ({"eth2"}, set())
    assert rig.call(lambda: rig.kernel.move((VIP,), "eth2", "eth1", None)) == (True, None)
    assert rig.ask() == {"eth1"}


def test_a_claim_that_was_frozen_fails(rig: Rig) -> None:
    rig.serve()
    assert rig.kernel.begin_claim((VIP,), CLAIM_S)
    time.sleep(0.2)
    assert rig.kernel.permit((VIP,), "eth1", PERMIT_S) == (False, None)
    assert rig.kernel.permit((VIP,), "eth1", None) == (False, None)
    assert rig.ask() == set()
    assert rig.kernel.begin_claim((VIP,), CLAIM_S)
    assert rig.kernel.begin_claim((VIP,), CLAIM_S), "a claim may be begun again before it ends"


def test_renewal_keeps_answers_coming(rig: Rig) -> None:
    rig.serve()
    rig.claim("eth1", LONG_S)
    permit_s = PROFILES[Timing.CALM].permit_s
    rig.call(lambda: rig.kernel.renew({"eth1": permit_s}))
    end_s = time.monotonic() + 1.5 * permit_s
    while time.monotonic() < end_s:
        rig.kernel.tick()
        time.sleep(0.02)
    assert rig.ask() == {"eth1"}
    eventually(lambda: len(rig.renewed) >= 3)
    assert not rig.lapsed, "renewed in time"
    assert rig.renewed[-1][1] > boottime_s()
    rig.call(lambda: rig.kernel.renew({}))
    assert rig.ask() == set(), "what is not renewed any more ends at once"


def test_a_hung_loop_lets_the_permit_end(rig: Rig) -> None:
    rig.serve()
    rig.claim("eth1")
    rig.call(lambda: rig.kernel.renew({"eth1": PERMIT_S}))
    eventually(lambda: rig.ask() == set())  # nobody ticks
    assert not rig.lapsed, "a hung owner is not told"
    rig.kernel.tick()
    eventually(lambda: rig.lapsed == ["eth1"])  # it thaws, and the renewal finds the permit gone
    assert rig.ask() == set()


def test_a_lapsed_permit_stays_lapsed(rig: Rig) -> None:
    rig.serve((VIP, VIP2))
    wait_past(rig.claim("eth1", PERMIT_S))
    assert rig.ask() == set()
    ok, _until = rig.kernel.move((VIP,), "eth1", "eth2", LONG_S)
    assert not ok
    rig.claim("eth1", LONG_S, VIP2)
    assert rig.ask(VIP2) == {"eth1"}
    assert rig.ask(VIP) == set(), "a new permit must not bring back what had lapsed"


def test_a_new_permit_does_not_bring_back_the_lapsed(rig: Rig) -> None:
    rig.serve((VIP, VIP2))
    wait_past(rig.claim("eth1", PERMIT_S))
    assert rig.kernel.begin_claim((VIP2,), CLAIM_S)
    assert rig.kernel.permit((VIP2,), "eth1", LONG_S) == (False, None)
    assert rig.lapsed == ["eth1"]
    rig.claim("eth1", LONG_S, VIP2)
    assert rig.ask(VIP) == set()


def test_move_takes_only_the_named_addresses(rig: Rig) -> None:
    rig.serve((VIP, VIP2))
    rig.claim("eth1")
    rig.claim("eth1", LONG_S, VIP2)
    ok, until = rig.call(lambda: rig.kernel.move((VIP,), "eth1", "eth2", LONG_S))
    assert ok
    assert until is not None
    assert (rig.ask(VIP), rig.ask(VIP2)) == ({"eth2"}, {"eth1"})
    assert not rig.call(lambda: rig.kernel.move((VIP,), "eth1", "eth2", LONG_S))[0], "it is not there any more"
    assert rig.call(lambda: rig.kernel.move((VIP2,), "eth1", "eth2", LONG_S))[0]
    assert (rig.ask(VIP), rig.ask(VIP2)) == ({"eth2"}, {"eth2"})


def test_the_shortest_permit_of_an_interface_holds(rig: Rig) -> None:
    rig.serve((VIP, VIP2))
    rig.claim("eth1")
    rig.call(lambda: rig.kernel.renew({"eth1": PERMIT_S}))
    until = rig.claim("eth1", LONG_S, VIP2)
    assert until is not None
    assert until < boottime_s() + PERMIT_S


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
    assert rig.call(rig.kernel.rebind_lost) == {VIP}
    assert rig.call(rig.kernel.rebind_lost) == frozenset()
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
    with pytest.raises(Unsupported, match=r"fd00::7.*IPv4 addresses only"):
        rig.call(lambda: rig.kernel.guard(("fd00::7",), OWN))
    with pytest.raises(Unsupported, match="1 to 15 bytes"):
        rig.kernel.revoke((VIP,), "a-name-that-is-too-long")
    nft = rig.call(Nft)
    with pytest.raises(RulesetRefused, match="syntax error"):
        nft.run("add nonsense")
    nft.close()
    with pytest.raises(RulesetRefused, match="closed"):
        nft.run("list ruleset")
    assert "CAP_NET_ADMIN" in str(NetlinkRefused(errno.EPERM, "binding"))
