"""Replies leave by the elected interface, and cleaning up leaves the machine as it was.

The node: eth1 10.1.1.4, eth2 10.1.1.5 on one LAN with the client 10.1.1.100 and the gateway 10.1.1.254, behind which
10.9.9.9 lives. Under strict rp_filter nothing at all works on eth2 without steering.
"""

import socket
import threading
from collections.abc import Iterator

import pytest

from vipa_lab.host import Host
from vipa_lab.kernel_rig import BOTH, LONG_S, OWN, VIP, KernelRig
from vipa_lab.lab import Lab
from vipa_lab.until import SOON_S, until
from vipa_lab.within import within

PORT = 7000
ECHO_REQUEST = bytes.fromhex("0800f7ff00000000")
"""ICMP type 8, code 0, checksum, identifier 0, sequence 0 (RFC 792)."""


class Rig(KernelRig):
    """Node, client and gateway; the node's kernel layer with conntrack steering on."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.client = lab.add_station("client")
        self.client.add_nic(self.switch, "10.1.1.100/24")
        self.gateway = lab.add_station("gateway")
        self.gateway.add_nic(self.switch, "10.1.1.254/24", "10.9.9.9/32")
        lab.settle()
        self.node.add_route("default", "10.1.1.254")
        self.node.set_ipv4_conf(rp_filter=1)
        self.before = self.state()
        self.kernel = self.start(forwarded_replies=True)

    def state(self) -> dict[str, str]:
        """All that the kernel layer may touch, as people would look at it. IPv4 only: duplicate address detection
        changes the IPv6 view by itself."""
        looks = ("nft list ruleset", "ip rule", "ip -4 route show table all", "ip -4 -o addr")
        state = {look: self.node.run(look.split()) for look in looks}
        for nic in BOTH:
            state[nic] = self.node.run(["cat", f"/proc/sys/net/ipv4/conf/{nic}/src_valid_mark"])
        return state

    def reaches(self, host: Host, target: str, source: str = "") -> bool:
        """Whether a cold host gets an echo back; several tries, since the first pays for ARP."""
        host.flush_neighbours()
        with within(host, lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)) as icmp:
            icmp.bind((source, 0))
            icmp.settimeout(0.5)
            for _ in range(6):
                icmp.sendto(ECHO_REQUEST, (target, 0))
                try:
                    if icmp.recv(100)[20:21] == b"\0":
                        return True
                except TimeoutError:
                    continue
        return False

    def dead_path(self, nic: str) -> None:
        """The link stays up and nothing passes."""
        self.node.nics[nic].port.block()


@pytest.fixture
def rig(lab: Lab) -> Iterator[Rig]:
    """In place of the one that most tests of the kernel layer have."""
    made = Rig(lab)
    yield made
    made.close()


@pytest.mark.parametrize("rp_filter", [0, 1, 2])
@pytest.mark.parametrize(("dead", "alive", "own"), [("eth1", "eth2", "10.1.1.5"), ("eth2", "eth1", "10.1.1.4")])
def test_replies_leave_by_the_elected_interface(rig: Rig, dead: str, alive: str, own: str, rp_filter: int) -> None:
    rig.node.set_ipv4_conf(rp_filter=rp_filter)
    rig.serve()
    rig.claim(alive)
    rig.dead_path(dead)
    rig.node.flush_neighbours()
    assert rig.reaches(rig.client, VIP)
    assert rig.reaches(rig.client, own)


def test_routes_that_an_interface_was_not_ready_for_are_asked_for_when_it_is(rig: Rig) -> None:
    rig.node.nics["eth1"].set_admin(up=False)
    rig.serve()
    assert not rig.call(rig.kernel.lacking)
    rig.node.nics["eth1"].set_admin(up=True)
    until(lambda: rig.call(rig.kernel.lacking) == "a route of eth1")
    rig.serve()
    assert not rig.call(rig.kernel.lacking)
    rig.claim("eth1")
    assert rig.reaches(rig.client, VIP)


def test_remote_clients_are_answered_by_the_gateway_of_the_elected_interface(rig: Rig) -> None:
    rig.serve()
    rig.claim("eth2")
    rig.dead_path("eth1")
    # The node has its default route on eth1; the other NIC gets one like it when its own gateway is known.
    rig.node.run(["ip", "route", "add", "default", "via", "10.1.1.254", "dev", "eth2", "metric", "200"])
    rig.call(lambda: rig.kernel.guard((VIP,), OWN))
    assert rig.reaches(rig.gateway, VIP, "10.9.9.9")


def test_a_tcp_session_survives_a_move_off_a_dead_path(rig: Rig) -> None:
    rig.serve()
    rig.claim("eth1")
    listener = rig.call(lambda: socket.create_server((VIP, PORT)))

    def echo() -> None:
        peer, _address = listener.accept()
        with peer:
            while data := peer.recv(100):
                peer.sendall(data)

    server = threading.Thread(target=echo)
    server.start()

    def connect() -> socket.socket:
        return socket.create_connection((VIP, PORT), timeout=SOON_S)

    with within(rig.client, connect) as session, listener:
        session.sendall(b"before")
        assert session.recv(100) == b"before"
        rig.dead_path("eth1")
        assert rig.call(lambda: rig.kernel.move((VIP,), "eth1", "eth2", LONG_S))[0]
        mac = rig.node.nics["eth2"].mac  # what the announcement tells the client
        rig.client.run(["ip", "neigh", "replace", VIP, "lladdr", mac, "dev", "eth1"])
        session.sendall(b"after")
        assert session.recv(100) == b"after"
    server.join()


@pytest.mark.parametrize("own_table", [False, True])
def test_forwarded_services_follow_the_election(rig: Rig, own_table: bool) -> None:
    """DNAT to a "pod" in a namespace of its own: requests go to it, replies leave by the elected interface. Some CNIs
    keep the routes to pods in a table of their own, behind a rule that comes after ours."""
    rig.serve()
    rig.claim("eth2")
    pod = rig.lab.add_station("pod")
    cni = rig.lab.add_switch("cni")
    nic = rig.node.add_nic(cni, "10.244.0.1/24")
    pod.add_nic(cni, "10.244.0.2/24")
    rig.lab.settle()
    pod.add_route("default", "10.244.0.1")
    rig.node.set_sysctl("net/ipv4/ip_forward", 1)
    rig.node.set_ipv4_conf(rp_filter=1)
    rules = f"add table ip n; add chain ip n p {{ type nat hook prerouting priority dstnat; }}; add rule ip n p \
        ip daddr {VIP} udp dport {PORT} dnat to 10.244.0.2"
    rig.node.run(["nft", rules])
    rig.node.run(["ip", "route", "add", "default", "via", "10.1.1.254", "dev", "eth2", "metric", "200"])
    rig.call(lambda: rig.kernel.guard((VIP,), OWN))
    if own_table:
        rig.node.run(["ip", "rule", "add", "pref", "9000", "to", "10.244.0.0/24", "lookup", "99"])
        rig.node.run(["ip", "route", "add", "10.244.0.0/24", "dev", nic.name, "table", "99"])
        rig.node.run(["ip", "route", "del", "10.244.0.0/24", "dev", nic.name])
    rig.dead_path("eth1")
    pod_socket = within(pod, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    client_socket = within(rig.client, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with pod_socket, client_socket:
        pod_socket.bind(("", PORT))
        pod_socket.settimeout(SOON_S)
        client_socket.settimeout(SOON_S)
        client_socket.sendto(b"ask", (VIP, PORT))
        data, peer = pod_socket.recvfrom(10)
        assert peer[0] == "10.1.1.100"
        pod_socket.sendto(data + b"ed", peer)
        assert client_socket.recvfrom(10) == (b"asked", (VIP, PORT))


def test_pods_on_the_node_reach_the_virtual_ip(rig: Rig) -> None:
    """A reply from the virtual IP to a LAN only main knows must not follow the elected interface's default route."""
    pod = rig.lab.add_station("pod")
    cni = rig.lab.add_switch("cni")
    rig.node.add_nic(cni, "10.244.0.1/24")
    pod.add_nic(cni, "10.244.0.2/24")
    rig.lab.settle()
    pod.add_route("default", "10.244.0.1")
    rig.serve()
    rig.claim("eth1")
    assert rig.reaches(pod, VIP)


