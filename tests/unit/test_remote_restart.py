"""A router that was restarted: its routes stay, and so do the flows on them, until agents say something else."""

import pytest

from unit.fakes.remote_lan import BEAT_S, ONE, TWO, Lan, via
from vipa.remote import hearing
from vipa.remote.hearing import End
from vipa.remote.talk import Adapter, Entry, Part

VIP = "10.1.1.7"
BOTH = via("10.1.1.4", "10.1.1.5")


def test_routes_from_before_a_restart_stay_until_agents_have_had_time_to_speak() -> None:
    lan = Lan(adopted={VIP: via("10.1.1.4", "10.1.1.5"), "10.1.1.9": via("10.1.1.4")})
    assert (lan.way(), lan.way("10.1.1.9")) == (None, None)
    lan.say("w1", Part.HOLDER)
    assert (lan.way(), lan.way("10.1.1.9")) == (via("10.1.1.4", "10.1.1.5"), None)
    lan.later(hearing.ADOPTED_S + 0.1)
    assert lan.way("10.1.1.9") == End.REFUSED, "nobody is heard"
    lan.say("w1", Part.HOLDER)
    assert lan.way("10.1.1.9") == "unknown", "who is heard does not know it"


def test_an_adapter_that_was_the_way_counts_for_a_second_before_it_is_heard() -> None:
    lan = Lan(adopted={VIP: BOTH})
    lan.say("w1", Part.HOLDER, on=("10.1.1.4",), adapters=(TWO[0], Adapter("10.1.1.5", True)))
    assert lan.way() == BOTH, "its report may have been lost"
    lan.later(hearing.KEPT_S)
    lan.say("w1", Part.HOLDER, on=("10.1.1.4",), adapters=(TWO[0], Adapter("10.1.1.5", True)))
    assert lan.way() == via("10.1.1.4")


def test_what_its_own_node_says_against_an_adapter_counts_at_once() -> None:
    lan = Lan(adopted={VIP: BOTH})
    lan.say("w1", Part.HOLDER, on=("10.1.1.4",), adapters=(TWO[0], Adapter("10.1.1.5", False)))
    assert lan.way() == via("10.1.1.4")


def test_another_holder_counts_at_once() -> None:
    lan = Lan(adopted={VIP: BOTH})
    lan.say("w2", Part.HOLDER, term=9)
    assert lan.way() == via("10.1.1.6")


def test_a_holder_whose_word_was_lost_is_waited_for() -> None:
    lan = Lan(adopted={VIP: BOTH})
    for _ in range(3):
        lan.say("w2")
        assert lan.way() is None
        lan.later(0.3)
    lan.later(hearing.KEPT_S)
    lan.say("w2")
    assert lan.way() == End.DROPPED


def test_clients_that_were_told_are_told_on() -> None:
    lan = Lan(adopted={VIP: End.REFUSED})
    lan.say("w2")
    assert lan.way() is None
    lan.later(hearing.KEPT_S)
    lan.say("w2")
    assert lan.way() == End.REFUSED


def test_copies_on_nodes_that_have_not_spoken_yet_stay_for_a_second() -> None:
    lan = Lan(adopted={VIP: via("10.1.1.4", "10.1.1.5", "10.1.1.6")})
    mine = Entry((VIP,), Part.NONE, 0, (0,), copy=True)
    lan.say("w2", entries=(mine,))
    assert lan.way() == via("10.1.1.4", "10.1.1.5", "10.1.1.6")
    lan.say("w1", entries=(Entry((VIP,), Part.HOLDER, 1, (0,), copy=True),))
    assert lan.way() == via("10.1.1.4", "10.1.1.6"), "it has it on one adapter only"


@pytest.mark.parametrize("part", Part)
def test_an_agent_that_is_restarted_takes_no_adapter_away_by_speaking_over_one_first(part: Part) -> None:
    lan = Lan()
    lan.say("w1", Part.HOLDER)
    assert lan.way() == BOTH
    lan.later(BEAT_S)
    lan.say("w1", part, incarnation=5, on=("10.1.1.4",))
    lan.say("w2", adapters=ONE)
    assert lan.way() == BOTH
