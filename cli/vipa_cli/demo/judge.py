"""From what was measured in one act to its row of the table and its verdict. Pure.

Exact are: two answerers at once, nobody serving, a datagram lost where none may be. Times have a figure and, for one
run on a busy machine, a wider bound. The first two hold on any machine. For the others a run counts as late, and is
repeated, when the probe itself was late or the machine woke its programs so late that the agents distrust themselves.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec

from vipa.timing import PROFILES, Timing
from vipa_cli.demo.acts import Act
from vipa_cli.demo.reached import Reached, exceeded, missed, unharmed
from vipa_lab.results import ProbeResult, TcpResult
from vipa_lab.verdict import Claim, Overlap

# Without an outage to look at, a probe that slept longer than this may have slept through one: half the shortest
# promised figure that is not zero (15 ms) plus its own period.
LATE_MS: Final = 10.0


# An agent that is woken later than an interval starts its suspicions over (docs/design/0002-election.md, rule 5): no
# figure is promised for machines on which that happens.
STALL_MS: Final = 1000 * PROFILES[Timing.DEFAULT].interval_s


class Verdict(StrEnum):
    """``LATE``: probe or machine was too late to say; the act is repeated once. ``SLOW``: kept, beyond the figure."""

    KEPT = "kept"
    SLOW = "slow"
    LATE = "late"
    BROKEN = "broken"


class Stretch(msgspec.Struct, frozen=True):
    """From ``start_s`` to ``end_s`` (CLOCK_MONOTONIC) the adapter ``endpoint`` answered who asked anew."""

    endpoint: str
    start_s: float
    end_s: float


class Measured(msgspec.Struct, frozen=True):
    """One act. ``claims``: what the switch delivered in it; ``served``: the expected adapter came to serve.
    ``stall_ms``: how late an ordinary program was woken in it. ``remote``: what clients behind a router got."""

    start_s: float
    end_s: float
    udp: ProbeResult
    tcp: TcpResult | None
    claims: tuple[Claim, ...]
    overlaps: tuple[Overlap, ...]
    served: bool
    last: str
    took_s: float
    stall_ms: float = 0.0
    remote: Reached | None = None


class Row(msgspec.Struct, frozen=True):
    """One line of the table. Durations are milliseconds; ``new_client_ms``: longest time in which nobody answered
    who-has. ``answerers``: most adapters that answered at once. ``why``: what is wrong, for people."""

    key: str
    fault: str
    took_over: str
    outage_ms: float
    lost: int
    sent: int
    new_client_ms: float
    answerers: int
    tcp_broken: int
    late_ms: float
    stall_ms: float
    promise: str
    verdict: Verdict
    why: tuple[str, ...]
    repeated: bool = False
    remote: Reached | None = None


def judge(act: Act, measured: Measured, asker_port: str) -> Row:
    """The row of ``act``. ``asker_port``: the switch port of the client that asks anew all the time."""
    udp = measured.udp
    new_client_ms = 0.0 if act.cold else longest_unanswered_ms(measured.claims, asker_port)
    tcp_broken = measured.tcp.resets if measured.tcp else 0
    exact = _exact(act, measured)
    excusable, beyond_figure = _excusable(act, udp, new_client_ms, tcp_broken)
    remote = measured.remote if measured.remote is None or not act.cold else unharmed(measured.remote)
    if act.remote is not None and remote is not None:
        exact += missed(act.remote, remote)
        remote_why, remote_beyond = exceeded(act.remote, remote)
        excusable, beyond_figure = [*excusable, *remote_why], beyond_figure or remote_beyond
    if exact:
        verdict = Verdict.BROKEN
    elif excusable:
        verdict = Verdict.LATE if _is_late(measured) else Verdict.BROKEN
    else:
        verdict = Verdict.SLOW if beyond_figure else Verdict.KEPT
    return Row(
        key=act.key,
        fault=act.name,
        took_over=measured.last,
        outage_ms=1000 * measured.took_s if act.cold else udp.longest_outage_ms,
        lost=0 if act.cold else udp.lost,
        sent=udp.sent,
        new_client_ms=new_client_ms,
        answerers=2 if measured.overlaps else int(bool(measured.last)),
        tcp_broken=tcp_broken,
        late_ms=udp.lateness_max_ms,
        stall_ms=measured.stall_ms,
        promise=act.promise.text,
        verdict=verdict,
        why=(*exact, *excusable),
        remote=remote,
    )


def is_late(udp: ProbeResult) -> bool:
    """Whether the probe was held up so much that its figures are not the network's."""
    return any(outage.void for outage in udp.outages) or udp.lateness_max_ms > LATE_MS


def _is_late(measured: Measured) -> bool:
    remote_is_late = measured.remote is not None and measured.remote.late
    return is_late(measured.udp) or remote_is_late or measured.stall_ms > STALL_MS


def longest_unanswered_ms(claims: Sequence[Claim], port: str) -> float:
    """Longest time from an unanswered who-has of ``port`` to its first later answered one, or to its last."""
    longest_s, first_s, asked_s = 0.0, None, None
    for claim in sorted(claims, key=lambda c: c.at_s):
        if claim.port != port:
            continue
        if claim.kind == "answer" and asked_s is not None:
            if first_s is not None:
                longest_s = max(longest_s, asked_s - first_s)
            first_s = asked_s = None
        elif claim.kind == "ask":
            if asked_s is not None and first_s is None:
                first_s = asked_s  # the question before this one found no answer
            asked_s = claim.at_s
    if first_s is not None and asked_s is not None:
        longest_s = max(longest_s, asked_s - first_s)
    return 1000 * longest_s


def stretches(claims: Sequence[Claim], port: str, names: dict[str, str]) -> list[Stretch]:
    """Who answered ``port`` when; ``names`` says which adapter has a MAC. Unanswered asks do not end a stretch."""
    found: list[Stretch] = []
    for claim in sorted(claims, key=lambda c: c.at_s):
        if claim.kind != "answer" or claim.port != port:
            continue
        name = names.get(claim.mac, claim.mac)
        if found and found[-1].endpoint == name:
            found[-1] = Stretch(name, found[-1].start_s, claim.at_s)
        else:
            found.append(Stretch(name, claim.at_s, claim.at_s))
    return found


def _exact(act: Act, measured: Measured) -> list[str]:
    why = []
    if not measured.served:
        expected = act.situation.serves
        now = f"{measured.last} does" if measured.last else "nobody does"
        why.append(f"{expected} did not come to serve within {act.limit_s:g} s: {now}")
    why += [f"two answered at once for {o.ms:.1f} ms: {' and '.join(o.macs)}" for o in measured.overlaps]
    return why


def _excusable(act: Act, udp: ProbeResult, new_client_ms: float, tcp_broken: int) -> tuple[list[str], bool]:
    """What is beyond its bound, and whether anything is beyond its figure."""
    promise, why, beyond = act.promise, [], False
    for what, value, figure, bound in (
        ("the outage lasted", udp.longest_outage_ms, promise.figure_ms, promise.bound_ms),
        ("new clients waited", new_client_ms, promise.new_client_figure_ms, promise.new_client_bound_ms),
    ):
        beyond = beyond or (figure is not None and value > figure)
        if bound is not None and value > bound:
            why.append(f"{what} {value:.0f} ms; at most {bound:.0f} ms may pass, even on a busy machine")
    if promise.nothing_lost and udp.lost:
        why.append(f"{udp.lost} of {udp.sent} datagrams were lost; none may be")
    if promise.tcp_lives and tcp_broken:
        why.append("the client's TCP session broke; it must survive a move within the machine")
    return why, beyond
