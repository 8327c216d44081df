"""The process that tells FRR what an agent serves, against a daemon that speaks bgpd's side of the socket.

The daemon here keeps lines as bgpd's running configuration does; what real FRR makes of them is the lab's to show.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unit.fakes.bgpd import Bgpd
from vipa_agent.bgp import rank, statements
from vipa_lab.until import until

VIP = "10.1.1.7/32"


class Agent:
    """The agent's end of a runner."""

    def __init__(self, folder: Path) -> None:
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        words = [sys.executable, "-m", "vipa_agent.bgp.runner", str(folder), str(folder / "bgp.owner")]
        with theirs:
            self.runner = subprocess.Popen(words, stdin=theirs.fileno())

    def serves(self, setting: dict[str, int], dropping: list[str] | None = None, lease_s: float = 60.0) -> None:
        self.say({"set": setting, "drop": dropping or [], "lost": 0, "lease_s": lease_s})

    def say(self, message: dict[str, Any]) -> None:
        self.socket.send(json.dumps(message).encode())

    def close(self) -> None:
        self.socket.close()
        self.runner.kill()
        self.runner.wait()

    def hear(self, key: str, value: object) -> None:
        """Until a message has this."""
        self.socket.settimeout(20.0)
        while json.loads(self.socket.recv(1 << 16)).get(key) != value:
            pass


@pytest.fixture
def bgpd(tmp_path: Path) -> Iterator[Bgpd]:
    made = Bgpd(tmp_path)
    yield made
    made.close()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    made = Agent(tmp_path)
    yield made
    made.close()


def test_it_advertises_and_withdraws_as_told(bgpd: Bgpd, agent: Agent) -> None:
    agent.serves({VIP: 3, "fd00::7/128": 3})
    until(lambda: bgpd.meds() == {VIP: rank.med(3, 0), "fd00::7/128": rank.med(3, 0)}, "both are advertised")
    agent.serves({}, [VIP])
    until(lambda: bgpd.meds() == {"fd00::7/128": rank.med(3, 0)}, "one is left")
    agent.say({"finish": True})
    assert agent.runner.wait(20) == 0
    assert (bgpd.networks, bgpd.maps) == ({}, set())


def test_before_the_agent_has_spoken_nothing_changes_and_then_what_is_not_served_goes(bgpd: Bgpd, agent: Agent) -> None:
    before = f"vipa-{rank.med(2, 5)}"
    bgpd.maps, bgpd.networks = {before}, {VIP: before, "10.1.1.8/32": before}
    agent.hear("reason", "NoBgpSession")
    assert len(bgpd.networks) == 2
    agent.serves({VIP: 2})
    until(lambda: bgpd.networks == {VIP: before}, "adopted: the losses counted by the agent before count on")


def test_what_an_agent_said_that_stands_still_ends_and_it_is_told(bgpd: Bgpd, agent: Agent) -> None:
    agent.serves({VIP: 1}, lease_s=0.3)
    until(lambda: VIP in bgpd.networks, "advertised")
    until(lambda: not bgpd.networks, "withdrawn")
    agent.hear("lapsed", True)
    agent.serves({VIP: 1})
    until(lambda: VIP in bgpd.networks, "said anew, advertised anew")


def test_what_a_dead_agent_said_ends(bgpd: Bgpd, agent: Agent) -> None:
    agent.serves({VIP: 1}, lease_s=0.5)
    until(lambda: VIP in bgpd.networks, "advertised")
    agent.socket.close()
    assert agent.runner.wait(20) == 0
    assert bgpd.networks == {}


def test_a_successor_s_word_outlives_the_runner_before(bgpd: Bgpd, agent: Agent, tmp_path: Path) -> None:
    agent.serves({VIP: 1}, lease_s=2.0)
    until(lambda: VIP in bgpd.networks, "advertised")
    agent.socket.close()
    successor = Agent(tmp_path)
    try:
        successor.serves({VIP: 1})
        assert agent.runner.wait(20) == 0
        assert VIP in bgpd.networks, "the one before leaves it alone"
        successor.say({"leave": True})
        assert successor.runner.wait(20) == 0
        assert VIP in bgpd.networks, "left to the next"
    finally:
        successor.close()


def test_a_daemon_that_was_restarted_is_told_again(bgpd: Bgpd, agent: Agent, tmp_path: Path) -> None:
    agent.serves({VIP: 1})
    until(lambda: VIP in bgpd.networks, "advertised")
    bgpd.networks, bgpd.maps = {}, set()  # what it had was never saved
    until(lambda: VIP in bgpd.networks, "told again", 20.0)


def test_an_administrator_s_own_line_stays_and_is_named(bgpd: Bgpd, agent: Agent) -> None:
    bgpd.neighbors = {"10.1.1.1": {"bgpState": "Established", "hostLocal": "10.1.1.4"}}
    bgpd.networks = {VIP: ""}
    agent.serves({VIP: 1, "10.1.1.8/32": 1})
    until(lambda: "10.1.1.8/32" in bgpd.networks, "the other one is advertised")
    agent.hear("reason", "NetworkTaken")
    assert bgpd.networks[VIP] == ""
    bgpd.networks["10.1.1.8/32"] = ""  # by hand, since bgpd was read last
    agent.say({"finish": True})
    assert agent.runner.wait(20) == 0
    assert bgpd.networks == {VIP: "", "10.1.1.8/32": ""}


def test_trouble_has_a_word(agent: Agent, tmp_path: Path) -> None:
    agent.serves({VIP: 1})
    agent.hear("reason", "FrrUnreachable")
    late = Bgpd(tmp_path)
    late.instance = "router bgp 65001 vrf red"
    agent.hear("reason", "NoBgpInstance")
    late.instance = "router bgp 65001"
    agent.hear("reason", "NoBgpSession")
    assert statements.read(late.configuration()).networks.keys() == {VIP}
    os.kill(agent.runner.pid, 15)  # a service manager's SIGTERM is for the agent
    assert agent.runner.poll() is None
    late.close()
