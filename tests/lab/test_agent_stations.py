"""Other stations on the LAN: one that has the address, one that forges heartbeats, one that repeats them."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from vipa import frames
from vipa.timing import PROFILES, Timing
from vipa_lab.cluster import Cluster
from vipa_lab.forger import Forger
from vipa_lab.lab import Lab
from vipa_lab.nic import Nic

PORT = 7117
CALM = PROFILES[Timing.CALM]


def heartbeats(nic: Nic, count: int) -> list[frames.Beat]:
    """The next heartbeats that come in on ``nic``."""

    def listen() -> list[frames.Beat]:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(frames.ETHERTYPE_IPV4)) as sock:
            sock.bind((nic.name, frames.ETHERTYPE_IPV4))
            sock.settimeout(20)
            found: list[frames.Beat] = []
            while len(found) < count:
                data, (_, _, kind, *_) = sock.recvfrom(2048)
                beat = frames.parse_beat(data, PORT)
                if beat is not None and kind != socket.PACKET_OUTGOING:
                    found.append(beat)
            return found

    return nic.host.namespace.call(listen)


def counted(cluster: Cluster, node: str, result: str) -> int:
    return int(cluster.status(node)["heartbeats"].get(result, 0))


def forger_of(cluster: Cluster) -> Forger:
    """r1, sending heartbeats to w2 as if w1 had sent them."""
    return Forger(cluster.lab, cluster.scenario.router.nics["eth1"], cluster.nic("w1/eth1"), cluster.nic("w2/eth1"))


@contextmanager
def repeating(forger: Forger, payloads: list[bytes]) -> Iterator[None]:
    """These again and again, 100 a second."""
    done = Event()

    def run() -> None:
        while not done.wait(0.01):
            payloads.append(payloads.pop(0))
            forger.send(payloads[0])

    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_forged_garbled_and_repeated_heartbeats_are_counted_and_move_nothing(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        forger = forger_of(cluster)
        lie = forger.lie()
        bad, right = forger.lies(lie), forger.signed(lie)
        before = cluster.erp("w1")["term"], cluster.moves("w1"), cluster.moves("w2")
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        for result, payload in bad.items():
            at_first = counted(cluster, "w2", result)
            for _ in range(20):
                forger.send(payload)
            cluster.wait(lambda r=result, n=at_first: counted(cluster, "w2", r) == n + 20, result)  # type: ignore[misc]
        for cut in range(len(right)):  # every prefix, and one byte wrong at every place
            forger.send(right[:cut])
            forger.send(right[:cut] + bytes([right[cut] ^ 1]) + right[cut + 1 :])
        cluster.hold("w1/eth1", 1.0)

        heard = [beat.payload for beat in heartbeats(cluster.nic("w2/eth1"), 10) if beat.source_address == "10.1.1.4"]
        at_first = counted(cluster, "w2", "replayed")
        with repeating(forger, heard):
            cluster.wait(lambda: counted(cluster, "w2", "replayed") >= at_first + 50, "repeats are counted")
            cluster.hold("w1/eth1", 1.0)
            cluster.check_lossless(probe.stop())
            assert (cluster.erp("w1")["term"], cluster.moves("w1"), cluster.moves("w2")) == before

            # Nor do they keep a dead holder alive.
            cluster.power_off("w1")
            cluster.wait_serves("w2/eth1")
            cluster.agents["w2"].kill()  # a new agent has heard none of them yet
            cluster.wait(lambda: not cluster.answerer(), "the permit has ended")
            cluster.start("w2")
            cluster.wait_serves("w2/eth1")
            cluster.hold("w2/eth1", 1.0)


def test_an_address_that_a_foreign_host_has_is_not_claimed(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        foreign = lab.add_station("printer")
        nic = foreign.add_nic(cluster.scenario.lan, "10.1.1.50/24", f"{cluster.vip}/32")
        lab.settle()
        cluster.foreign.add(nic.mac)
        cluster.wait(lambda: cluster.answerer() == "?", "the foreign host answers")
        cluster.start("w1", "w2")
        for node in ("w1", "w2"):
            cluster.wait(lambda node=node: cluster.erp(node).get("conflict") == nic.mac, f"{node} sees it")  # type: ignore[misc]
        cluster.hold("?", 2 * CALM.silence_s)
        assert cluster.holders() == []
        assert cluster.erp("w1")["reason"] == "Conflict"
        assert [cluster.bound_on(node) for node in ("w1", "w2")] == [[], []]
        nic.remove_address(f"{cluster.vip}/32")
        cluster.wait_serves("w1/eth1")
        assert cluster.erp("w1")["conflict"] == ""
