"""Hundreds of virtual IPs on one machine: all are served again when it dies, and handed over when it stops."""

import time

from agent_lab import Agents, running
from announcements import Announcements
from vipa.timing import Timing
from vipa_lab.until import until

COUNT = 200
WITHIN_S = 15.0  # half a second on an idle machine; a busy one may claim in several waves


def roles(agents: Agents, name: str) -> list[str]:
    return [vip["role"] for vip in agents.status(name)["vips"]]


def test_two_hundred_move_to_the_other_machine() -> None:
    with running(3, 1, COUNT, Timing.CALM) as agents:
        heard = Announcements(agents.listener)
        agents.processes["w1"].terminate(WITHIN_S)
        until(lambda: roles(agents, "w2") == ["Holder"] * COUNT, timeout_s=WITHIN_S, every_s=0.2)
        fault_s = time.clock_gettime(time.CLOCK_REALTIME)
        agents.nodes["w2"].power_off()
        until(lambda: len(heard.first_since(fault_s)) == COUNT, timeout_s=WITHIN_S, every_s=0.2)
        until(lambda: roles(agents, "w3") == ["Holder"] * COUNT, timeout_s=WITHIN_S, every_s=0.2)
        heard.close()
