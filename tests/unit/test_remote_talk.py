"""Questions and reports as datagrams: none is larger than a frame, however much there is to tell."""

from vipa.heartbeat.keys import Key
from vipa.remote import talk
from vipa.remote.talk import BYTES_MAX, HEARS_MAX, Adapter, Ask, Entry, Part, Report

KEY = Key(1, b"k" * 32)
MOST = (1 << 64) - 1
NODE = "n" * 253
LONG = "ffff:" * 7 + "ffff"


def test_a_question_that_names_as_many_agents_as_may_be_fits() -> None:
    hears = tuple(MOST - n for n in range(HEARS_MAX))
    ask = Ask(MOST, MOST, NODE, hears, True, LONG, "02:00:00:00:00:01")
    payload = talk.encode(ask, KEY, MOST >> 32)
    assert len(payload) <= BYTES_MAX
    assert talk.decode_ask(payload, (KEY,), {MOST >> 32}) == ask


def test_adapters_that_do_not_fit_are_left_out_and_the_others_keep_their_numbers() -> None:
    adapters = [Adapter(f"10.1.1.{n}", True, (f"{LONG}/64",) * 3, 1000) for n in range(24)]
    entries = [Entry((f"10.2.0.{n}", f"fd00::{n}"), Part.HOLDER, n, tuple(range(24))) for n in range(40)]
    (*pages,) = talk.paged(entries, BYTES_MAX - talk.head_bytes(NODE) - 600)
    for page in pages:
        room = BYTES_MAX - talk.head_bytes(NODE) - talk.size_of(page)
        fit = talk.fitting(adapters, room)
        report = Report(NODE, MOST, MOST, MOST, 1e9, MOST, MOST, MOST, fit, page, LONG)
        payload = talk.encode(report, KEY, MOST >> 32)
        assert len(payload) <= BYTES_MAX
        assert talk.decode_report(payload, (KEY,), {MOST >> 32}) == report
        assert [given in (None, adapter) for given, adapter in zip(fit, adapters, strict=True)] == [True] * 24
        assert 3 <= 24 - fit.count(None) < 24


def test_a_small_adapter_goes_where_a_large_one_does_not() -> None:
    small, large = Adapter("10.1.1.4", True), Adapter("10.1.1.5", True, (f"{LONG}/64",) * 9)
    assert talk.fitting([large, None, small], 60) == (None, None, small)
