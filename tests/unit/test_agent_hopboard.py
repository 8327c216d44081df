"""Next hops over HTTP: read once, waited for, watched; drawn on the loop only while somebody reads."""

import asyncio
import json
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from vipa.election.elector import Config, Elector
from vipa_agent.hopboard import WATCHERS_MAX, HopBoard
from vipa_agent.scrape import ScrapeServer

WAIT_S = 20.0


class Agent:
    """A loop in a thread, with a board and its server."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.hops = ["10.1.1.4", "10.1.1.5"]
        self.drawn = 0
        self.board = HopBoard(self.loop, Elector(Config("w1", 7)), self._draw)
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.server = ScrapeServer("127.0.0.1", 0, CollectorRegistry(), self.board)

    def _draw(self) -> dict[str, dict[str, Any]]:
        self.drawn += 1
        named = {"name": "erp", "addresses": ["10.1.1.7"], "holder": "w1", "term": 1}
        return {"erp": {**named, "nextHops": list(self.hops)}}

    def change(self, *hops: str) -> None:
        self.hops = list(hops)
        self.loop.call_soon_threadsafe(self.board.changed)

    def open(self, path: str) -> Any:  # noqa: ANN401 - the standard library's
        return urllib.request.urlopen(f"http://127.0.0.1:{self.server.port}{path}", timeout=WAIT_S)

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        with self.open(path) as answer:
            return json.load(answer)

    def close(self) -> None:
        self.server.close()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@contextmanager
def running() -> Iterator[Agent]:
    agent = Agent()
    try:
        yield agent
    finally:
        agent.close()


def test_it_is_told_as_it_is_when_asked() -> None:
    with running() as agent:
        told = agent.get("/nexthops/erp")
        assert (told["node"], told["virtualIP"]["nextHops"]) == ("w1", ["10.1.1.4", "10.1.1.5"])
        agent.hops = ["10.1.1.5"]  # no event told of it
        again = agent.get("/nexthops")
        assert again["virtualIPs"][0]["nextHops"] == ["10.1.1.5"]
        assert again["edition"] != told["edition"]
        with pytest.raises(urllib.error.HTTPError, match="404"):
            agent.get("/nexthops/shop")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            agent.get("/other")


@pytest.mark.parametrize("wait", ["nan", "-1", "soon"])
def test_a_wait_that_is_no_time_is_refused(wait: str) -> None:
    with running() as agent:
        edition = agent.get("/nexthops/erp")["edition"]
        with pytest.raises(urllib.error.HTTPError, match="400"):
            agent.get(f"/nexthops/erp?after={edition}&wait={wait}")


def test_a_change_is_waited_for() -> None:
    with running() as agent:
        edition = agent.get("/nexthops/erp")["edition"]
        assert agent.get(f"/nexthops/erp?after={edition}&wait=0.1")["edition"] == edition
        timer = threading.Timer(0.2, agent.change, ("10.1.1.6",))
        timer.start()
        begun = time.monotonic()
        assert agent.get(f"/nexthops/erp?after={edition}")["virtualIP"]["nextHops"] == ["10.1.1.6"]
        assert time.monotonic() - begun < WAIT_S / 2
        timer.join()


def test_a_watcher_is_told_each_change_and_readers_do_not_wake_each_other_for_ever() -> None:
    with running() as agent, agent.open("/nexthops/erp?watch") as first, agent.open("/nexthops?watch") as second:
        assert json.loads(first.readline())["virtualIP"]["nextHops"] == ["10.1.1.4", "10.1.1.5"]
        second.readline()
        agent.change("10.1.1.5")
        assert json.loads(first.readline())["virtualIP"]["nextHops"] == ["10.1.1.5"]
        assert json.loads(second.readline())["virtualIPs"][0]["nextHops"] == ["10.1.1.5"]
        before = agent.drawn
        time.sleep(0.3)
        assert agent.drawn - before < 5


def test_the_command_asks_agents_and_follows_them() -> None:
    vipa = str(Path(sys.executable).parent / "vipa")
    with running() as agent:
        words = ["nexthops", "10.1.1.7", "--agent", f"127.0.0.1:{agent.server.port}", "--agent", "127.0.0.1:1"]
        done = subprocess.run([vipa, *words], capture_output=True, text=True, timeout=WAIT_S, check=False)
        assert (done.returncode, done.stdout) == (0, "10.1.1.4\n10.1.1.5\n"), done.stderr
        following = [vipa, *words, "--watch", "--format", "iproute2"]
        with subprocess.Popen(following, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            assert watch.stdout is not None
            assert "via 10.1.1.4 weight 1 nexthop via 10.1.1.5" in watch.stdout.readline()
            agent.change("10.1.1.5")
            assert watch.stdout.readline() == "ip -4 route replace 10.1.1.7/32 nexthop via 10.1.1.5 weight 1\n"
            watch.kill()


def test_nobody_reads_and_nothing_is_drawn_too_many_read_and_are_told_so() -> None:
    with running() as agent:
        agent.change("10.1.1.5")
        agent.get("/nexthops")
        before = agent.drawn
        agent.change("10.1.1.6")
        assert all(agent.board.enter() for _ in range(WATCHERS_MAX))
        with pytest.raises(urllib.error.HTTPError, match="503"):
            agent.get("/nexthops")
        assert agent.drawn - before <= 1
