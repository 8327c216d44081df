"""The ordered candidates of a VIP (rule 1): its list's order, then (fallback Any) the rest in automatic order; without
a list everything in automatic order.

What depends on list, LAN and filters alone is worked out once for all VIPs that share them; only the rendezvous hash is
worked out for each VIP.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final

from vipa.plan import Endpoint
from vipa.planner.lans import Home, Lans, NetworkKey
from vipa.planner.rank import Ranking
from vipa.planner.world import NodeView
from vipa.resources.interfacelist import ENTRIES_MAX, Fallback, ListEntry, PreferredInterfaceList
from vipa.resources.selectors import LabelSelector
from vipa.resources.virtualip import VirtualIP, VirtualIPSpec

SUCCESSION_MAX: Final = ENTRIES_MAX
"""Longest succession. Only the nodes of a succession talk to each other, so it must not grow with the cluster; a VIP
whose first 64 candidates are all dead has other troubles."""

Lan = tuple[NetworkKey, ...]
Step = Endpoint | Ranking
"""One step of an order: this endpoint, or these in the VIP's automatic order."""


class Candidates:
    """Answers for any VIP of one set of nodes. ``virtual`` are the addresses of the undisputed VIPs: no list entry
    makes one of them an endpoint (and no declared interface has one, else it would be disputed). When they or a list
    change, :meth:`forget` the lists concerned."""

    def __init__(self, lans: Lans, virtual: Collection[str], strangers: bool) -> None:
        """``strangers``: an address in a list that no node declares is an endpoint all the same."""
        self._lans = lans
        self._virtual = virtual
        self._strangers = strangers
        self._homes: dict[object, list[Home]] = {}
        self._steps: dict[tuple[object, str | None], list[Step]] = {}

    def forget(self, pil_name: str) -> None:
        """What was worked out from this list holds no more."""
        for key in [key for key in self._steps if key[1] == pil_name]:
            del self._steps[key]

    def succession(
        self, vip: VirtualIP, vip_id: int, lans: Sequence[Lan], pil: PreferredInterfaceList | None
    ) -> list[Endpoint]:
        """At most :data:`SUCCESSION_MAX` endpoints, most preferred first, none twice. ``lans``: that of each address of
        ``vip``; an endpoint has its address on the first, and its interface is on all."""
        order: list[Endpoint] = []
        for step in self._shared_steps(vip.spec, tuple(lans), pil):
            room = SUCCESSION_MAX - len(order)
            if room <= 0:
                break
            order.extend([step] if isinstance(step, Endpoint) else step.first(vip_id, room))
        return order

    def _shared_steps(
        self, spec: VirtualIPSpec, lans: tuple[Lan, ...], pil: PreferredInterfaceList | None
    ) -> list[Step]:
        lan = lans[0]
        filters = (lans, spec.node_selector.key, spec.interfaces, spec.attachment.bridge)
        key = (filters, pil.metadata.name if pil else None)
        if key not in self._steps:
            if filters not in self._homes:
                found = [h for h in self._lans.homes(lan) if self._allowed(h, spec)]
                for other in lans[1:]:
                    places = self._lans.places(other)
                    found = [h for h in found if (h.endpoint.node, h.endpoint.interface) in places]
                self._homes[filters] = found
            self._steps[key] = list(self._work_out(spec, lan, pil, self._homes[filters]))
        return self._steps[key]

    def _work_out(
        self, spec: VirtualIPSpec, lan: Lan, pil: PreferredInterfaceList | None, homes: Sequence[Home]
    ) -> Iterable[Step]:
        declared = Counter(h.endpoint.node for h in homes)
        seen: set[object] = set()
        for entry in pil.spec.interfaces if pil else ():
            if entry.node_selector is None:
                yield from _unseen(self._named(entry, spec, lan, homes), seen)
            else:
                yield Ranking(_unseen(_selected(entry, entry.node_selector, homes), seen), declared)
        if pil is None or pil.spec.fallback is Fallback.ANY:
            yield Ranking(_unseen((h.endpoint for h in homes), seen), declared)

    def _named(self, entry: ListEntry, spec: VirtualIPSpec, lan: Lan, homes: Sequence[Home]) -> Iterable[Endpoint]:
        if entry.address:
            return self._by_address(entry.address, spec, lan, homes)
        wanted = (entry.node, entry.interface)
        return (h.endpoint for h in homes if (h.endpoint.node, h.endpoint.interface) == wanted)

    def _by_address(self, address: str, spec: VirtualIPSpec, lan: Lan, allowed: Sequence[Home]) -> Iterable[Endpoint]:
        homes = self._lans.own.get(address, [])
        # A node nobody declared: its subnet cannot be judged, but a filter that asks for more than that is not met.
        stranger = self._strangers and not homes and address not in self._virtual
        if stranger and spec.node_selector.empty and not spec.interfaces:
            yield Endpoint(address)
        by_place = {(h.endpoint.node, h.endpoint.interface): h for h in allowed}
        for home in homes:
            known_as = by_place.get((home.endpoint.node, home.endpoint.interface))
            if known_as is None:
                continue
            if self._lans.holds(lan, home):
                yield home.endpoint
            elif (":" in address) is not (":" in known_as.endpoint.address):
                yield known_as.endpoint  # named by its address of the other family

    @staticmethod
    def _allowed(home: Home, spec: VirtualIPSpec) -> bool:
        return (
            home.node.eligible
            and spec.node_selector.matches(home.node.labels)
            and home.endpoint.interface != spec.attachment.bridge  # it leads to the guests, not to the LAN
            and (not spec.interfaces or any(fnmatchcase(home.endpoint.interface, glob) for glob in spec.interfaces))
        )


