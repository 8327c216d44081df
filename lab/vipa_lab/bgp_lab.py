"""Remote clients behind a router that speaks BGP, and FRR on both sides: Figure 1 of the seed, without vipa's router.

Each adapter of a node has a session of its own, to an address of the router of its own, since FRR knows a neighbour by
its address: w1/eth1 to 10.1.1.1, w1/eth2 to 10.1.1.2, w2/eth1 to 10.1.1.1.
"""

from itertools import pairwise
from typing import Final

from vipa_lab.client import Client
from vipa_lab.frr import BFD_PROFILE, Frr
from vipa_lab.lab import Lab
from vipa_lab.remote import Remote
from vipa_lab.scenario import Scenario
from vipa_lab.until import until

NODES_AS: Final = 65001
ROUTER_AS: Final = 65000
SESSIONS: Final = {
    "w1": (("10.1.1.4", "10.1.1.1"), ("10.1.1.5", "10.1.1.2")),
    "w2": (("10.1.1.6", "10.1.1.1"),),
}
"""Node → (its address, the router's) of each session."""
_WAIT_S: Final = 40.0


class BgpRouter:
    """Adds to a :func:`vipa_lab.scenario.ibm_i_lab` a client behind r1, and FRR on w1, w2 and r1. ``hold_s``:
    after so long without a word a session is over; it is what counts without ``bfd``."""

    def __init__(self, lab: Lab, scenario: Scenario, *, bfd: bool = True, hold_s: int = 9) -> None:
        self._scenario, router = scenario, scenario.router
        router.nics["eth1"].add_address("10.1.1.2/24")
        self.client: Client = Remote(lab, scenario).client
        self._words = (f" bfd profile {BFD_PROFILE}" if bfd else "", f" timers {hold_s // 3} {hold_s}")
        self.frrs = {node.name: Frr(node, self._node(node.name)) for node in scenario.nodes}
        self.router = Frr(router, self._router())

    def next_hops(self, address: str) -> set[str]:
        """Where the router's kernel sends what is for ``address``; empty without a route of its own."""
        flag = "-6" if ":" in address else "-4"
        words = self._scenario.router.run(["ip", flag, "route", "show", "proto", "bgp", address]).split()
        return {hop for word, hop in pairwise(words) if word == "via"}

    def wait_next_hops(self, address: str, *hops: str) -> None:
        """Until they are these."""
        said = f"the router sends {address} to {hops}"
        until(lambda: self.next_hops(address) == set(hops), lambda: f"{said}; {self.told(address)}", _WAIT_S)

    def wait_sessions(self, node: str) -> None:
        """Until all of a node's are up."""
        until(
            lambda: self._are_up(node),
            lambda: f"sessions of {node}: {self.frrs[node].show('show bgp summary')}",
            _WAIT_S,
        )

    def told(self, address: str) -> str:
        """For messages: what the routers of both sides say of an address."""
        family = "ipv6" if ":" in address else "ipv4"
        looks = [self.router.show(f"show bgp {family} unicast"), str(self.next_hops(address))]
        return "\n".join([*looks, *(frr.show(f"show bgp {family} unicast") for frr in self._living())])

    def _living(self) -> list[Frr]:
        return [frr for frr in self.frrs.values() if frr.host.is_on and frr.daemons["bgpd"].alive]

    def _are_up(self, node: str) -> bool:
        return self.frrs[node].show("show bgp summary established").count(str(ROUTER_AS)) >= len(SESSIONS[node])

    def _node(self, name: str) -> str:
        peers = [(own, theirs, ROUTER_AS) for own, theirs in SESSIONS[name]]
        return self._configuration(NODES_AS, peers[0][0], peers)

    def _router(self) -> str:
        peers = [(theirs, own, NODES_AS) for sessions in SESSIONS.values() for own, theirs in sessions]
        more = " bgp bestpath as-path multipath-relax"
        return self._configuration(ROUTER_AS, "10.1.1.1", peers, more)

    def _configuration(self, asn: int, router_id: str, peers: list[tuple[str, str, int]], more: str = "") -> str:
        bfd, timers = self._words
        lines = [f"router bgp {asn}", f" bgp router-id {router_id}", " no bgp ebgp-requires-policy", more]
        for own, peer, remote in peers:
            lines += [f" neighbor {peer} remote-as {remote}", f" neighbor {peer} update-source {own}"]
            lines += [f" neighbor {peer} timers connect 1", f" neighbor {peer}{timers}"]
            lines += [f" neighbor {peer}{bfd}"] if bfd else []
        lines += [" address-family ipv6 unicast", *(f"  neighbor {peer} activate" for _, peer, _ in peers)]
        return "\n".join(line for line in lines if line) + "\n"
