"""What vipa writes into bgpd's configuration, and that it touches nothing else there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vipa_agent.bgp import rank, sessions, statements
from vipa_agent.bgp.view import Session

ADMINISTRATORS = """\
frr version 8.4.4
frr defaults traditional
hostname w1
!
router bgp 65001
 bgp router-id 10.1.1.4
 neighbor 10.1.1.1 remote-as 65000
 !
 address-family ipv4 unicast
  network 10.9.0.0/16
  network 10.1.1.9/32 route-map mine
 exit-address-family
 !
 address-family ipv4 multicast
  network 10.1.1.6/32
  network 10.1.1.5/32 route-map vipa-7
 exit-address-family
exit
!
router bgp 65009 vrf red as-notation dot
 !
 address-family ipv4 unicast
  network 10.1.1.8/32 route-map vipa-7
 exit-address-family
exit
!
route-map vipa permit 10
 set community 65001:7
exit
!
"""
OURS = """\
router bgp 65001
 !
 address-family ipv4 unicast
  network 10.9.0.0/16
  network 10.1.1.7/32 route-map vipa-4294963199
 exit-address-family
 !
 address-family ipv6 unicast
  network fd00::7/128 route-map vipa-4294963199
 exit-address-family
exit
!
route-map vipa-4294963199 permit 10
 call vipa
 set metric 4294963199
exit
!
"""


def test_what_is_not_vipas_is_not_read_as_vipas() -> None:
    running = statements.read(ADMINISTRATORS)
    assert (running.asn, running.networks, running.maps) == ("65001", {}, frozenset())


@pytest.mark.parametrize(
    ("line", "asn"),
    [
        ("router bgp 65001", "65001"),
        ("router bgp 65001 as-notation plain", "65001"),
        ("router bgp 1.10 as-notation dot", "1.10"),
        ("router bgp 0.10 as-notation dot+", "0.10"),
        ("router bgp 65001 vrf red", ""),
        ("router bgp 65001 vrf red as-notation dot", ""),
        ("router bgp 65001 view blue", ""),
    ],
)
def test_the_default_instance_is_known_by_its_line(line: str, asn: str) -> None:
    running = statements.read(OURS.replace("router bgp 65001", line))
    assert (running.asn, bool(running.networks)) == (asn, bool(asn))
    commands = statements.changes(running, {"10.1.1.8/32": 5}) if asn else []
    assert not asn or f"router bgp {asn}" in commands, "by its number alone"


def test_a_line_of_somebody_elses_for_the_same_address_is_left_alone() -> None:
    mine = OURS.replace("network 10.9.0.0/16", "network 10.1.1.8/32\n  network 10.1.1.9/32 route-map mine")
    running = statements.read(mine)
    assert running.others == {"10.1.1.8/32", "10.1.1.9/32"}
    wanted = {**running.networks, "10.1.1.8/32": 5, "10.1.1.9/32": 5}
    assert statements.changes(running, wanted) == [], "nor is a route-map made that no line would name"


def test_own_lines_are_found_again() -> None:
    running = statements.read(OURS)
    med = rank.med(1, 0)
    assert running.networks == {"10.1.1.7/32": med, "fd00::7/128": med}
    assert running.maps == {med}
    assert statements.changes(running, running.networks) == [], "an unchanged wish changes nothing"


def test_without_an_instance_in_the_default_vrf_there_is_no_number() -> None:
    assert statements.read("router bgp 65009 vrf red\nexit\n").asn == ""


def test_a_route_map_is_whole_before_it_is_named_and_goes_after() -> None:
    wanted = {"10.1.1.7/32": 5, "fd00::7/128": 5}
    lines = statements.changes(statements.read(OURS), wanted)
    assert lines == [
        *("enable", "configure terminal"),
        *("route-map vipa-5 permit 10", "set metric 5", "call vipa", "exit"),
        "router bgp 65001",
        *("address-family ipv4 unicast", "network 10.1.1.7/32 route-map vipa-5", "exit-address-family"),
        *("address-family ipv6 unicast", "network fd00::7/128 route-map vipa-5", "exit-address-family"),
        "exit",
        "no route-map vipa-4294963199",
        "end",
    ]


def test_all_is_taken_back() -> None:
    lines = statements.changes(statements.read(OURS), {})
    assert [line for line in lines if line.startswith("no ")] == [
        "no network 10.1.1.7/32 route-map vipa-4294963199",
        "no network fd00::7/128 route-map vipa-4294963199",
        "no route-map vipa-4294963199",
    ]


@given(terms=st.lists(st.integers(0, 1 << 20), min_size=2, max_size=2, unique=True), lost=st.integers(0, 5000))
def test_routers_prefer_the_later_term_whatever_was_lost(terms: list[int], lost: int) -> None:
    older, newer = sorted(min(term, (1 << 20) - 1) for term in terms)
    if older != newer:
        assert rank.med(newer, 0) < rank.med(older, lost)


def test_routers_prefer_what_was_said_after_a_loss() -> None:
    assert rank.med(3, 1) < rank.med(3, 0)
    assert [rank.generation(rank.med(3, lost)) for lost in (0, 1, 7)] == [0, 1, 7]


def test_what_is_served_everywhere_is_the_same_everywhere() -> None:
    assert rank.med(rank.EVERYWHERE, 0) == rank.med(rank.EVERYWHERE, 9) == 0
    assert rank.generation(0) == 0


def test_sessions_as_frr_shows_them() -> None:
    shown = (
        '{"10.1.1.2":{"remoteAs":65000,"bgpState":"Active","peerBfdInfo":{"status":"Down"}},'
        '"10.1.1.1":{"bgpState":"Established","hostLocal":"10.1.1.4"}}'
    )
    assert sessions.read(shown) == [
        Session("10.1.1.1", "Established", "", "10.1.1.4"),
        Session("10.1.1.2", "Active", "Down", ""),
    ]


def test_what_was_sent_to_a_router() -> None:
    assert sessions.advertised('{"advertisedRoutes":{"10.1.1.7/32":{"metric":1}}}') == {"10.1.1.7/32"}
    assert sessions.advertised("% No such neighbor or address family") == set()
