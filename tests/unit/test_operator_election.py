"""The lease: two candidates with clocks of their own, any order of reads, writes, delays; never two that may write."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from vipa_operator.election import LEASE_S, RENEW_S, RETRY_S, WRITE_S, Candidate

WALL = datetime(2026, 11, 23, tzinfo=UTC)


class Server:
    """A lease that is written by resourceVersion."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0

    def write(self, wanted: dict[str, Any]) -> dict[str, Any] | None:
        """As stored; None for a conflict."""
        known = (wanted.get("metadata") or {}).get("resourceVersion")
        if known != (None if self.lease is None else self.lease["metadata"]["resourceVersion"]):
            return None
        self.version += 1
        self.lease = {"metadata": {"uid": "u", "resourceVersion": str(self.version)}, "spec": wanted["spec"]}
        return self.lease


def attempt(server: Server, candidate: Candidate, now: float, *, answered: bool = True) -> None:
    candidate.observe(server.lease, now)
    wanted = candidate.wanted(now, WALL)
    stored = server.write(wanted) if wanted is not None else None
    if stored is not None and answered:
        candidate.written(stored, now)


def test_the_first_leads_and_the_second_waits_for_the_lease_to_run_out() -> None:
    server, one, two = Server(), Candidate("one"), Candidate("two")
    attempt(server, one, 0.0)
    attempt(server, two, 1000.0)  # the second's clock is another one
    assert one.leads(RENEW_S - 0.1)
    assert not one.leads(RENEW_S)
    attempt(server, two, 1000.0 + LEASE_S - 0.1)
    assert not two.leads(1000.0 + LEASE_S - 0.1)
    attempt(server, two, 1000.0 + LEASE_S)
    assert two.leads(1000.0 + LEASE_S)
    attempt(server, one, LEASE_S + 1)
    assert not one.leads(LEASE_S + 1)


def test_who_resigns_is_followed_at_once() -> None:
    server, one, two = Server(), Candidate("one"), Candidate("two")
    attempt(server, one, 0.0)
    attempt(server, two, 0.0)
    resigned = one.resigned()
    assert resigned is not None
    assert not one.leads(0.0)
    server.write(resigned)
    attempt(server, two, 0.1)
    assert two.leads(0.1)
    assert server.write(one.resigned() or {}) is None, "what it would write now comes too late"


def test_who_does_not_lead_has_nothing_to_resign() -> None:
    server, one, two = Server(), Candidate("one"), Candidate("two")
    attempt(server, one, 0.0)
    attempt(server, two, 0.0)
    assert two.resigned() is None


def test_an_unanswered_renewal_does_not_prolong() -> None:
    server, one = Server(), Candidate("one")
    attempt(server, one, 0.0)
    attempt(server, one, RENEW_S - 1, answered=False)
    assert not one.leads(RENEW_S)
    attempt(server, one, RENEW_S + 1)
    assert one.leads(RENEW_S + 1)


def test_a_lease_somebody_deleted_is_made_anew() -> None:
    server, one = Server(), Candidate("one")
    attempt(server, one, 0.0)
    server.lease = None
    attempt(server, one, 2.0)
    assert one.leads(2.0)


def test_the_times_leave_room_for_the_last_write() -> None:
    assert RENEW_S + WRITE_S < LEASE_S
    assert RETRY_S * 3 < RENEW_S


@settings(max_examples=300, deadline=None)
@given(
    skew=st.floats(-1e6, 1e6),
    steps=st.lists(
        st.tuples(st.sampled_from([0, 1]), st.floats(0.1, 20.0), st.floats(0.0, 3.0), st.booleans()), max_size=40
    ),
)
def test_never_two_at_a_time(skew: float, steps: list[tuple[int, float, float, bool]]) -> None:
    server = Server()
    candidates = (Candidate("one"), Candidate("two"))
    clocks = (0.0, skew)
    now = 0.0
    for who, wait_s, on_the_way_s, answered in steps:
        now += wait_s
        candidate, clock = candidates[who], clocks[who]
        candidate.observe(server.lease, now + clock)
        sent_at = now
        wanted = candidate.wanted(sent_at + clock, WALL)
        now += on_the_way_s  # the request travels; nobody else does anything meanwhile, time passes
        stored = server.write(wanted) if wanted is not None else None
        if stored is not None and answered:
            candidate.written(stored, sent_at + clock)
        # Also what the other one sent at its last moment has ended by now.
        ends = [c.leads_until - k for c, k in zip(candidates, clocks, strict=True)]
        assert sum(now < end for end in ends) <= 1
        if now < ends[who] and wanted is not None and stored is not None:
            assert ends[1 - who] + WRITE_S <= sent_at + 1e-6 or ends[1 - who] == float("-inf") or answered is False
