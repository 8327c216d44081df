"""The planner that follows a world changing little by little: only what a change can touch is planned again.

The answer never depends on the way that led to it: it is the same as that of a planner which is told all at once.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from vipa.plan import HealthCheck, PlannedVip, Policy, Refusal
from vipa.planner.candidates import Candidates, why_none
from vipa.planner.conflicts import Addresses, listed_by
from vipa.planner.lans import Lans, edge_of
from vipa.planner.world import NodeView, World
from vipa.reasons import Reason
from vipa.resources.addresses import parse_address
from vipa.resources.durations import parse_duration_s
from vipa.resources.healthcheck import planned_check
from vipa.resources.interfacelist import PreferredInterfaceList
from vipa.resources.validate import Resource, validate
from vipa.resources.virtualip import Binding, VirtualIP

Answer = PlannedVip | Refusal
Kept = TypeVar("Kept", VirtualIP, PreferredInterfaceList)


class Planner:
    """``answers``: VIP name → its succession, or why it has none. Lists and objects that could not be read only have
    :meth:`refusals`."""

    def __init__(self, *, strangers: bool = True) -> None:
        """``strangers``: addresses in lists that no node declares may be interfaces of nodes that this planner is not
        told of. True for a folder of manifests; false where every node has an object."""
        self._strangers = strangers
        self.answers: dict[str, Answer] = {}
        self._refused: tuple[Refusal, ...] = ()
        self._unsound: dict[tuple[str, str], Refusal] = {}
        self._vips: dict[str, VirtualIP] = {}
        self._lists: dict[str, PreferredInterfaceList] = {}
        self._users: dict[str, set[str]] = {}
        self._nodes: Sequence[NodeView] = ()
        self._lans = Lans(World())
        self._addresses = Addresses()
        self._disputes: dict[str, Refusal] = {}
        self._virtual: set[str] = set()
        self._candidates = Candidates(self._lans, self._virtual, self._strangers)

    def update(
        self,
        *,
        vips: Mapping[str, VirtualIP | None] | None = None,
        lists: Mapping[str, PreferredInterfaceList | None] | None = None,
        nodes: Sequence[NodeView] | None = None,
        refused: Sequence[Refusal] | None = None,
    ) -> frozenset[str]:
        """Take changes: objects by name, None for those gone; ``nodes`` and ``refused`` replace all there were. Returns
        the names of the VIPs whose answer was worked out again or went away."""
        vips = vips or {}
        dirty = set(vips)
        freed = {a for name in vips if name in self._vips for a in self._vips[name].spec.addresses}
        if lists or refused is not None:
            dirty |= self._take_lists(lists or {}, self._refused if refused is None else tuple(refused))
        for name, vip in vips.items():
            dirty |= self._take_vip(name, vip)
        if nodes is not None:
            self._nodes = nodes
            self._lans = Lans(World(nodes=tuple(nodes)))
            self._candidates = Candidates(self._lans, self._virtual, self._strangers)
            dirty |= self._vips.keys()
        dirty |= self._settle_disputes(dirty, freed)
        for name in dirty:
            self._answer(name)
        return frozenset(dirty)

    def refusals(self) -> tuple[Refusal, ...]:
        """Every object not accepted, in a fixed order."""
        found = [*self._refused, *self._unsound.values()]
        found += [a for n, a in self.answers.items() if isinstance(a, Refusal) and n in self._vips]
        return tuple(sorted(found, key=lambda r: (r.kind, r.name, r.reason, r.message)))

    def refusal_of_list(self, name: str) -> Refusal | None:
        """Why the list of this name is not accepted, or None."""
        unread = (r for r in self._refused if (r.kind, r.name) == ("PreferredInterfaceList", name))
        return self._unsound.get(("PreferredInterfaceList", name)) or next(unread, None)

    def serves(self, address: str) -> bool:
        """Whether some VIP may have ``address`` undisputed."""
        return address in self._virtual

    # --- taking changes: each returns the VIPs it can touch

    def _take_lists(self, lists: Mapping[str, PreferredInterfaceList | None], refused: tuple[Refusal, ...]) -> set[str]:
        known = set(self._lists)
        changed = set(lists) | {r.name for r in set(refused) ^ set(self._refused) if r.kind == "PreferredInterfaceList"}
        self._refused = refused
        addresses: set[str] = set()
        for name, pil in lists.items():
            before, after = self._replace(self._lists, name, pil)
            addresses |= (listed_by(before) if before else frozenset()) | (listed_by(after) if after else frozenset())
            self._candidates.forget(name)
        dirty = {vip for name in changed for vip in self._users.get(name, ())}
        dirty |= {vip for address in addresses for vip in self._addresses.claimants(address)}
        if known != set(self._lists):  # whoever misses a list is told which there are
            dirty |= {
                n for n, a in self.answers.items() if isinstance(a, Refusal) and a.reason is Reason.LIST_NOT_FOUND
            }
        return dirty

    def _take_vip(self, name: str, vip: VirtualIP | None) -> set[str]:
        before, after = self._replace(self._vips, name, vip)
        if before is not None:
            self._users[before.spec.preferred_interface_list].discard(name)
        if after is not None:
            self._users.setdefault(after.spec.preferred_interface_list, set()).add(name)
        addresses = {a for v in (before, after) if v is not None for a in v.spec.addresses}
        return {rival for address in addresses for rival in self._addresses.claimants(address)}

    def _replace(self, known: dict[str, Kept], name: str, obj: Kept | None) -> tuple[Kept | None, Kept | None]:
        """Keeps ``obj`` when it is valid by itself, its refusal when not. Returns what was valid before and is now."""
        kind = VirtualIP if known is self._vips else PreferredInterfaceList
        before = known.pop(name, None)
        if before is not None:
            self._addresses.remove(before)
        self._unsound.pop((kind.__name__, name), None)
        if obj is None:
            return before, None
        if refusal := refusal_of(obj):
            self._unsound[kind.__name__, name] = refusal
            return before, None
        known[name] = obj
        self._addresses.add(obj)
        return before, obj

    def _settle_disputes(self, dirty: set[str], freed: set[str]) -> set[str]:
        """Judge the addresses of ``dirty`` VIPs; ``freed`` are those that some of them had before. Returns the users of
        lists that name an address which became virtual or no longer is. Only addresses that are served count as
        virtual: a refused VIP must not cost another one its endpoint."""
        flipped: set[str] = set()
        for name in dirty:
            self._disputes.pop(name, None)
            vip = self._vips.get(name)
            if vip is not None and (dispute := self._addresses.dispute(vip, self._lans)):
                self._disputes[name] = dispute
        for address in freed.union(*(self._vips[n].spec.addresses for n in dirty if n in self._vips)):
            served = any(name not in self._disputes for name in self._addresses.claimants(address))
            if served != (address in self._virtual):
                (self._virtual.add if served else self._virtual.discard)(address)
                flipped.add(address)
        lists = {pil for address in flipped for pil in self._addresses.lists(address)}
        for pil in lists:
            self._candidates.forget(pil)
        return {vip for pil in lists for vip in self._users.get(pil, ())}

    # --- the answer of one VIP

    def _answer(self, name: str) -> None:
        vip, unsound = self._vips.get(name), self._unsound.get(("VirtualIP", name))
        if vip is not None:
            self.answers[name] = self._disputes.get(name) or self._plan_one(vip)
        elif unsound is not None:
            self.answers[name] = unsound
        else:
            self.answers.pop(name, None)

    def _plan_one(self, vip: VirtualIP) -> Answer:
        wanted = vip.spec.preferred_interface_list
        pil = self._lists.get(wanted)
        if wanted and pil is None:
            return self._without_list(vip, wanted)
        parsed = sorted((parse_address(text) for text in vip.spec.addresses), key=lambda a: a.version)
        # An endpoint has one address, of the first one's family; its interface must be on the LANs of both.
        lans = [self._lans.of(address) for address in parsed]
        for address, lan in zip(parsed, lans, strict=True):
            if edge := edge_of(address, lan):
                return _refuse(vip, Reason.INVALID, f"{edge}; choose a host's address")
        planned = PlannedVip(vip.metadata.name, tuple(str(a) for a in parsed), ())
        succession = self._candidates.succession(vip, planned.id, lans, pil)
        if not succession:
            return _refuse(vip, Reason.NO_CANDIDATES, why_none(vip, pil, self._nodes))
        return with_spec(msgspec.structs.replace(planned, succession=tuple(succession)), vip)

    def _without_list(self, vip: VirtualIP, wanted: str) -> Refusal:
        if bad := self.refusal_of_list(wanted):
            message = f"its PreferredInterfaceList {wanted} is refused: {bad.message}"
            return _refuse(vip, bad.reason, message)
        known = f"; there are {', '.join(sorted(self._lists)[:8])}" if self._lists else "; there is none at all"
        message = f"there is no PreferredInterfaceList {wanted}{known}; write it, or correct the name"
        return _refuse(vip, Reason.LIST_NOT_FOUND, message)


def policy_of(vip: VirtualIP) -> Policy:
    """How ``vip``, which is valid, moves."""
    spec = vip.spec
    return Policy(
        timing=spec.timing,
        failback=spec.failback.policy,
        failback_delay_s=parse_duration_s(spec.failback.delay),
        probe_targets=spec.probe_targets,
        paused=spec.paused,
    )


def checks_of(vip: VirtualIP) -> tuple[HealthCheck, ...]:
    """What ``vip``, which is valid, wants each node to ask itself; nothing twice."""
    return tuple(dict.fromkeys(map(planned_check, vip.spec.health_checks)))


def with_spec(planned: PlannedVip, vip: VirtualIP) -> PlannedVip:
    """``planned`` with all that ``vip``, which is valid, says of itself besides addresses and candidates."""
    return msgspec.structs.replace(
        planned,
        policy=policy_of(vip),
        checks=checks_of(vip),
        everywhere=vip.spec.binding is Binding.EVERY_CANDIDATE,
        bridge=vip.spec.attachment.bridge,
    )


def refusal_of(obj: Resource) -> Refusal | None:
    """The refusal of an object that is not valid by itself, with all its problems; else None."""
    problems = validate(obj)
    if not problems:
        return None
    message = "; ".join(str(p) for p in problems)
    return Refusal(obj.kind, obj.metadata.name, problems[0].reason, message)


def _refuse(vip: VirtualIP, reason: Reason, message: str) -> Refusal:
    return Refusal(vip.kind, vip.metadata.name, reason, message)
