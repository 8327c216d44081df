"""The scenario's machines with agents: manifests to read, agents to start and mistreat, and what they leave behind."""

import shutil
import sys
import time
from pathlib import Path
from typing import Any, Final

from vipa_agent.status import read_status
from vipa_lab.echo_server import READY
from vipa_lab.lab import Lab
from vipa_lab.manifests import preferred_list, virtual_ip
from vipa_lab.nic import Nic
from vipa_lab.node import Node
from vipa_lab.process import Process
from vipa_lab.scenario import Scenario, ibm_i_lab
from vipa_lab.stack import Stack

START_S: Final = 40.0
"""A Python program starts in 0.1-1 s; a machine with ten busy programs on two cores was seen to take ten times that."""

# An agent answers in milliseconds; one that shares two cores with thirty programs was seen to take seconds.
_STATUS_S: Final = 15.0
_LOG_LINES: Final = 30
# What an agent's log holds only when something is wrong with the agent itself.
_WRONG: Final = ("Traceback", "kernel refused")
_WARM: Final = """\
import pathlib, sys, time
import vipa_agent.agent, vipa_agent.main
go = pathlib.Path(sys.argv[1])
print("warm", flush=True)
while not go.exists():
    time.sleep(0.002)
sys.exit(vipa_agent.main.run(sys.argv[2:]))
"""


