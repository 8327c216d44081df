"""What a scraper sees."""

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import generate_latest

from vipa.reasons import Reason
from vipa_agent import scrape
from vipa_agent.metrics import SAMPLES_PER_TURN, Metrics, Picture
from vipa_agent.scrape import ScrapeServer, parse_listen
from vipa_lab.until import until

DEADLINE_S = 10.0
FULL = Picture(
    holder={("erp", "eth1"): True, ("erp", "eth2"): False, ("web", "eth1"): False},
    endpoint_healthy={"eth1": True, "eth2": False},
    conflict={"erp": False, "web": True},
    permit_on={"g1": "eth1", "g2": "eth2", "g3": ""},
    permits={"eth1": 100.5, "eth2": 99.0},
)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(now=lambda: 100.0)


@pytest.fixture
def server(metrics: Metrics) -> Iterator[ScrapeServer]:
    served = ScrapeServer("127.0.0.1", 0, metrics.registry)
    yield served
    served.close()


def samples(metrics: Metrics) -> dict[str, float]:
    """Series → value, without comments and creation times."""
    lines = generate_latest(metrics.registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#") and "_created" not in line)
    return {series: float(value) for series, value in pairs}


def test_the_picture_is_shown(metrics: Metrics) -> None:
    metrics.show(FULL)
    shown = samples(metrics)
    assert shown['vipa_holder{interface="eth1",vip="erp"}'] == 1
    assert shown['vipa_holder{interface="eth2",vip="erp"}'] == 0
    assert shown['vipa_endpoint_healthy{interface="eth2"}'] == 0
    assert shown['vipa_conflict{vip="web"}'] == 1
    assert shown['vipa_permit_remaining_seconds{group="g1"}'] == 0.5
    assert shown['vipa_permit_remaining_seconds{group="g2"}'] == 0, "an ended permit has nothing left, not less"
    assert shown['vipa_permit_remaining_seconds{group="g3"}'] == float("inf")


def test_series_go_with_what_they_describe(metrics: Metrics) -> None:
    metrics.show(FULL)
    metrics.transition("erp", Reason.TOP_OF_LIST)
    metrics.transition("web", Reason.LOST_DUEL)
    metrics.announcements("eth1", "request", 3)
    metrics.announcements("eth2", "reply")
    before = samples(metrics)
    assert before['vipa_transitions_total{reason="LostDuel",vip="web"}'] == 1
    assert before['vipa_announcements_total{interface="eth1",kind="request"}'] == 3

    metrics.show(Picture(holder={("erp", "eth1"): True}, endpoint_healthy={"eth1": True}, conflict={"erp": False}))
    after = samples(metrics)
    assert not [series for series in after if "web" in series or "eth2" in series or "group" in series]
    assert after['vipa_transitions_total{reason="TopOfList",vip="erp"}'] == 1
    assert after['vipa_announcements_total{interface="eth1",kind="request"}'] == 3

    metrics.show(FULL)
    metrics.transition("web", Reason.LOST_DUEL)
    assert samples(metrics)['vipa_transitions_total{reason="LostDuel",vip="web"}'] == 1, "it starts anew"


def test_heartbeats_and_lateness_stay(metrics: Metrics) -> None:
    metrics.heartbeats("received", "accepted", 5)
    metrics.heartbeats("received", "forged")
    metrics.lateness(0.003)
    metrics.show(Picture())
    shown = samples(metrics)
    assert shown['vipa_heartbeats_total{direction="received",result="accepted"}'] == 5
    assert shown['vipa_heartbeats_total{direction="received",result="forged"}'] == 1
    assert shown['vipa_loop_lateness_seconds_bucket{le="0.005"}'] == 1
    assert shown['vipa_loop_lateness_seconds_bucket{le="0.002"}'] == 0


def get(server: ScrapeServer, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=DEADLINE_S) as answer:
        return str(answer.read().decode())


def test_served_over_http(metrics: Metrics, server: ScrapeServer) -> None:
    metrics.show(FULL)
    assert 'vipa_holder{interface="eth1",vip="erp"} 1.0' in get(server)
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        get(server, "/")
    caught.value.close()


def test_stalled_scrapers_hold_up_nobody(server: ScrapeServer) -> None:
    stalled = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(scrape.SCRAPERS_MAX - 1)]
    for one in stalled:
        one.sendall(b"GET /metrics")  # and never the rest
    assert "vipa_loop_lateness_seconds" in get(server)
    for one in stalled:
        one.close()


def test_too_many_scrapers_are_turned_away(server: ScrapeServer) -> None:
    stalled = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(scrape.SCRAPERS_MAX)]
    with socket.create_connection(("127.0.0.1", server.port), timeout=scrape.SLOW_S / 2) as late:
        assert late.recv(1) == b""
    for one in stalled:
        one.close()

    def is_served() -> bool:
        try:
            return "vipa_loop_lateness_seconds" in get(server)
        except (urllib.error.URLError, ConnectionError):
            return False

    until(is_served, "they are gone: there is room again", DEADLINE_S)


def test_scraping_while_everything_changes(metrics: Metrics, server: ScrapeServer) -> None:
    stop = threading.Event()

    def scrape_on() -> int:
        count = 0
        while not stop.is_set():
            get(server)
            count += 1
        return count

    with ThreadPoolExecutor(2) as pool:
        scrapes = [pool.submit(scrape_on) for _ in range(2)]
        for round_ in range(300):
            metrics.show(Picture(holder={(f"vip{round_ + n}", "eth1"): True for n in range(50)}))
            metrics.transition(f"vip{round_}", Reason.TOP_OF_LIST)
        stop.set()
        assert all(future.result(DEADLINE_S) > 0 for future in scrapes)


def test_close_frees_the_port(metrics: Metrics) -> None:
    first = ScrapeServer("127.0.0.1", 0, metrics.registry)
    with pytest.raises(OSError, match="in use"):
        ScrapeServer("127.0.0.1", first.port, metrics.registry)
    first.close()
    again = ScrapeServer("127.0.0.1", first.port, metrics.registry)
    assert "vipa_loop" in get(again)
    again.close()


@pytest.mark.parametrize(
    ("text", "parsed"),
    [("127.0.0.1:9117", ("127.0.0.1", 9117)), (":9117", ("", 9117)), ("[::1]:0", ("::1", 0))],
)
def test_listen_addresses(text: str, parsed: tuple[str, int]) -> None:
    assert parse_listen(text) == parsed


@pytest.mark.parametrize("text", ["", "9117", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:9117", "127.0.0.1:"])
def test_bad_listen_addresses_name_the_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not ADDR:PORT \(like"):
        parse_listen(text)


def test_a_large_scrape_gives_the_loop_its_turns(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("vipa_agent.metrics.time.sleep", pauses.append)
    metrics.show(Picture(conflict={f"vip{n}": False for n in range(2000)}))
    assert len(samples(metrics)) > 2000
    assert len(pauses) == 2000 // SAMPLES_PER_TURN
