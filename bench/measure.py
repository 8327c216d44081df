"""One run: a lab of its own, the contender on both nodes, a client, an ARP asker and an observer, one fault."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cases import Case, any_moment
from contenders import SYSCTLS, Contender
from machine import commit, describe
from records import Run
from vipa_lab.errors import LabError
from vipa_lab.lab import Lab
from vipa_lab.probe import Probe
from vipa_lab.process import Process
from vipa_lab.results import ProbeResult, TcpResult
from vipa_lab.scenario import Scenario, ibm_i_lab
from vipa_lab.verdict import Overlap

PROBE_MS: Final = 2.0
# The cold client's questions: a twentieth of Default's permit, and two answerers show within two questions.
ASK_MS: Final = 10.0
TCP_MS: Final = 10.0
# The kernel sends again after 0.2 s, 0.4 s …: a connection that survives is heard of again within this time.
TCP_STALL_S: Final = 1.0
# A contender that does not serve within this time on an idle lab is broken: four times keepalived's slowest start.
START_S: Final = 20.0
LIVE_POLL_S: Final = 0.02


class NotServed(Exception):
    """The contender did not serve before any fault; the message ends with what it wrote last."""


def measure(case: Case, contender: Contender, logs: Path | None = None) -> Run:
    """Do ``case`` to ``contender`` once; what all programs wrote stays below ``logs`` when given.

    NotServed when there was nothing to measure; a run whose probe or observer was disturbed comes back void.
    """
    with Lab(logs) as lab:
        scenario = ibm_i_lab(lab)
        for node in scenario.nodes:
            node.set_ipv4_conf(**SYSCTLS)
        holder = _serve(scenario, case, contender)
        observer = lab.observe(scenario.lan)
        asker = scenario.router.arp_asker(scenario.vip, period_ms=ASK_MS)
        probe = scenario.client.udp_probe(scenario.vip, period_ms=PROBE_MS)
        session = scenario.client.tcp_probe(scenario.vip, period_ms=TCP_MS) if case.tcp else None
        _wait_answered(probe, holder)
        _wait_answered(asker, holder)
        any_moment(contender)
        case.fault(scenario, holder)
        time.sleep(case.after_s + (contender.takeover_s if case.after_s else 0.0))
        seen, cold = probe.stop(), asker.stop()
        talk = session.stop() if session else None
        dropped = ""
        try:
            observer.stop()
        except LabError as error:
            dropped = str(error)
        longest = max(seen.outages, key=lambda outage: outage.ms, default=None)
        return Run(
            case=case.name,
            contender=contender.name,
            outage_ms=round(seen.longest_outage_ms, 1),
            ended=longest is None or longest.end_s is not None,
            lost=seen.lost,
            sent=seen.sent,
            cold_ms=round(cold.longest_outage_ms, 1),
            two_ms=round(covered_ms(observer.two_answerers(scenario.vip)), 1),
            tcp_broke=broke(talk, seen) if talk else None,
            took_over=seen.segments[-1].node if seen.segments else "",
            lateness_ms=round(seen.lateness_max_ms, 1),
            void=dropped or why_void(seen),
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            machine=describe(),
            commit=commit(),
        )


def why_void(seen: ProbeResult) -> str:
    """A reason when the probe was too late for its own figure to count. Beside an outage the pacing around it matters.
    Where nothing was lost, one late send of thousands changes nothing, but hundreds would hide a short outage."""
    if seen.outages:
        worst = max(seen.outages, key=lambda outage: outage.lateness_ms)
        return f"probe late by {worst.lateness_ms:.1f} ms beside an outage" if worst.void else ""
    late = seen.lateness_p99_ms > seen.lateness_bound_ms
    return f"one send in a hundred late by {seen.lateness_p99_ms:.1f} ms" if late else ""


def broke(talk: TcpResult, seen: ProbeResult) -> bool:
    """Whether the connection was reset, or its last echo is older than the last datagram's by more than a stall: a
    connection that nobody resets may hang for minutes."""
    if talk.resets or not talk.segments:
        return True
    return bool(seen.segments) and seen.segments[-1].end_s - talk.segments[-1].end_s > TCP_STALL_S


def covered_ms(overlaps: Sequence[Overlap]) -> float:
    """Time covered by at least one of the overlaps: several receivers see the same one."""
    covered_s = 0.0
    end_s = float("-inf")
    for overlap in sorted(overlaps, key=lambda each: each.start_s):
        covered_s += max(0.0, overlap.end_s - max(overlap.start_s, end_s))
        end_s = max(end_s, overlap.end_s)
    return covered_s * 1000


def _serve(scenario: Scenario, case: Case, contender: Contender) -> Process:
    """Start it on the preferred node, then on the other, and give the holder's program."""
    holder, *others = scenario.nodes
    program = contender.start(scenario, holder, track=case.track)
    probe = scenario.client.udp_probe(scenario.vip, period_ms=10)
    _wait_answered(probe, program)
    for node in others:
        contender.start(scenario, node, track=case.track)
    time.sleep(contender.ready_s)
    last = probe.stop().segments[-1]
    if last.node != holder.name:
        raise NotServed(f"{last.node} serves instead of {holder.name}: {program.last_words()}")
    return program


def _wait_answered(probe: Probe[ProbeResult], program: Process) -> None:
    deadline = time.monotonic() + START_S
    while not ((live := probe.live()) and live.answered):
        if time.monotonic() > deadline or not program.alive:
            raise NotServed(f"no answer within {START_S:g} s: {program.last_words()}")
        time.sleep(LIVE_POLL_S)
