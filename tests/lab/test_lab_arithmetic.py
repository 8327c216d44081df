"""The pure parts of the lab: outages, verdicts, cuts and ARP frames."""

import pytest

from vipa_lab import arp
from vipa_lab.cuts import Cuts, render
from vipa_lab.results import Sample, find_outages, find_segments, summarise
from vipa_lab.verdict import Claim, Kind, two_answerers

VIP = "10.1.1.7"


def run(answers: str, period_s: float = 0.002) -> list[Sample]:
    """One letter per send: the node that answered, "." for nobody."""
    sends = [Sample(i * period_s, i * period_s) for i in range(len(answers))]
    for send, letter in zip(sends, answers, strict=True):
        if letter != ".":
            send.answered_s, send.node = send.sent_s + 0.0003, letter
    return sends


def claims(text: str, step_ms: float, port: str = "c1-eth1") -> list[Claim]:
    """One letter per step: "?" asks, a capital announces, a small letter answers, "." is silence."""
    found = []
    for i, letter in enumerate(text):
        kind: Kind = "ask" if letter == "?" else "announce" if letter.isupper() else "answer"
        if letter != ".":
            found.append(Claim(i * step_ms / 1000, kind, VIP, port, letter.lower()))
    return found


def test_an_outage_reaches_from_the_first_unanswered_send_to_the_first_later_answered_one() -> None:
    (outage,) = find_outages(run("aaa....bb"), 0.002)
    assert outage.ms == pytest.approx(8.0)
    assert (outage.lost, outage.before, outage.after, outage.void) == (4, "a", "b", False)


def test_each_flap_is_an_outage_of_its_own() -> None:
    assert [outage.lost for outage in find_outages(run("a.a..a"), 0.002)] == [1, 2]


def test_an_outage_at_the_end_has_no_end() -> None:
    (outage,) = find_outages(run("aa..."), 0.002)
    assert outage.end_s is None
    assert outage.ms == pytest.approx(4.0)


def test_a_probe_that_was_late_near_an_outage_voids_it_and_the_run_but_not_other_outages() -> None:
    sends = run("aa..aa" + "a" * 40 + "..aa")
    sends[3].sent_s += 0.004
    result = summarise(sends, kind="udp", target=VIP, period_s=0.002, realtime=False)
    assert [outage.void for outage in result.outages] == [True, False]
    assert result.void


def test_segments_say_who_answered_in_which_order() -> None:
    assert [(s.node, s.answers) for s in find_segments(run("aa..ab.bba"))] == [("a", 3), ("b", 3), ("a", 1)]


def test_nothing_sent_is_an_empty_result() -> None:
    result = summarise([], kind="udp", target=VIP, period_s=0.002, realtime=False)
    assert (result.sent, result.lost, result.longest_outage_ms, result.void) == (0, 0, 0.0, False)


def test_a_takeover_is_no_overlap() -> None:
    assert two_answerers(claims("?a?a?a..B?b?b?b", 10), VIP) == []


def test_a_takeover_and_a_later_failback_are_no_overlap() -> None:
    assert two_answerers(claims("?a?aB?b?b?b?b?b?b?bA?a", 10), VIP) == []


def test_two_macs_for_one_request_are_an_overlap() -> None:
    (overlap,) = two_answerers(claims("?a?ab?b", 10), VIP)
    assert overlap.macs == ("a", "b")
    assert overlap.rule == "same request"
    assert overlap.ms == pytest.approx(10)


def test_overlaps_that_touch_are_one() -> None:
    (overlap,) = two_answerers(claims("?a?ab?a?ab?b", 10), VIP)
    assert overlap.ms == pytest.approx(60)


def test_answers_in_turn_to_different_requests_are_an_overlap() -> None:
    (overlap,) = two_answerers(claims("?a?b?a?b?a", 10), VIP)
    assert overlap.rule == "interleaved"
    assert overlap.ms == pytest.approx(60)


def test_a_late_announcement_of_the_old_holder_is_an_overlap() -> None:
    (overlap,) = two_answerers(claims("?a?a" + "." * 40 + "B?b?bA?b?b", 10), VIP)
    assert overlap.macs == ("a", "b")


def test_two_sides_of_a_split_overlap_on_the_lan_but_for_no_receiver() -> None:
    sides = claims("?a?a?a?a", 10) + claims(".?b?b?b?b", 10, port="c2-eth1")
    assert two_answerers(sides, VIP) == []
    assert two_answerers(sides, VIP, scope="lan") != []


def test_other_addresses_do_not_matter() -> None:
    assert two_answerers(claims("?ab", 10), "10.1.1.8") == []


def test_cuts_are_rendered_as_one_replacement_and_healed_by_port() -> None:
    cuts = Cuts(pairs={("a", "b")}, silent={("a", "to_nic")}, loss_percent={("a", "from_nic"): 12.5}, blocked={"b"})
    text = render(cuts)
    assert text.index("flush chain") < text.index('iifname "a" oifname "b" drop')
    assert 'oifname "a" drop' in text
    assert 'iifname "b" drop' in text
    assert 'iifname "a" numgen random mod 1000 < 125 drop' in text
    cuts.heal_port("a")
    assert cuts == Cuts(pairs={("a", "b")}, blocked={"b"})


def test_a_question_reads_back_as_built_and_other_frames_are_not_arp() -> None:
    frame = arp.parse(arp.who_has("02:00:00:00:00:01", "10.1.1.1", VIP))
    assert frame is not None
    assert (frame.operation, frame.sender_ip, frame.target_ip) == (arp.REQUEST, "10.1.1.1", VIP)
    assert (frame.destination, frame.sender_mac) == (arp.BROADCAST, "02:00:00:00:00:01")
    assert arp.parse(b"\0" * 60) is None
    assert arp.parse(b"short") is None
