"""What a router makes of the agents' reports: which way it sends what is for a virtual IP."""

import pytest

from unit.fakes.remote_lan import BEAT_S, ROUTER, TWO, VIP, Lan, via
from vipa.errors import PeerError
from vipa.heartbeat.keys import Key
from vipa.remote import hearing, talk
from vipa.remote.hearing import End
from vipa.remote.hops import hop_for
from vipa.remote.talk import Adapter, Ask, Entry, Part, Report


def test_the_way_goes_by_all_healthy_adapters_of_the_holder() -> None:
    lan = Lan()
    assert lan.way() == "unknown"
    lan.say("w1", Part.HOLDER)
    lan.say("w2")
    assert lan.way() == via("10.1.1.4", "10.1.1.5")
    lan.say("w1", Part.HOLDER, adapters=(TWO[0], Adapter("10.1.1.5", False, (), 30)))
    assert lan.way() == via("10.1.1.4")


def test_an_adapter_that_falls_silent_while_its_sibling_speaks_is_left_out_until_it_is_heard_again() -> None:
    lan = Lan()
    lan.say("w1", Part.HOLDER)
    for _ in range(4):
        lan.later(BEAT_S)
        lan.say("w1", Part.HOLDER, on=("10.1.1.5",))
    assert lan.way() == via("10.1.1.5")
    lan.say("w1", Part.HOLDER)
    assert lan.way() == via("10.1.1.4", "10.1.1.5")


@pytest.mark.parametrize("heard_ms", [1500, -1], ids=["no-longer", "never"])
def test_an_adapter_that_does_not_hear_the_router_is_left_out(heard_ms: int) -> None:
    lan = Lan()
    lan.say("w1", Part.HOLDER, adapters=(TWO[0], Adapter("10.1.1.5", True, (), heard_ms)))
    assert lan.way() == via("10.1.1.4")


def test_a_holder_of_which_nothing_is_heard_stays_the_way_until_another_holds() -> None:
    lan = Lan()
    lan.say("w1", Part.HOLDER)
    lan.say("w2")
    lan.later(0.5)
    lan.say("w2")
    assert lan.way() == via("10.1.1.4", "10.1.1.5"), "its agent may be dead and its machine alive"
    lan.say("w2", Part.HOLDER, term=2)
    assert lan.way() == via("10.1.1.6")


def test_the_only_node_of_a_plan_stays_the_way_with_a_dead_agent() -> None:
    lan = Lan()
    lan.say("w1", Part.HOLDER)
    lan.say("w2", entries=())
    lan.later(60)
    assert lan.way() == via("10.1.1.4", "10.1.1.5")


def test_nobody_at_all_is_first_waited_for_then_refused() -> None:
    lan = Lan()
    lan.say("w1", Part.HOLDER)
    lan.say("w2")
    lan.way()
    lan.later(hearing.SILENT_KEPT_S + 0.1)
    lan.say("w2")
    assert lan.way() == End.DROPPED
    lan.later(hearing.UNREACHABLE_AFTER_S)
    lan.say("w2")
    assert lan.way() == End.REFUSED
    lan.say("w2", Part.HOLDER, term=2)
    assert lan.way() == via("10.1.1.6")


@pytest.mark.parametrize("between", [Part.YIELDING, Part.NONE])
def test_a_planned_move_never_leaves_a_moment_without_a_way(between: Part) -> None:
    lan = Lan()
    lan.say("w1", Part.HOLDER)
    lan.say("w2")
    assert lan.way() == via("10.1.1.4", "10.1.1.5")
    lan.say("w1", between)
    assert lan.way() == via("10.1.1.4", "10.1.1.5")
    lan.say("w2", Part.HOLDER, term=2)
    lan.say("w1")
    assert lan.way() == via("10.1.1.6")
    lan.later(BEAT_S)
    lan.say("w2", between)
    lan.say("w1")
    lan.later(hearing.EX_HOLDER_KEPT_S + 0.1)
    lan.say("w1")
    lan.say("w2")
    assert lan.way() == End.DROPPED, "nobody took it"


def test_an_address_on_every_candidate_is_spread_over_all_that_are_heard() -> None:
    lan = Lan()
    lan.say("w1", entries=(Entry((VIP,), Part.HOLDER, 1, (0, 1), copy=True),))
    lan.say("w2", entries=(Entry((VIP,), Part.NONE, 0, (0,), copy=True),))
    assert lan.way() == via("10.1.1.4", "10.1.1.5", "10.1.1.6")
    lan.later(0.1)
    lan.say("w2", entries=(Entry((VIP,), Part.NONE, 0, (0,), copy=True),))
    assert lan.way() == via("10.1.1.6"), "the holder may be dead, and here it is served"
    lan.later(0.1)
    assert lan.way() == via("10.1.1.4", "10.1.1.5"), "nobody is heard: as it was, by the last holder"


def test_of_two_holders_the_one_with_the_newer_term_counts() -> None:
    lan = Lan()
    lan.say("w2", Part.HOLDER, term=5)
    lan.say("w1", Part.HOLDER, term=4)
    assert lan.way() == via("10.1.1.6")


