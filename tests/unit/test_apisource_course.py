"""What the reflector asks for next, how long it waits, and which plans it believes: all without network or clock."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vipa_agent.sources.api.backoff import (
    FIRST_S,
    GONE_SPREAD_S,
    REFUSED_MAX_S,
    RETRY_AFTER_MAX_S,
    UNREACHABLE_MAX_S,
    Backoff,
)
from vipa_agent.sources.api.course import FRUITLESS_MAX, HEALTHY_S, Course, Do, Step
from vipa_agent.sources.api.freshness import BELIEVE_S, Freshness, Verdict
from vipa_agent.sources.api.objects import (
    Change,
    DecodeError,
    Event,
    decode_event,
    decode_failure,
    decode_list,
    plan_in,
    status_in,
)


def made(chance: float = 0.0) -> Course:
    return Course(Backoff(lambda: chance))


def watching(version: str = "7") -> Course:
    course = made()
    course.listed(version)
    assert course.step == Step(Do.WATCH, 0.0, version)
    return course


def test_it_lists_and_watches_from_there() -> None:
    course = made()
    assert course.step == Step(Do.LIST)
    course.listed("7")
    assert course.seen(Event(Change.MODIFIED, "9"))
    assert course.seen(Event(Change.BOOKMARK, "12"))
    course.ended(1.0)
    assert course.step == Step(Do.WATCH, 0.0, "12")


def test_a_watch_ended_in_good_order_goes_on_at_once_but_not_in_a_circle() -> None:
    course = watching()
    course.ended(HEALTHY_S)
    assert course.step == Step(Do.WATCH, 0.0, "7")
    course.ended(0.01)
    assert course.step.after_s > 0


def test_a_broken_watch_goes_on_from_the_last_version_it_saw() -> None:
    course = watching()
    course.seen(Event(Change.MODIFIED, "9"))
    course.broke()
    assert course.step == Step(Do.WATCH, FIRST_S / 2, "9")


def test_watches_that_bring_nothing_end_in_a_list() -> None:
    course = watching()
    for _ in range(FRUITLESS_MAX):
        assert course.step.do is Do.WATCH
        course.broke()
    assert course.step.do is Do.LIST


@pytest.mark.parametrize("inside", [True, False])
def test_410_lists_soon_and_not_all_at_once(inside: bool) -> None:
    course = Course(Backoff(lambda: 0.5))
    course.listed("7")
    if inside:
        assert not course.seen(Event(Change.ERROR, code=410))
    else:
        course.refused(410)
    assert course.step == Step(Do.LIST, GONE_SPREAD_S / 2)


def test_429_waits_as_long_as_it_is_told_and_then_does_the_same() -> None:
    course = watching()
    course.refused(429, 5.0)
    assert course.step == Step(Do.WATCH, 5.0, "7")
    course.refused(429, 1e9)
    assert course.step.after_s == RETRY_AFTER_MAX_S
    fresh = made()
    fresh.refused(429)
    assert fresh.step == Step(Do.LIST, 1.0)


@pytest.mark.parametrize("code", [401, 403, 404])
def test_a_refusal_is_asked_again_ever_more_seldom(code: int) -> None:
    course = watching()
    waits = []
    for _ in range(12):
        course.refused(code)
        assert course.step.do is Do.LIST
        waits.append(course.step.after_s)
    assert waits == sorted(waits)
    assert waits[-1] == REFUSED_MAX_S / 2


def test_what_works_again_starts_small_again() -> None:
    course = watching()
    for _ in range(10):
        course.broke()
    course.listed("8")
    course.seen(Event(Change.BOOKMARK, "9"))
    course.broke()
    assert course.step.after_s == FIRST_S / 2


actions = st.lists(
    st.one_of(
        st.just(("broke",)),
        st.tuples(st.just("refused"), st.sampled_from([401, 403, 410, 429, 500, 503]), st.none() | st.floats(0, 1e6)),
        st.tuples(st.just("ended"), st.floats(0, 1e3)),
        st.tuples(st.just("listed"), st.text("0123456789", min_size=1, max_size=5)),
        st.tuples(st.just("seen"), st.sampled_from([*Change]), st.sampled_from(["", "5"]), st.sampled_from([410, 500])),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(actions, st.floats(0, 1, exclude_max=True))
def test_whatever_happens_the_next_step_is_soon_and_makes_sense(story: list[tuple[object, ...]], chance: float) -> None:
    course = Course(Backoff(lambda: chance))
    for what, *given_ in story:
        before = course.step
        match what, given_:
            case "broke", _:
                course.broke()
                assert course.step.after_s <= UNREACHABLE_MAX_S
            case "refused", [int(code), float() | None as after_s]:
                course.refused(code, after_s)
            case "ended", [float(lived_s)] if before.do is Do.WATCH:
                course.ended(lived_s)
            case "listed", [str(version)] if before.do is Do.LIST:
                course.listed(version)
            case "seen", [Change() as change, str(version), int(code)] if before.do is Do.WATCH:
                course.seen(Event(change, version, code=code))
        assert 0 <= course.step.after_s <= RETRY_AFTER_MAX_S * 1.5
        assert course.step.do is Do.LIST or course.step.version, "a watch from nowhere would miss what was deleted"


def test_an_older_epoch_is_not_believed_at_once() -> None:
    fresh = Freshness()
    assert fresh.judge("a", 0, 0.0) is Verdict.UNPLANNED
    assert fresh.judge("a", 5, 0.0) is Verdict.TAKE
    fresh.taken("a", 5)
    assert fresh.judge("a", 5, 1.0) is Verdict.TAKE
    assert fresh.judge("a", 4, 2.0) is Verdict.OLD
    assert fresh.judge("a", 0, 2.0) is Verdict.UNPLANNED
    assert fresh.judge("a", 4, 2.0 + BELIEVE_S - 1) is Verdict.OLD
    assert fresh.judge("a", 4, 2.0 + BELIEVE_S) is Verdict.TAKE
    assert fresh.judge("b", 1, 3.0) is Verdict.TAKE, "an object made anew"


def test_a_doubt_ends_with_the_newer_plan() -> None:
    fresh = Freshness("a", 5)
    fresh.judge("a", 4, 0.0)
    fresh.judge("a", 6, 1.0)
    fresh.taken("a", 6)
    assert fresh.judge("a", 4, BELIEVE_S + 2) is Verdict.OLD


NODE = {
    "apiVersion": "vipa.dev/v1alpha1",
    "kind": "VirtualIPNode",
    "metadata": {"name": "w1", "uid": "u", "resourceVersion": "9", "generation": 2, "managedFields": [{"x": 1}]},
    "spec": {
        "epoch": 3,
        "assignments": [
            {"name": "erp", "addresses": ["10.1.1.7"], "succession": [{"address": "10.1.1.4"}], "newField": {"a": 1}},
            {"name": "shop", "addresses": ["10.1.1.8"], "succession": [{"address": "10.1.1.4"}], "timing": "Turbo"},
        ],
    },
    "status": {"node": "w1", "later": True},
}


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def test_only_the_own_object_counts() -> None:
    other = {**NODE, "metadata": {"name": "w2", "resourceVersion": "11"}}
    listed = decode_list(encoded({"metadata": {"resourceVersion": "12"}, "items": [other, NODE]}), "w1")
    assert (listed.version, listed.node and listed.node.metadata.uid) == ("12", "u")
    assert decode_list(encoded({"metadata": {"resourceVersion": "12"}, "items": []}), "w1").node is None
    event = decode_event(encoded({"type": "DELETED", "object": other}), "w1")
    assert (event.change, event.version, event.node) == (Change.BOOKMARK, "11", None)


def test_events_and_refusals() -> None:
    event = decode_event(encoded({"type": "MODIFIED", "object": NODE}), "w1")
    assert (event.change, event.version) == (Change.MODIFIED, "9")
    gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
    assert decode_event(encoded({"type": "ERROR", "object": gone}), "w1").code == 410
    assert decode_failure(encoded(gone)).message == "too old resource version"
    assert decode_failure(b"<html>bad gateway").message == "<html>bad gateway"
    for nonsense in (b"", b"[]", b'{"type": "ODD", "object": {}}', encoded({"type": "ADDED", "object": 7})):
        with pytest.raises(DecodeError, match="cannot be read"):
            decode_event(nonsense, "w1")


def test_one_assignment_from_a_later_version_is_refused_and_unknown_fields_are_passed_over() -> None:
    node = decode_event(encoded({"type": "ADDED", "object": NODE}), "w1").node
    assert node is not None
    plan = plan_in(node, None)
    assert (plan.epoch, [v.name for v in plan.vips]) == (3, ["erp"])
    assert [(r.name, r.message[:37]) for r in plan.refusals] == [("shop", "its assignment cannot be read: Invali")]
    assert status_in(node).node == "w1"