def _selected(entry: ListEntry, selector: LabelSelector, homes: Sequence[Home]) -> Iterable[Endpoint]:
    for home in homes:
        if fnmatchcase(home.endpoint.interface, entry.interface) and selector.matches(home.node.labels):
            yield home.endpoint


def _unseen(endpoints: Iterable[Endpoint], seen: set[object]) -> Iterable[Endpoint]:
    """Those not in ``seen``, first mention wins: neither an address nor an interface appears twice."""
    for endpoint in endpoints:
        place = (endpoint.node, endpoint.interface) if endpoint.node else endpoint.address
        if endpoint.address not in seen and place not in seen:
            seen.update((endpoint.address, place))
            yield endpoint


def why_none(vip: VirtualIP, pil: PreferredInterfaceList | None, nodes: Sequence[NodeView]) -> str:
    """For people: why ``vip`` has no candidate, and what to write."""
    address = " and ".join(vip.spec.addresses)
    if not nodes and pil is None:
        return (
            f"nothing says which interfaces are on the LAN of {address}; write a PreferredInterfaceList with their "
            "addresses and name it in spec.preferredInterfaceList, or a VirtualIPNode for each node"
        )
    narrowed = [
        name
        for name, used in (("nodeSelector", not vip.spec.node_selector.empty), ("interfaces", vip.spec.interfaces))
        if used
    ]
    if not nodes:
        what = f"spec.{' and spec.'.join(narrowed)}" if narrowed else "its entries by node or label"
        return (
            f"{what} can only be judged with a VirtualIPNode for each node; write those, or list the interfaces by "
            "address and leave the rest out"
        )
    where = f"PreferredInterfaceList {pil.metadata.name}" if pil and pil.spec.fallback is Fallback.NONE else "any node"
    filters = f" that spec.{' and spec.'.join(narrowed)} let through" if narrowed else ""
    return (
        f"no interface of {where} has {'subnets' if vip.spec.addresses[1:] else 'a subnet'} that "
        f"{'hold' if vip.spec.addresses[1:] else 'holds'} {address}{filters}; give an interface an address of that "
        "subnet, or correct the address, the list or the selectors"
    )
