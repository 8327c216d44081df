"""What is compared: vipa by timing profile, and Debian's keepalived by advertisement interval.

Both hold 10.1.1.7 in the same lab: w1 is preferred, with a serving adapter eth1 and a spare eth2; w2 has eth1. Both
get the same machines, with ``arp_ignore=1`` and ``arp_announce=2`` as keepalived's users set them, for else both of
w1's adapters would answer for keepalived's address.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from vipa_lab.node import Node
from vipa_lab.process import Process
from vipa_lab.scenario import Scenario

SYSCTLS: Final = {"arp_ignore": 1, "arp_announce": 2}


class Contender(Protocol):
    """``name`` as in the report. ``takeover_s``: longest time its own rules give a takeover. ``ready_s``: time after
    which a second node's program knows the holder. Waits are made of them."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def takeover_s(self) -> float:
        """Seconds."""
        ...

    @property
    def ready_s(self) -> float:
        """Seconds."""
        ...

    def start(self, scenario: Scenario, node: Node, *, track: bool) -> Process:
        """Start it on one node. ``track``: configure it as well as it can be for the loss of w1's serving adapter."""
        ...


@dataclass(frozen=True, slots=True)
class Vipa:
    """The agent of this checkout, from manifests, limited to NET_ADMIN and NET_RAW."""

    timing: str

    @property
    def name(self) -> str:
        """For people."""
        return f"vipa {self.timing}"

    @property
    def takeover_s(self) -> float:
        """Permit (0.5 s at most in Default and Fast) and probes, doubled for a busy machine."""
        return 1.2

    @property
    def ready_s(self) -> float:
        """The agent is a Python program: 0.3 s to start, 1.5 s were seen on a busy machine; then one silence."""
        return 2.0

    def start(self, scenario: Scenario, node: Node, *, track: bool) -> Process:
        """The same manifests on each node; there is nothing to configure for tracking."""
        folder = scenario.lab.work_dir / "manifests"
        folder.mkdir(exist_ok=True)
        entries = "".join(f"    - {{address: {address}}}\n" for address in scenario.preferred)
        (folder / "erp.yaml").write_text(
            "apiVersion: vipa.dev/v1alpha1\n"
            "kind: VirtualIP\n"
            "metadata: {name: erp}\n"
            f"spec: {{addresses: [{scenario.vip}], preferredInterfaceList: ibm-i, timing: {self.timing}}}\n"
            "---\n"
            "apiVersion: vipa.dev/v1alpha1\n"
            "kind: PreferredInterfaceList\n"
            "metadata: {name: ibm-i}\n"
            f"spec:\n  interfaces:\n{entries}"
        )
        return node.start_agent(folder)


@dataclass(frozen=True, slots=True)
class Keepalived:
    """VRRP version 3, multicast, no authentication, keepalived's own defaults else.

    A VRRP instance lives on one adapter. Tracked, it lives on w1's spare adapter and watches the serving one, so that
    w1 can still say that it resigns (priority 0): that is faster than waiting for three missing advertisements.
    """

    advert_s: float

    @property
    def name(self) -> str:
        """For people."""
        return f"keepalived {self.advert_s * 1000:g} ms"

    @property
    def takeover_s(self) -> float:
        """RFC 9568 §6.1: three advertisements and a skew of less than one."""
        return 4 * self.advert_s

    @property
    def ready_s(self) -> float:
        """0.1 s to start, and an advertisement that it surely hears."""
        return 2 * self.advert_s + 0.3

    def start(self, scenario: Scenario, node: Node, *, track: bool) -> Process:
        """Foreground, VRRP only, its configuration beside its log."""
        spare = track and "eth2" in node.nics
        # 150 and 100: any distance does; skew is (256 - priority) / 256 advertisements (RFC 9568 §6.1).
        priority = 150 if node is scenario.nodes[0] else 100
        config = node.dir / "keepalived.conf"
        config.write_text(
            f"global_defs {{\n  router_id {node.name}\n}}\n"
            "vrrp_instance erp {\n"
            "  version 3\n  state BACKUP\n  virtual_router_id 7\n"
            f"  interface {'eth2' if spare else 'eth1'}\n"
            f"  priority {priority}\n  advert_int {self.advert_s:g}\n"
            f"  virtual_ipaddress {{\n    {scenario.vip}/32 dev eth1\n  }}\n"
            + ("  track_interface {\n    eth1\n  }\n" if spare else "")
            + "}\n"
        )
        # keepalived refuses configurations that others may execute or write.
        config.chmod(0o644)
        argv = ["keepalived", "--dont-fork", "--vrrp", "--log-console", "--use-file", str(config)]
        return node.start(argv, "keepalived")


VIPA: Final = (Vipa("Default"), Vipa("Fast"))
KEEPALIVED: Final = (Keepalived(1.0), Keepalived(0.1), Keepalived(0.01))
