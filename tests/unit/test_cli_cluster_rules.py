"""Moves by hand, next hops and the story of a virtual IP, on recorded objects."""

import json

import pytest

from unit.fakes.recorded import RECORDED, Object, vip
from vipa_cli.cluster import move, nexthops, timeline
from vipa_cli.cluster.errors import ClusterError, NotGoodError, UsageError

# --- moves


@pytest.mark.parametrize(
    ("thing", "to", "error", "says"),
    [
        (vip(), "", UsageError, "write NODE or NODE/INTERFACE"),
        (vip(), "w2/", UsageError, "write NODE or NODE/INTERFACE"),
        (vip(), "w9", UsageError, "w9 is no candidate for erp; candidates: w1/eth1, w1/eth2, w2/eth1"),
        (vip(), "w2/eth7", UsageError, "w2/eth7 is no candidate"),
        (vip("web"), "w2", NotGoodError, "w2/eth1: LinkDown, no carrier"),
        (vip("erp", lambda v: v["spec"].update(paused=True)), "w2", NotGoodError, "remove spec.paused first"),
    ],
)
def test_moves_that_are_not_asked_for(thing: Object, to: str, error: type[ClusterError], says: str) -> None:
    with pytest.raises(error) as raised:
        move.judge(thing, to)
    assert says in str(raised.value)


def test_moves_that_are() -> None:
    for to in ("w2", "w2/eth1", "w1/eth2", "w1"):
        move.judge(vip(), to)
    assert move.is_at(vip(), "w1")
    assert not move.is_at(vip(), "w1/eth2")


# --- next hops


def test_next_hops_in_everybodys_words() -> None:
    thing = vip("erp", lambda v: v["status"].update(addresses=["10.1.1.7", "fd00::7"]))
    thing["status"]["nextHops"] = ["10.1.1.4", "10.1.1.5", "fd00::4"]
    assert nexthops.plain(thing, 0) == "10.1.1.4\n10.1.1.5\nfd00::4\n"
    assert json.loads(nexthops.as_json(thing, 0))["nextHops"] == ["10.1.1.4", "10.1.1.5", "fd00::4"]
    assert nexthops.iproute2(thing, 0).splitlines() == [
        "ip -4 route replace 10.1.1.7/32 nexthop via 10.1.1.4 weight 1 nexthop via 10.1.1.5 weight 1",
        "ip -6 route replace fd00::7/128 nexthop via fd00::4 weight 1",
    ]
    assert nexthops.ipvsadm(thing, 443).splitlines()[-2:] == [
        "-A -t [fd00::7]:443 -s rr",
        "-a -t [fd00::7]:443 -r [fd00::4]:443 -g -w 1",
    ]
    assert "-A -t 10.1.1.7:0 -s rr -p 300" in nexthops.ipvsadm(thing, 0)
    assert nexthops.haproxy(thing, 80).splitlines()[0] == "    server w1-eth1 10.1.1.4:80 check"
    assert nexthops.haproxy(thing, 0).splitlines()[0] == "    server w1-eth1 10.1.1.4"


def test_without_next_hops_a_router_says_so() -> None:
    assert nexthops.iproute2(vip("web"), 0) == "ip -4 route replace unreachable 10.1.1.8/32\n"
    assert (nexthops.plain(vip("web"), 0), nexthops.haproxy(vip("web"), 0)) == ("", "")


# --- timeline


def test_moves_and_events_in_order_and_no_move_twice() -> None:
    entries = timeline.merge(vip(), RECORDED["Event"])
    assert [(each.reason, each.what, each.times) for each in entries] == [
        ("TopOfList", "served by w1/eth1", 1),
        ("HolderSilent", "moved from w1/eth1 to w2/eth1", 1),
        ("MoveRefused", "not moved to w9: no candidate there; candidates are on w1, w2", 3),
        ("BetterEndpointBack", "moved from w2/eth1 to w1/eth1", 1),
    ]
    assert [each.gap for each in entries] == ["", "100ms", "", "0ms"]


def test_events_of_a_namesake_that_was_deleted_are_left_out() -> None:
    namesake = vip("erp", lambda v: v["metadata"].update(uid="another"))
    assert len(timeline.merge(namesake, RECORDED["Event"])) == 3
