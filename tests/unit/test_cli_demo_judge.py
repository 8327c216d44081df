"""The demo's verdicts: what is exact, what has a bound, what is not judged."""

from dataclasses import replace

import pytest

from unit.fakes.demo_run import PORT, claim, measured, outage, probe, session
from vipa_cli.demo.acts import ACTS, FIRST, SECOND, Act
from vipa_cli.demo.judge import Verdict, judge, longest_unanswered_ms, stretches
from vipa_lab.results import ProbeResult, TcpResult
from vipa_lab.verdict import Overlap

BY_KEY = {act.key: act for act in ACTS}


def verdict(key: str, udp: ProbeResult, tcp: TcpResult | None = None, **more: object) -> Verdict:
    return judge(BY_KEY[key], measured(BY_KEY[key], udp, tcp, **more), PORT).verdict


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.key)
def test_a_flawless_run_keeps_every_promise(act: Act) -> None:
    row = judge(act, measured(act, probe()), PORT)
    assert (row.verdict, row.why, row.answerers) == (Verdict.KEPT, (), 1)


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.key)
def test_two_answerers_break_every_act_however_late_the_probe(act: Act) -> None:
    overlap = Overlap("10.1.1.7", PORT, 1.0, 1.004, ("aa", "bb"), "interleaved")
    row = judge(act, measured(act, probe(late_ms=100.0), overlaps=(overlap,)), PORT)
    assert (row.verdict, row.answerers) == (Verdict.BROKEN, 2)
    assert "two answered at once for 4.0 ms" in row.why[0]


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.key)
def test_nobody_serving_breaks_every_act(act: Act) -> None:
    row = judge(act, measured(act, probe(late_ms=100.0), served=False, last=""), PORT)
    assert (row.verdict, row.answerers) == (Verdict.BROKEN, 0)
    assert "nobody does" in row.why[0]


@pytest.mark.parametrize("key", ["quiet", "return", "boot", "kill", "restart", "freeze", "stop"])
def test_one_lost_datagram_breaks_what_promises_none(key: str) -> None:
    assert verdict(key, probe(outage(2))) is Verdict.BROKEN


@pytest.mark.parametrize(("key", "figure", "bound"), [("cable", 15, 200), ("path", 100, 500), ("power", 100, 500)])
def test_outages_are_kept_slow_or_broken(key: str, figure: int, bound: int) -> None:
    assert verdict(key, probe(outage(figure))) is Verdict.KEPT
    assert verdict(key, probe(outage(figure + 1))) is Verdict.SLOW
    assert verdict(key, probe(outage(bound))) is Verdict.SLOW
    assert verdict(key, probe(outage(bound + 1))) is Verdict.BROKEN


def test_a_late_probe_cannot_condemn() -> None:
    assert verdict("power", probe(outage(900, void=True))) is Verdict.LATE
    assert verdict("power", probe(outage(900), late_ms=11.0)) is Verdict.LATE
    assert verdict("power", probe(outage(90, void=True))) is Verdict.KEPT


@pytest.mark.parametrize("key", ["return", "kill", "power"])
def test_a_stalled_machine_excuses_time_and_loss_and_nothing_else(key: str) -> None:
    assert verdict(key, probe(outage(900)), stall_ms=21.0) is Verdict.LATE
    assert verdict(key, probe(outage(900)), stall_ms=19.0) is Verdict.BROKEN
    assert verdict(key, probe(), stall_ms=21.0) is Verdict.KEPT
    assert verdict(key, probe(), served=False, stall_ms=21.0) is Verdict.BROKEN


def test_a_broken_session_breaks_the_move_within_a_machine_only() -> None:
    assert verdict("cable", probe(), session(resets=1)) is Verdict.BROKEN
    assert verdict("power", probe(), session(resets=1)) is Verdict.KEPT


def test_new_clients_must_be_answered_in_time() -> None:
    act = replace(BY_KEY["kill"])
    for wait_s, expected in ((0.6, Verdict.KEPT), (1.0, Verdict.SLOW), (2.0, Verdict.BROKEN)):
        claims = (claim(1.0, "ask"), claim(1.001, "ask"), claim(1.0 + wait_s, "ask"), claim(1.01 + wait_s, "answer"))
        row = judge(act, measured(act, probe(), claims=claims), PORT)
        assert (row.verdict, round(row.new_client_ms)) == (expected, round(1000 * wait_s))


def test_unanswered_questions_are_counted_from_the_first_one() -> None:
    asked = [claim(1.00, "ask"), claim(1.001, "answer"), claim(1.02, "ask"), claim(1.04, "ask"), claim(1.06, "ask")]
    assert longest_unanswered_ms(asked, PORT) == pytest.approx(40)
    assert longest_unanswered_ms([*asked, claim(1.061, "answer")], PORT) == pytest.approx(40)
    assert longest_unanswered_ms(asked[:2], PORT) == 0
    assert longest_unanswered_ms(asked, "another") == 0


def test_stretches_say_who_answered_when() -> None:
    claims = [claim(1.0, "answer"), claim(2.0, "answer"), claim(2.1, "ask"), claim(3.0, "answer", "bb")]
    found = stretches(claims, PORT, {"aa": FIRST, "bb": SECOND})
    assert [(s.endpoint, s.start_s, s.end_s) for s in found] == [(FIRST, 1.0, 2.0), (SECOND, 3.0, 3.0)]
