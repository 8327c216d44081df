"""The measuring programs, against a service whose faults are known."""

import time

import pytest

from vipa_lab.errors import LabError
from vipa_lab.probe import Probe
from vipa_lab.results import Live, ProbeResult, TcpResult
from vipa_lab.scenario import Scenario
from vipa_lab.until import until

VIP = "10.1.1.7/32"


def wait_for_answers(probe: Probe[ProbeResult] | Probe[TcpResult], answered: int = 50) -> Live:
    def enough() -> Live | None:
        live = probe.live()
        return live if live is not None and live.answered >= answered else None

    return until(enough, probe.process.last_words, 30)


def test_nothing_is_lost_when_nothing_happens(served: Scenario) -> None:
    result = served.client.udp_probe(served.vip, count=500).wait(60)
    assert (result.sent, result.lost, result.outages) == (500, 0, ())
    assert [segment.node for segment in result.segments] == ["w1"]
    assert 0 < result.rtt_median_ms <= result.rtt_max_ms
    assert result.lateness_p99_ms <= result.lateness_max_ms


def test_a_hole_of_5_ms_is_caught(served: Scenario) -> None:
    probe = served.client.udp_probe(served.vip)
    assert wait_for_answers(probe).node == "w1"
    port = served.nodes[0].nics["eth1"].port
    start_s = time.monotonic()
    port.block()
    time.sleep(0.005)
    port.unblock()
    hole_s = (start_s, time.monotonic())
    wait_for_answers(probe, 500)
    result = probe.stop()
    # A probe that was held up for the whole hole has missed it, and says so.
    assert result.outages or result.void
    for outage in result.outages:
        # Loosely in time: a reply that a busy server owes from before the hole is lost in it too.
        assert outage.start_s <= hole_s[1]
        assert outage.end_s is not None
        assert outage.end_s >= hole_s[0]
        assert outage.lost >= 1
        assert (outage.before, outage.after) == ("w1", "w1")


def test_a_takeover_shows_who_answered_before_and_after(served: Scenario) -> None:
    w1, w2 = served.nodes
    probe = served.client.udp_probe(served.vip)
    wait_for_answers(probe)
    w1.power_off()
    time.sleep(0.1)
    w2.nics["eth1"].add_address(VIP)
    served.client.flush_neighbours()
    until(lambda: (live := probe.live()) is not None and live.node == "w2", probe.process.last_words, 30)
    result = probe.stop()
    longest = max(result.outages, key=lambda outage: outage.ms)
    assert (longest.before, longest.after) == ("w1", "w2")
    assert longest.ms >= 80
    assert [segment.node for segment in result.segments] == ["w1", "w2"]


def test_an_address_nobody_has_loses_everything(served: Scenario) -> None:
    for result in (
        served.client.udp_probe("10.1.1.77", count=20).wait(30),
        served.client.connect_probe("10.1.1.77", period_ms=5, count=5).wait(30),
        served.router.arp_asker("10.1.1.77", period_ms=5, count=5).wait(30),
    ):
        assert result.lost == result.sent > 0
        assert result.outages[0].end_s is None


def test_a_session_stalls_while_the_path_is_dead_and_survives(served: Scenario) -> None:
    probe = served.client.tcp_probe(served.vip)
    port = served.nodes[0].nics["eth1"].port
    echoed = wait_for_answers(probe, 20).answered
    port.block()
    time.sleep(0.15)
    port.unblock()
    wait_for_answers(probe, echoed + 60)
    result = probe.stop()
    assert (result.connects, result.resets) == (1, 0)
    assert result.echoed == result.sent
    assert result.stall_ms_max >= 120
    assert [segment.node for segment in result.segments] == ["w1"]


def test_a_broken_session_is_counted_and_made_again(served: Scenario) -> None:
    w1, _ = served.nodes
    echo = w1.start_echo(7008)
    echo.wait_output("ready", 20)
    probe = served.client.tcp_probe(served.vip, port=7008)
    before = wait_for_answers(probe, 20).answered
    echo.kill()
    w1.start_echo(7008).wait_output("ready", 20)
    wait_for_answers(probe, before + 40)
    result = probe.stop()
    assert result.connects >= 2
    assert result.resets >= 1


def test_new_connections_are_greeted(served: Scenario) -> None:
    result = served.client.connect_probe(served.vip, period_ms=10, count=50).wait(30)
    assert (result.sent, result.lost) == (50, 0)
    assert [segment.node for segment in result.segments] == ["w1"]


def test_a_cold_client_learns_the_mac(served: Scenario) -> None:
    result = served.router.arp_asker(served.vip, count=50, period_ms=10).wait(30)
    assert (result.sent, result.lost, result.double_answers) == (50, 0, 0)
    assert [segment.node for segment in result.segments] == [served.nodes[0].nics["eth1"].mac]


def test_ipv6_is_served_too(ibm_i: Scenario) -> None:
    ibm_i.nodes[0].nics["eth1"].add_address("fd00::7/64")
    ibm_i.client.nics["eth1"].add_address("fd00::100/64")
    result = ibm_i.client.udp_probe("fd00::7", count=100, period_ms=5).wait(30)
    assert result.lost == 0


def test_a_probe_that_fails_says_why(ibm_i: Scenario) -> None:
    probe = ibm_i.client.udp_probe("not-an-address")
    with pytest.raises(LabError, match="Name or service not known"):
        probe.wait(60)