def test_a_router_that_was_held_up_blames_nobody() -> None:
    lan = Lan()
    lan.say("w1", Part.HOLDER)
    lan.later(BEAT_S * 5)
    lan.router.late(lan.now)
    lan.say("w1", Part.HOLDER, on=("10.1.1.5",))
    assert lan.way() == via("10.1.1.4", "10.1.1.5")
    lan.later(BEAT_S * 4)
    lan.say("w1", Part.HOLDER, on=("10.1.1.5",))
    assert lan.way() == via("10.1.1.5")


def test_what_an_agent_no_longer_plans_has_no_way_and_a_forgotten_node_plans_nothing() -> None:
    lan = Lan()
    lan.say("w1", Part.HOLDER)
    lan.say("w1", entries=())
    assert lan.way() == "unknown"
    lan.say("w1", Part.HOLDER)
    lan.later(hearing.FORGOTTEN_S + 1)
    assert lan.way() == via("10.1.1.4", "10.1.1.5"), "nobody is heard: the router itself may be cut off"
    lan.say("w2", entries=())
    assert lan.way() == "unknown"


def test_old_words_do_not_count() -> None:
    lan = Lan()
    assert lan.say("w1", Part.HOLDER) == "accepted"
    lan.seq["w1"] -= 2
    assert lan.say("w1", Part.NONE) == "replayed"
    assert lan.say("w1", Part.HOLDER, incarnation=5) == "accepted", "it was restarted"
    assert lan.say("w1", Part.NONE) == "stale", "and is never again who it was"
    stranger = Report("w1", 6, 1, ROUTER + 1, 20, 1, 0, 1, TWO, (), "10.1.1.4")
    assert lan.router.take(lan.now, "eth1", "10.1.1.4", stranger) == "stale"
    assert lan.way() == via("10.1.1.4", "10.1.1.5")


def test_a_report_counts_once_on_each_path_and_only_from_the_adapter_that_signed_it() -> None:
    lan = Lan()
    said = Report("w1", 1, 5, ROUTER, 20, 1, 0, 1, TWO, (Entry((VIP,), Part.HOLDER, 1, (0, 1)),), "10.1.1.4")
    assert lan.router.take(lan.now, "eth1", "10.1.1.5", said) == "forged", "copied by another station"
    assert lan.router.take(lan.now, "eth1", "10.1.1.4", said) == "accepted"
    lan.later(4 * BEAT_S)
    assert lan.router.take(lan.now, "eth1", "10.1.1.4", said) == "replayed", "or a dead path would look alive"
    lan.say("w2")
    assert lan.router.live(lan.now) == ["w2"]


def test_many_virtual_ips_come_in_pages_and_count_when_all_are_there() -> None:
    entries = [Entry((f"10.2.{i // 250}.{i % 250}",), Part.HOLDER, 1, (0, 1)) for i in range(500)]
    pages = talk.paged(entries, 900)
    assert len(pages) > 5
    assert [entry for page in pages for entry in page] == entries
    lan = Lan()
    for number, page in enumerate(pages):
        assert not lan.router.look(lan.now)
        said = Report("w1", 1, number + 1, ROUTER, 20, 3, number, len(pages), TWO, page, "10.1.1.4")
        assert len(talk.encode(said, Key(1, b"k" * 32), 2)) <= talk.BYTES_MAX
        lan.router.take(lan.now, "eth1", "10.1.1.4", said)
    assert set(lan.router.look(lan.now).values()) == {via("10.1.1.4")}


def test_a_hop_is_of_the_virtual_ips_family() -> None:
    others = ("fd00:1::4/64", "fd00:2::4/64")
    assert hop_for("10.1.1.7", "10.1.1.4", others) == "10.1.1.4"
    assert hop_for("fd00:2::7", "10.1.1.4", others) == "fd00:2::4"
    assert hop_for("fd00:3::7", "10.1.1.4", others) == ""


def test_the_next_look_is_due_when_silence_would_say_something() -> None:
    lan = Lan()
    lan.say("w1", Part.HOLDER)
    due = lan.router.next_deadline(lan.now)
    assert lan.now + 3 * BEAT_S < due <= lan.now + 4 * BEAT_S


KEY, OTHER = Key(1, b"k" * 32), Key(2, b"o" * 32)


def test_only_who_has_the_key_is_listened_to() -> None:
    said = Ask(1, 2, "r1", (3,))
    payload = talk.encode(said, KEY, 9)
    assert talk.is_ask(payload)
    assert talk.decode_ask(payload, (OTHER, KEY), {9}) == said
    for wrong, result in (
        (payload[:-1] + bytes([payload[-1] ^ 1]), "forged"),
        (payload[:20], "garbled"),
        (talk.encode(said, OTHER, 9), "key"),
        (talk.encode(said, KEY, 8), "cluster"),
        (talk.encode(Report("w", 1, 1, 1, 1, 1, 0, 1, (), ()), KEY, 9), "garbled"),
    ):
        with pytest.raises(PeerError) as caught:
            talk.decode_ask(wrong, (KEY,), {9})
        assert caught.value.result == result
