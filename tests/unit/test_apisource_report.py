"""Which interfaces a node reports, and that its report stands still while nothing happens."""

import msgspec
import pytest

from vipa.election.events import LocalInterface
from vipa.reasons import Reason
from vipa.resources.node import (
    AgentStatus,
    BgpSessionStatus,
    InterfaceStatus,
    PathStatus,
    PeerStatus,
    VipStatus,
    VirtualIPNodeStatus,
)
from vipa_agent.reported import INNER, KEEP_S, Reported
from vipa_agent.sources.api.reporter import patch_of

MAC = "02:76:69:70:01:01"


def nic(name: str, *addresses: str, mac: str = MAC, up: bool = True, carrier: bool = True) -> LocalInterface:
    return LocalInterface(name, mac, addresses, up, carrier)


def names(found: tuple[InterfaceStatus, ...]) -> list[str]:
    return [f"{i.name} {' '.join(i.addresses)} {i.reason}" for i in found]


def test_what_could_be_an_endpoint_is_reported_whether_it_works_or_not() -> None:
    interfaces = [
        nic("eth2", "10.1.1.5/24", carrier=False),
        nic("eth1", "10.1.1.4/24", "10.9.9.9/32"),
        nic("eth3", "10.1.2.5/24", up=False, carrier=False),
        nic("eth4"),
        nic("tun0", "10.8.0.1/24", mac=""),
        nic("ipip0", "10.8.1.1/24", mac="00:00:00:00:00:00"),
        nic("kube-ipvs0", "10.96.0.1/32"),
        nic("docker0", "172.17.0.1/16"),
    ]
    assert names(Reported().look(interfaces, {}, 0.0)) == [
        "eth1 10.1.1.4/24 Healthy",
        "eth2 10.1.1.5/24 LinkDown",
        "eth3 10.1.2.5/24 InterfaceDown",
    ]


def test_what_the_election_says_of_an_interface_counts() -> None:
    judged = {"eth1": InterfaceStatus("eth1", healthy=False, reason=Reason.PATH_SILENT)}
    assert names(Reported().look([nic("eth1", "10.1.1.4/24")], judged, 0.0)) == ["eth1 10.1.1.4/24 PathSilent"]


def test_an_interface_that_goes_is_reported_for_a_while() -> None:
    reported = Reported()
    both = [nic("eth1", "10.1.1.4/24"), nic("eth2", "10.1.1.5/24")]
    reported.look(both, {}, 0.0)
    gone = ["eth1 10.1.1.4/24 InterfaceMissing", "eth2 10.1.1.5/24 Healthy"]
    assert names(reported.look(both[1:], {}, 1.0)) == gone
    assert names(reported.look([nic("eth1"), both[1]], {}, KEEP_S - 1)) == gone
    assert names(reported.look(both, {}, KEEP_S)) == ["eth1 10.1.1.4/24 Healthy", "eth2 10.1.1.5/24 Healthy"]
    assert names(reported.look(both[1:], {}, 3 * KEEP_S)) == ["eth2 10.1.1.5/24 Healthy"]


def test_an_address_that_moved_to_another_interface_is_reported_once() -> None:
    reported = Reported()
    reported.look([nic("eth1", "10.1.1.4/24")], {}, 0.0)
    assert names(reported.look([nic("eth1"), nic("bond0", "10.1.1.4/24")], {}, 1.0)) == ["bond0 10.1.1.4/24 Healthy"]


@pytest.mark.parametrize("name", ["eth0", "ens3f0np0", "bond0.120", "br0", "br-lan", "wlp2s0", "team0", "vmbr0"])
def test_lan_interfaces_are_not_taken_for_inner_ones(name: str) -> None:
    assert INNER.fullmatch(name) is None


def test_a_patch_names_every_field_so_that_nothing_old_stays() -> None:
    empty = msgspec.json.decode(patch_of(VirtualIPNodeStatus()))
    assert empty == {
        "status": {
            "node": "",
            "epoch": 0,
            "interfaces": [],
            "vips": [],
            "held": [],
            "agent": {},
            "peers": [],
            "repairs": [],
            "frr": "",
            "frrMessage": "",
            "bgp": [],
        }
    }
    full = VirtualIPNodeStatus(
        node="w1",
        epoch=3,
        vips=(VipStatus("erp"),),
        held=("erp",),
        agent=AgentStatus("1", "b"),
        peers=(PeerStatus("w2", (PathStatus("eth1", "Up", 3),)),),
        frr="Healthy",
        bgp=(BgpSessionStatus("10.1.1.1", "Established", "Up", "10.1.1.4", 2),),
    )
    sent = msgspec.json.encode(msgspec.json.decode(patch_of(full))["status"])
    assert msgspec.json.decode(sent, type=VirtualIPNodeStatus) == full
