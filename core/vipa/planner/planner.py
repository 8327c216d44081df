"""The planner: a world in, a plan out. Pure, and independent of the order of its input: two planners agree."""

from collections.abc import Mapping

from vipa.plan import Plan, PlannedVip, Policy, Refusal
from vipa.planner.candidates import Candidates, why_none
from vipa.planner.conflicts import Addresses
from vipa.planner.lans import Lans, edge_of
from vipa.planner.world import World
from vipa.reasons import Reason
from vipa.resources.addresses import parse_address
from vipa.resources.durations import parse_duration_s
from vipa.resources.interfacelist import PreferredInterfaceList
from vipa.resources.validate import Resource, validate
from vipa.resources.virtualip import VirtualIP


def plan(world: World) -> Plan:
    """All successions of ``world`` by rule 1, sorted by name, and a refusal for every object not accepted.

    Each VIP is judged alone: a refused one changes nothing for the others. Health never enters. Never raises on
    typed input.
    """
    return _Planner(world).plan()


class _Planner:
    def __init__(self, world: World) -> None:
        self._world = world
        self._refusals: list[Refusal] = list(world.refused)
        self._bad_lists = {r.name: r for r in world.refused if r.kind == "PreferredInterfaceList"}
        self._lists = self._sound_lists()
        self._vips = [v for v in world.vips if not self._refuse_unsound(v)]
        lans = Lans(world)
        self._lans = lans
        addresses = Addresses(self._vips, self._lists.values(), lans)
        self._disputes = {v.metadata.name: addresses.dispute(v) for v in self._vips}
        # Only addresses that are served count as virtual: a refused VIP must not cost another one its endpoint.
        served = (v for v in self._vips if self._disputes[v.metadata.name] is None)
        self._candidates = Candidates(lans, (a for v in served for a in v.spec.addresses))

    def plan(self) -> Plan:
        vips = []
        for vip in sorted(self._vips, key=lambda v: v.metadata.name):
            planned = self._disputes[vip.metadata.name] or self._plan_one(vip)
            if isinstance(planned, Refusal):
                self._refusals.append(planned)
            else:
                vips.append(planned)
        refusals = sorted(self._refusals, key=lambda r: (r.kind, r.name, r.reason, r.message))
        return Plan(self._world.epoch, tuple(vips), tuple(refusals))

    def _sound_lists(self) -> Mapping[str, PreferredInterfaceList]:
        sound = {}
        for pil in self._world.lists:
            if refusal := self._refuse_unsound(pil):
                self._bad_lists[pil.metadata.name] = refusal
            else:
                sound[pil.metadata.name] = pil
        return sound

    def _refuse_unsound(self, obj: VirtualIP | PreferredInterfaceList) -> Refusal | None:
        refusal = refusal_of(obj)
        if refusal:
            self._refusals.append(refusal)
        return refusal

    def _plan_one(self, vip: VirtualIP) -> PlannedVip | Refusal:
        wanted = vip.spec.preferred_interface_list
        pil = self._lists.get(wanted)
        if wanted and pil is None:
            return self._without_list(vip, wanted)
        parsed = sorted((parse_address(text) for text in vip.spec.addresses), key=lambda a: a.version)
        # The first address decides the LAN: an endpoint has one address, that of the same family.
        lan = self._lans.of(parsed[0])
        if edge := edge_of(parsed[0], lan):
            return _refuse(vip, Reason.INVALID, f"{edge}; choose a host's address")
        planned = PlannedVip(vip.metadata.name, tuple(str(a) for a in parsed), (), policy_of(vip))
        succession = self._candidates.succession(vip, planned.id, lan, pil)
        if not succession:
            return _refuse(vip, Reason.NO_CANDIDATES, why_none(vip, pil, self._world.nodes))
        return PlannedVip(planned.name, planned.addresses, tuple(succession), planned.policy)

    def _without_list(self, vip: VirtualIP, wanted: str) -> Refusal:
        if bad := self._bad_lists.get(wanted):
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


def refusal_of(obj: Resource) -> Refusal | None:
    """The refusal of an object that is not valid by itself, with all its problems; else None."""
    problems = validate(obj)
    if not problems:
        return None
    message = "; ".join(str(p) for p in problems)
    return Refusal(obj.kind, obj.metadata.name, problems[0].reason, message)


def _refuse(vip: VirtualIP, reason: Reason, message: str) -> Refusal:
    return Refusal(vip.kind, vip.metadata.name, reason, message)
