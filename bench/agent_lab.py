"""A LAN of equal machines with agents, for measuring what one agent costs."""

import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from vipa_agent.status import StatusError, read_status
from vipa_lab.errors import LabError
from vipa_lab.host import Host
from vipa_lab.lab import Lab
from vipa_lab.manifests import preferred_list, virtual_ip
from vipa_lab.node import Node
from vipa_lab.process import Process

METRICS: Final = "127.0.0.1:9117"
# 2,000 VIPs on five agents that share two cores: reading manifests, binding and claiming took 60 s when busy.
_START_S: Final = 240.0
_ASK_S: Final = 0.5
# And this much per VIP: the answer costs the agent about 50 us for each.
_ASK_S_PER_VIP: Final = 0.001
_BUSY_LOOP: Final = "while True: pass"


@dataclass(frozen=True)
class Agents:
    """Agents under way, by machine name; w1 holds every VIP."""

    nodes: dict[str, Node]
    processes: dict[str, Process]
    vips: int
    listener: Host
    """A station of the LAN that is no candidate."""

    def status(self, name: str) -> dict[str, Any]:
        """The agent's status document."""
        return read_status(self.nodes[name].state_dir)

    def metrics(self, name: str) -> str:
        """What Prometheus would read of the agent."""

        def ask() -> str:
            with urllib.request.urlopen(f"http://{METRICS}/metrics", timeout=10) as answer:
                return str(answer.read().decode())

        return self.nodes[name].namespace.call(ask)

    def settled(self) -> bool:
        """Whether w1 holds all VIPs and everybody hears everybody."""
        try:
            first = self.status("w1")
            held = [vip["role"] == "Holder" for vip in first["vips"]]
            if len(held) < self.vips or not all(held):
                return False  # with thousands of VIPs the document costs the agent a tenth of a second: ask no more
            documents = {name: self.status(name) for name in self.nodes}
        except StatusError:
            return False
        heard = [peer["twoWay"] for document in documents.values() for peer in document["peers"]]
        everybody = len(self.nodes) * (len(self.nodes) - 1)
        return len(held) == self.vips and all(held) and len(heard) == everybody and all(heard)


@contextmanager
def running(nodes: int, nics: int, vips: int, timing: str, chains: int = 0, *, apart: bool = False) -> Iterator[Agents]:
    """Machines w1 … with ``nics`` adapters each on one switch, one agent each, ``vips`` virtual IPs, all with the same
    preferred interface list; ``chains`` nft chains of another program on each. ``apart``: each virtual IP is a group of
    its own, by a failback delay that no other has (and that counts for nothing); else all are one. LabError when they
    do not settle."""
    with Lab() as lab:
        lan = lab.add_switch("lan")
        machines = {f"w{number}": lab.add_node(f"w{number}") for number in range(1, nodes + 1)}
        for number, machine in enumerate(machines.values(), 1):
            for nic in range(1, nics + 1):
                machine.add_nic(lan, f"10.1.{number}.{nic}/16")
            if chains:
                _strange_chains(machine, chains)
        listener = lab.add_station("listener")
        listener.add_nic(lan, "10.1.255.1/16")
        lab.settle()
        manifests = lab.work_dir / "manifests"
        manifests.mkdir()
        addresses = [nic.address for machine in machines.values() for nic in machine.nics.values()]
        texts = [preferred_list(*addresses)]
        for n in range(vips):
            failback = f"{{policy: Immediate, delay: {1 + n * apart}s}}"
            texts.append(virtual_ip(f"v{n}", f"10.1.{100 + n // 200}.{1 + n % 200}", failback=failback, timing=timing))
        (manifests / "all.yaml").write_text("".join(texts))
        words = ("--metrics", METRICS)
        processes = {name: each.start_agent(manifests, *words) for name, each in machines.items()}
        agents = Agents(machines, processes, vips, listener)
        deadline = time.monotonic() + _START_S
        while not agents.settled():
            ended = [process.last_words() for process in agents.processes.values() if not process.alive]
            if ended or time.monotonic() > deadline:
                raise LabError(f"the agents did not settle: {ended or agents.processes['w1'].last_words()}")
            time.sleep(_ASK_S + vips * _ASK_S_PER_VIP)
        yield agents


@contextmanager
def busy_loops(on: Node, count: int) -> Iterator[None]:
    """So many programs that do nothing but use the processor, of the agents' own priority."""
    loops = [on.start([sys.executable, "-c", _BUSY_LOOP], "busy") for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()


def _strange_chains(machine: Node, count: int) -> None:
    """About what kube-proxy makes for thousands of Services: libnftables reads it all, prebuilt transactions do not."""
    rules = (
        f"add chain ip strange c{n}\nadd rule ip strange c{n} ip daddr 10.96.{n >> 8}.{n & 255} accept"
        for n in range(count)
    )
    ruleset = machine.dir / "strange.nft"
    ruleset.write_text("\n".join(["add table ip strange", *rules]) + "\n")
    machine.run(["nft", "-f", str(ruleset)], timeout_s=60.0)