class Fleet:
    """w1 and w2 of :func:`vipa_lab.scenario.ibm_i_lab` and a folder of manifests they share. No agent runs at first.

    ``stack``: what the virtual IP speaks; the LAN speaks both IP versions, but for "ipv6", where there is no IPv4.
    ``vip``: how else the VirtualIP erp is to be (keywords of :func:`vipa_lab.manifests.virtual_ip`). ``vips``: its
    addresses, the first of which is ``self.vip``. ``agents``: the latest agent of each machine.
    """

    def __init__(self, lab: Lab, *, stack: Stack = "ipv4", **vip: str) -> None:
        self.lab = lab
        self.scenario: Scenario = ibm_i_lab(lab, stack="ipv6" if stack == "ipv6" else "dual")
        self.client = self.scenario.client
        self.vip = self.scenario.vip
        self.vips: tuple[str, ...] = (self.vip, self.scenario.vip6) if stack == "dual" else (self.vip,)
        vip.setdefault("address", ", ".join(self.vips))
        self.manifests = lab.work_dir / "manifests"
        self.manifests.mkdir()
        self.write("erp.yaml", virtual_ip(**vip))
        self.write("list.yaml", preferred_list(*self.scenario.preferred))
        self.agents: dict[str, Process] = {}
        self._folders: dict[str, Path] = {}
        self._started: list[tuple[str, Process]] = []
        self._frozen: set[str] = set()

    def node(self, name: str) -> Node:
        """A machine that can hold the virtual IP."""
        return next(node for node in self.scenario.nodes if node.name == name)

    def nic(self, endpoint: str) -> Nic:
        """The adapter "w1/eth1"."""
        node, _, interface = endpoint.partition("/")
        return self.node(node).nics[interface]

    def folder(self, name: str) -> Path:
        """Where the agent of this machine reads its manifests."""
        return self._folders.get(name, self.manifests)

    def own_folder(self, name: str) -> None:
        """From its next start on, the agent of this machine reads a copy of the folder that no other agent reads."""
        self._folders[name] = self.lab.work_dir / f"manifests-{name}"
        shutil.copytree(self.manifests, self._folders[name])

    def write(self, name: str, text: str, folder: Path | None = None) -> Path:
        """A manifest, in one step as editors and ConfigMaps do it; by default for all agents."""
        into = folder or self.manifests
        passing = into / f".{name}"
        passing.write_text(text)
        return passing.rename(into / name)

    def start(self, *names: str) -> None:
        """Start the agents of these machines."""
        for name in names:
            self.keep(name, self.node(name).start_agent(self.folder(name), "--log-format", "text"))

    def start_warm(self, name: str) -> Path:
        """Start an agent that has imported all it needs and begins when the file given back is made: a restart that
        takes no longer than the agent itself does. The agent before it is the test's to end."""
        go = self.lab.work_dir / f"go-{len(self._started)}"
        process = self.node(name).start([sys.executable, "-c", _WARM, str(go), *self.words(name)], "agent")
        self.keep(name, process)
        process.wait_output("warm", START_S)
        return go

    def restart(self, name: str, within_s: float, timeout_s: float) -> bool:
        """Kill an agent and start another at once. False when the machine was too busy for it: the new one was not
        there ``within_s``, and did not adopt what the old one served."""
        old, go = self.agents[name], self.start_warm(name)
        killed_s = time.monotonic()
        old.kill()
        go.touch()
        self.agents[name].wait_output("started", timeout_s)
        return time.monotonic() - killed_s < within_s or "reason=Adopted" in self.agents[name].output()

    def words(self, name: str) -> list[str]:
        """The command line of an agent after the program's name."""
        key = ["--key-file", str(self.lab.key_file)]
        state = ["--state-dir", str(self.node(name).state_dir)]
        return ["--node", name, "--manifests", str(self.folder(name)), *state, *key, "--log-format", "text"]

    def freeze(self, name: str) -> None:
        """Stop an agent in its tracks; it is not asked for its status meanwhile."""
        self.agents[name].freeze()
        self._frozen.add(name)

    def thaw(self, name: str) -> None:
        """Inverse of :meth:`freeze`."""
        self.agents[name].thaw()
        self._frozen.discard(name)

    def power_off(self, name: str) -> None:
        """No farewell."""
        self.node(name).power_off()

    def boot(self, name: str) -> None:
        """Power and the service are back; the agent is not started."""
        node = self.node(name)
        node.boot()
        node.start_echo().wait_output(READY, START_S)

    def running(self) -> list[str]:
        """Machines whose agent can be asked: it runs and is not frozen."""
        return [name for name, agent in self.agents.items() if agent.alive and name not in self._frozen]

    def status(self, name: str) -> dict[str, Any]:
        """The status document of a running agent."""
        return read_status(self.node(name).state_dir, _STATUS_S)

    def bound_on(self, name: str, address: str = "") -> list[str]:
        """Interfaces of a machine that have the virtual IP, by its first address unless told otherwise."""
        wanted = address or self.vip
        words = self.node(name).run(["ip", "-o", "addr", "show", "to", f"{wanted}/{128 if ':' in wanted else 32}"])
        return [line.split()[1] for line in words.splitlines()]

    def leftovers(self, name: str) -> list[str]:
        """What of vipa is in a machine's kernel: addresses, nft tables, policy rules."""
        node = self.node(name)
        tables = [line for line in node.run(["nft", "list", "tables"]).splitlines() if " vipa" in line]
        looks = (["ip", "rule"], ["ip", "-6", "rule"])
        rules = [line for look in looks for line in node.run(look).splitlines() if "fwmark" in line]
        bound = [f"{address} on {interface}" for address in self.vips for interface in self.bound_on(name, address)]
        return bound + tables + rules

    def moves(self, name: str) -> list[str]:
        """The reason of each time an agent of this machine became Holder, oldest first."""
        outputs = (process.output() for of, process in self._started if of == name)
        lines = [line for output in outputs for line in output.splitlines() if " new=Holder " in line]
        return [line.partition(" reason=")[2].split()[0] for line in lines]

    def logs(self) -> str:
        """The last lines of every agent that was started."""
        found = []
        for name, process in self._started:
            lines = process.output().splitlines()[-_LOG_LINES:]
            found.append(f"--- agent of {name} (exit code {process.exit_code})\n" + "\n".join(lines))
        return "\n".join(found)

    def failures(self) -> list[str]:
        """Log lines that only an agent with a fault of its own writes."""
        outputs = ((name, process.output().splitlines()) for name, process in self._started)
        return [f"{name}: {line}" for name, lines in outputs for line in lines if any(w in line for w in _WRONG)]

    def keep(self, name: str, process: Process) -> None:
        """This process is the agent of that machine from now on."""
        self.agents[name] = process
        self._started.append((name, process))
