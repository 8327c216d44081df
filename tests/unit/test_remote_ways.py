"""Whether a router believes the agents or the API server, and what it makes of what the API server says."""

from vipa.remote.hearing import End, Hop, Way
from vipa.remote.lans import Lans
from vipa.remote.ways import joined, told_ways

LANS = Lans({"eth1": ("10.1.1.1/24",)})
VIP = "10.1.1.7"
A, B = (Hop("10.1.1.4", "eth1"),), (Hop("10.1.1.5", "eth1"),)


def test_agents_that_say_that_nobody_holds_it_are_believed() -> None:
    for way in (End.DROPPED, End.REFUSED, None, B):
        heard: dict[str, Way | None] = {VIP: way}
        assert joined(heard, {VIP}, {VIP: A}, ()) == heard


def test_the_api_server_counts_where_no_agent_speaks() -> None:
    for silent in ({}, {VIP: None}, {VIP: End.REFUSED}):
        assert joined(silent, (), {VIP: A}, ()) == {VIP: A}
    assert joined({VIP: B}, (), {VIP: A}, ()) == {VIP: B}, "a silent holder is the way for a while"
    assert joined({VIP: End.REFUSED}, (), {}, ()) == {VIP: End.REFUSED}
    assert joined({}, {VIP}, {VIP: A}, ()) == {VIP: A}, "served on a LAN that agents are not listened to on"


def test_until_the_api_server_has_answered_what_there_is_stays() -> None:
    assert joined({}, (), None, {VIP, "10.1.1.8"}) == {VIP: None, "10.1.1.8": None}
    assert joined({VIP: End.REFUSED}, (), None, {VIP}) == {VIP: None}
    assert joined({VIP: End.REFUSED}, {VIP}, None, {VIP}) == {VIP: End.REFUSED}, "but agents are believed"
    assert joined({VIP: A}, (), None, {VIP}) == {VIP: A}


def test_next_hops_elsewhere_are_left_to_other_routes() -> None:
    told = {VIP: ("10.1.1.5", "10.1.1.4", "10.2.1.4"), "10.2.1.7": ("10.2.1.4",), "10.2.1.8": ()}
    assert told_ways(told, LANS, ()) == {VIP: (*A, *B)}
    assert told_ways({VIP: ()}, LANS, ()) == {VIP: End.REFUSED}, "its own address is here"
    assert told_ways(told, LANS, {"10.2.1.7", "10.2.1.8"}) == {VIP: (*A, *B), "10.2.1.8": End.REFUSED}, "it was here"
