"""Behind the scenario's router: a second LAN with a remote client, and the router's daemon."""

import sys
from collections import Counter
from contextlib import suppress
from typing import Any, Final

from vipa_agent.status import StatusError, read_status
from vipa_lab.answered import answered_by
from vipa_lab.client import Client
from vipa_lab.errors import LabError
from vipa_lab.lab import Lab
from vipa_lab.pacing import ECHO_PORT
from vipa_lab.process import AGENT_CAPABILITIES, Process
from vipa_lab.scenario import Scenario
from vipa_lab.stack import ipv6_beside, of_stack

ROUTER_WAN: Final = "10.9.9.1/24"
REMOTE: Final = "10.9.9.2/24"
_STATUS_S: Final = 15.0
_LOOKS: Final = 5
"""At a route and its group, which two programs tell: the daemon replaces a group within milliseconds, and seldom."""


class Remote:
    """Gives ``scenario``'s router a second leg with one client beyond it. The daemon does not run at first."""

    def __init__(self, lab: Lab, scenario: Scenario) -> None:
        self.lab = lab
        self.router = scenario.router
        wan = lab.add_switch("wan")
        self.router.add_nic(wan, *of_stack("dual", ROUTER_WAN))
        self.client: Client = lab.add_client("c9")
        self.client.add_nic(wan, *of_stack("dual", REMOTE))
        lab.settle()
        for gateway in (ROUTER_WAN, ipv6_beside(ROUTER_WAN)):
            self.client.add_route("default", gateway.partition("/")[0])
        for family in ("ipv4", "ipv6"):
            self.router.set_sysctl(f"net/{family}/fib_multipath_hash_policy", 1)
        self.state_dir = self.router.run_dir / "vipa-router"
        self.daemon: Process | None = None

    def start(self, *extra: str) -> Process:
        """Run ``vipa-router`` on the router."""
        words = ["--interface", "eth1", "--key-file", str(self.lab.key_file), "--state-dir", str(self.state_dir)]
        argv = [sys.executable, "-m", "vipa_router.main", *words, *extra]
        self.daemon = self.router.start(argv, "router", capabilities=AGENT_CAPABILITIES)
        return self.daemon

    def command(self, word: str) -> str:
        """What ``vipa-router status`` or ``cleanup`` says. LabError when its exit code is not 0."""
        return self.router.run(
            [sys.executable, "-m", "vipa_router.main", word, "--state-dir", str(self.state_dir)], _STATUS_S
        )

    def status(self) -> dict[str, Any]:
        """The daemon's status document; {} while it does not run."""
        try:
            return read_status(self.state_dir, _STATUS_S, "vipa-router")
        except StatusError:
            return {}

    def route(self, vip: str) -> list[str]:
        """Next hops of the kernel's route to ``vip``; or how it ends, alone; [] for none. LabError when it names groups
        that are gone each time they are looked up."""
        for _ in range(_LOOKS):
            with suppress(KeyError):
                return self._read_route(vip)
        raise LabError(f"the route to {vip} named a group that was gone, {_LOOKS} times")

    def _read_route(self, vip: str) -> list[str]:
        """KeyError when the group was replaced between the look at the route and the one at the groups."""
        family = "-6" if ":" in vip else "-4"
        words = self.router.run(["ip", family, "route", "show", "proto", "117"])
        start = words.find(f"{vip} ")
        if start < 0:
            return []
        if ending := words[:start].split("\n")[-1].strip():
            return [ending]
        text = words[start:].partition("\n")[0]
        number = text.partition("nhid ")[2].split()[0]
        objects = {line.split()[1]: line for line in self.router.run(["ip", "nexthop"]).splitlines()}
        members = objects[number].partition("group ")[2].split()[0].split("/")
        return [objects[member.partition(",")[0]].partition("via ")[2].split()[0] for member in members]

    def spread(self, scenario: Scenario, vip: str, count: int) -> Counter[str]:
        """``count`` flows of the remote client to ``vip``, by the adapter ("w1/eth1") on which their datagrams came in.
        LabError when one was not answered."""
        match = f"{'ip6' if ':' in vip else 'ip'} daddr {vip} udp dport {ECHO_PORT}"
        for node in scenario.nodes:
            rules = "\n".join(f'iifname "{nic}" {match} counter comment "{nic}"' for nic in node.nics)
            chain = f"type filter hook prerouting priority -400\n{rules}\n"
            node.run(["nft", f"table inet count {{\nchain in {{\n{chain}}}\n}}"])
        unanswered = answered_by(self.client, vip, count)[""]
        if unanswered:
            raise LabError(f"{unanswered} of {count} flows were not answered")
        found: Counter[str] = Counter()
        for node in scenario.nodes:
            for line in node.run(["nft", "list", "table", "inet", "count"]).splitlines():
                if "packets" in line:
                    nic = line.partition('comment "')[2].partition('"')[0]
                    found[f"{node.name}/{nic}"] = int(line.partition("packets ")[2].split()[0])
            node.run(["nft", "delete", "table", "inet", "count"])
        return found
