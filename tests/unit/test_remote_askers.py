"""Routers that ask an agent: who is told, and what a station achieves that repeats their questions."""

import pytest

from vipa.remote.askers import PLACES_MAX, ROUTERS_MAX, Askers, Place
from vipa.remote.pace import ASK_S, LEASE_S
from vipa.remote.talk import HEARS_MAX, Ask, named

ME = 7
R1 = Place("eth1", "10.1.1.1", "02:00:00:00:00:01")
BY_ETH2 = Place("eth2", R1.address, R1.mac)
COPYIST = Place("eth1", "10.1.1.66", "02:00:00:00:00:66")


def ask(
    seq: int, place: Place = R1, incarnation: int = 1, hears: tuple[int, ...] = (ME,), leaving: bool = False
) -> Ask:
    return Ask(incarnation, seq, "r1", hears, leaving, place.address, place.mac)


def test_a_router_is_answered_once_then_told_while_it_asks() -> None:
    askers = Askers(ME)
    assert askers.take(0.0, R1, ask(1, hears=())) == "answer"
    assert askers.take(0.001, BY_ETH2, ask(1, hears=())) == "accepted", "the same question on another adapter"
    assert askers.listening(0.0) == []
    assert askers.take(ASK_S, R1, ask(2)) == "asks"
    assert askers.take(2 * ASK_S, R1, ask(3)) == "accepted"
    (router,) = askers.listening(2 * ASK_S)
    assert router.addresses(2 * ASK_S) == {R1.mac: [R1.address]}
    assert (router.heard_at("eth1"), router.heard_at("eth2"), router.heard_at("eth3")) == (2 * ASK_S, 0.001, None)
    assert askers.listening(2 * ASK_S + LEASE_S) == []


def test_one_that_names_others_this_time_is_told_on() -> None:
    askers = Askers(ME)
    askers.take(0.0, R1, ask(1))
    assert askers.take(ASK_S, R1, ask(2, hears=(8,))) == "accepted", "and not answered besides"


@pytest.mark.parametrize(
    "place", [COPYIST, Place("eth1", R1.address, COPYIST.mac), Place("eth1", COPYIST.address, R1.mac)]
)
def test_a_question_sent_on_by_another_station_moves_nothing(place: Place) -> None:
    askers = Askers(ME)
    askers.take(0.0, R1, ask(1))
    assert askers.take(ASK_S, place, ask(2)) == "forged"
    (router,) = askers.listening(ASK_S)
    assert (router.seq, router.addresses(ASK_S)) == (1, {R1.mac: [R1.address]})


def test_a_question_counts_once_on_each_path() -> None:
    askers = Askers(ME)
    askers.take(0.0, R1, ask(1))
    askers.take(ASK_S, R1, ask(2))
    assert askers.take(1.0, R1, ask(2)) == "replayed", "or a dead path would look alive"
    assert askers.take(1.0, BY_ETH2, ask(1)) == "replayed"
    (router,) = askers.listening(1.0)
    assert router.heard_at("eth1") == ASK_S


def test_a_recording_of_a_router_that_is_gone_starts_nothing() -> None:
    askers = Askers(ME)
    for seq in range(5):
        askers.take(seq * ASK_S, R1, ask(seq))
    askers.take(1.0, R1, ask(5, leaving=True))
    for seq in range(6):
        assert askers.take(2.0, R1, ask(seq)) == "replayed"
    assert askers.take(2.0, R1, ask(6)) == "asks", "it was away only"


def test_places_are_few_and_end() -> None:
    askers = Askers(ME)
    places = [Place("eth1", f"10.1.1.{n}", R1.mac) for n in range(1, PLACES_MAX + 4)]
    for place in places:
        askers.take(0.0, place, ask(1, place))
    askers.take(0.0, Place("eth2", places[0].address, R1.mac), ask(1))
    (router,) = askers.listening(0.0)
    assert router.addresses(0.0) == {R1.mac: [place.address for place in places[:PLACES_MAX]]}
    assert router.heard_at("eth2") == 0.0, "another adapter here is no place more"
    askers.take(2 * LEASE_S, places[-1], ask(9, places[-1]))
    assert router.addresses(2 * LEASE_S) == {R1.mac: [places[-1].address]}


def test_slots_end_with_the_router() -> None:
    askers = Askers(ME)
    places = [Place("eth1", f"10.1.1.{n}", f"02:00:00:00:00:{n:02x}") for n in range(1, ROUTERS_MAX + 2)]
    for n, place in enumerate(places):
        result = askers.take(0.0, place, ask(1, place, n))
        assert result == ("asks" if n < ROUTERS_MAX else "unplanned")
    assert askers.take(0.1, places[0], ask(1, places[0], 99)) == "asks", "restarted: in its own place"
    for _ in range(2):  # those that ask without hearing this agent take up no more time than others
        assert askers.take(LEASE_S + 0.2, places[-1], ask(2, places[-1], ROUTERS_MAX)) in ("asks", "replayed")
    assert len(askers.listening(LEASE_S + 0.2)) == 1


def test_of_many_agents_each_ask_names_others() -> None:
    few, many = range(HEARS_MAX), range(2 * HEARS_MAX + 5)
    assert named(few, 3) == named(few, 4) == tuple(few)
    asks = [named(many, turn) for turn in range(3)]
    assert sorted(incarnation for one in asks for incarnation in one) == list(many)
