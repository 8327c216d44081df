"""Replies leave by the elected interface, whatever the routes of the node would choose."""

import socket
import threading

import pytest

from vipa_lab.kernel_rig import LONG_S, VIP
from vipa_lab.steering_rig import SteeringRig
from vipa_lab.until import SOON_S, until
from vipa_lab.within import within

PORT = 7000


@pytest.mark.parametrize("rp_filter", [0, 1, 2])
@pytest.mark.parametrize(("dead", "alive", "own"), [("eth1", "eth2", "10.1.1.5"), ("eth2", "eth1", "10.1.1.4")])
def test_replies_leave_by_the_elected_interface(
    steered: SteeringRig, dead: str, alive: str, own: str, rp_filter: int
) -> None:
    steered.node.set_ipv4_conf(rp_filter=rp_filter)
    steered.serve()
    steered.claim(alive)
    steered.dead_path(dead)
    steered.node.flush_neighbours()
    assert steered.reaches(steered.client, VIP)
    assert steered.reaches(steered.client, own)


def test_routes_that_an_interface_was_not_ready_for_are_asked_for_when_it_is(steered: SteeringRig) -> None:
    steered.node.nics["eth1"].set_admin(up=False)
    steered.serve()
    assert not steered.call(steered.kernel.lacking)
    steered.node.nics["eth1"].set_admin(up=True)
    until(lambda: steered.call(steered.kernel.lacking) == "route of eth1")
    steered.serve()
    assert not steered.call(steered.kernel.lacking)
    steered.claim("eth1")
    assert steered.reaches(steered.client, VIP)


def test_remote_clients_are_answered_by_the_elected_interface_whatever_the_default_route_says(
    steered: SteeringRig,
) -> None:
    steered.serve()
    steered.claim("eth2")
    assert "default via 10.1.1.254 dev eth1" in steered.node.run(["ip", "route"])
    steered.dead_path("eth1")
    assert steered.reaches(steered.gateway, VIP, "10.9.9.9")
    assert steered.reaches(steered.gateway, "10.1.1.5", "10.9.9.9")


def test_a_tcp_session_survives_a_move_off_a_dead_path(steered: SteeringRig) -> None:
    steered.serve()
    steered.claim("eth1")
    listener = steered.call(lambda: socket.create_server((VIP, PORT)))

    def echo() -> None:
        peer, _address = listener.accept()
        with peer:
            while data := peer.recv(100):
                peer.sendall(data)

    server = threading.Thread(target=echo)
    server.start()

    def connect() -> socket.socket:
        return socket.create_connection((VIP, PORT), timeout=SOON_S)

    with within(steered.client, connect) as session, listener:
        session.sendall(b"before")
        assert session.recv(100) == b"before"
        steered.dead_path("eth1")
        assert steered.call(lambda: steered.kernel.move((VIP,), "eth1", "eth2", LONG_S))[0]
        mac = steered.node.nics["eth2"].mac  # what the announcement tells the client
        steered.client.run(["ip", "neigh", "replace", VIP, "lladdr", mac, "dev", "eth1"])
        session.sendall(b"after")
        assert session.recv(100) == b"after"
    server.join()


@pytest.mark.parametrize("own_table", [False, True])
def test_forwarded_services_follow_the_election(steered: SteeringRig, own_table: bool) -> None:
    """DNAT to a "pod" in a namespace of its own: requests go to it, replies leave by the elected interface. Some CNIs
    keep the routes to pods in a table of their own, behind a rule that comes after ours."""
    steered.serve()
    steered.claim("eth2")
    pod = steered.lab.add_station("pod")
    cni = steered.lab.add_switch("cni")
    nic = steered.node.add_nic(cni, "10.244.0.1/24")
    pod.add_nic(cni, "10.244.0.2/24")
    steered.lab.settle()
    pod.add_route("default", "10.244.0.1")
    steered.node.set_sysctl("net/ipv4/ip_forward", 1)
    steered.node.set_ipv4_conf(rp_filter=1)
    rules = f"add table ip n; add chain ip n p {{ type nat hook prerouting priority dstnat; }}; add rule ip n p \
        ip daddr {VIP} udp dport {PORT} dnat to 10.244.0.2"
    steered.node.run(["nft", rules])
    if own_table:
        steered.node.run(["ip", "rule", "add", "pref", "9000", "to", "10.244.0.0/24", "lookup", "99"])
        steered.node.run(["ip", "route", "add", "10.244.0.0/24", "dev", nic.name, "table", "99"])
        steered.node.run(["ip", "route", "del", "10.244.0.0/24", "dev", nic.name])
    steered.dead_path("eth1")
    pod_socket = within(pod, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    client_socket = within(steered.client, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with pod_socket, client_socket:
        pod_socket.bind(("", PORT))
        pod_socket.settimeout(SOON_S)
        client_socket.settimeout(SOON_S)
        client_socket.sendto(b"ask", (VIP, PORT))
        data, peer = pod_socket.recvfrom(10)
        assert peer[0] == "10.1.1.100"
        pod_socket.sendto(data + b"ed", peer)
        assert client_socket.recvfrom(10) == (b"asked", (VIP, PORT))


def test_pods_on_the_node_reach_the_virtual_ip(steered: SteeringRig) -> None:
    """A reply from the virtual IP to a LAN only main knows must not follow the elected interface's default route."""
    pod = steered.lab.add_station("pod")
    cni = steered.lab.add_switch("cni")
    steered.node.add_nic(cni, "10.244.0.1/24")
    pod.add_nic(cni, "10.244.0.2/24")
    steered.lab.settle()
    pod.add_route("default", "10.244.0.1")
    steered.serve()
    steered.claim("eth1")
    assert steered.reaches(pod, VIP)


def test_marks_of_others_survive(steered: SteeringRig) -> None:
    """Only our bits change: another program's low bit set before ours is still there afterwards."""
    steered.serve()
    steered.claim("eth2")
    rules = "add table ip n; add counter ip n both; add chain ip n a { type filter hook output priority -300; }; \
        add rule ip n a meta mark set 0x4000; add chain ip n z { type filter hook postrouting priority 300; }; \
        add rule ip n z meta mark and 0xf04000 == 0x204000 counter name both"
    steered.node.run(["nft", rules])
    assert steered.reaches(steered.client, VIP)
    assert "packets 0" not in steered.node.run(["nft", "list", "counters", "table", "ip", "n"])