def test_one_interface_needs_no_marks(rig: Rig) -> None:
    rig.call(lambda: rig.kernel.guard((VIP,), OWN[:1]))
    rig.call(lambda: rig.kernel.bind((VIP,), ("eth1",)))
    rig.claim("eth1")
    state = rig.state()
    assert "table inet" not in state["nft list ruleset"]
    assert (state["ip rule"], state["eth1"]) == (rig.before["ip rule"], rig.before["eth1"])
    assert rig.reaches(rig.client, VIP)
    rig.serve()
    assert "table inet" in rig.state()["nft list ruleset"], "a second interface on the LAN brings them"
    rig.call(lambda: rig.kernel.guard((VIP,), OWN[:1]))
    rig.node.run(["ip", "addr", "del", f"{VIP}/32", "dev", "eth2"])
    state = rig.state()
    assert "table inet" not in state["nft list ruleset"]
    assert (state["ip rule"], state["eth2"]) == (rig.before["ip rule"], rig.before["eth2"])


def test_cleaning_up_leaves_nothing_even_after_a_restart(rig: Rig) -> None:
    rig.serve()
    rig.claim("eth2")
    rig.call(rig.kernel.close)
    during = rig.state()
    assert all(during[look] != rig.before[look] for look in during), "the comparison below can fail"
    rig.kernel = rig.start()
    rig.call(rig.kernel.clean_up)
    assert rig.state() == rig.before
    rig.call(rig.kernel.clean_up)
    assert rig.state() == rig.before, "twice is as good as once"


def test_settings_found_on_stay_on(rig: Rig) -> None:
    rig.node.set_ipv4_conf(src_valid_mark=1)
    rig.serve()
    rig.call(rig.kernel.clean_up)
    assert rig.state()["eth2"] == "1\n"


def test_marks_of_others_survive(rig: Rig) -> None:
    """Only our bits change: another program's low bit set before ours is still there afterwards."""
    rig.serve()
    rig.claim("eth2")
    rules = "add table ip n; add counter ip n both; add chain ip n a { type filter hook output priority -300; }; \
        add rule ip n a meta mark set 0x4000; add chain ip n z { type filter hook postrouting priority 300; }; \
        add rule ip n z meta mark and 0xf04000 == 0x204000 counter name both"
    rig.node.run(["nft", rules])
    assert rig.reaches(rig.client, VIP)
    assert "packets 0" not in rig.node.run(["nft", "list", "counters", "table", "ip", "n"])
