"""A new plan, or new interfaces: endpoints, paths and guarded addresses of a node."""

from typing import Final

import msgspec

from vipa.election import checks, copies, guests
from vipa.election.actions import Guard
from vipa.election.events import LocalInterface
from vipa.election.health import NEVER
from vipa.election.node import Node
from vipa.election.peers import Path
from vipa.election.states import State
from vipa.election.vip import VipState
from vipa.plan import Plan, PlannedVip
from vipa.reasons import Reason

READ_S: Final = 2.0
"""Peers that read the same change a moment later are no mismatch: reading and planning 2,000 VIPs takes half a second,
and a folder may be copied to the nodes one after the other."""


_STEADY: Final = frozenset({State.IDLE, State.LISTENING, State.SPARE, State.HOLDER})
"""States that a virtual IP keeps under another name; a takeover under way begins anew."""


def take_plan(node: Node, plan: Plan) -> None:
    """What is no longer planned is released; what stays keeps its state, whatever it is called now (rule 13).
    ``configure`` comes next."""
    node.plan = plan
    planned = {vip.id: vip for vip in plan.vips}
    known: dict[int, VipState] = {}
    for state in node.vips.values():
        vip = planned.get(state.id)
        if vip is not None and (vip.name == state.name or state.state in _STEADY):
            known[state.id] = state
        else:
            copies.unplanned(node, state)
            node.transition(state, State.IDLE, Reason.PLAN_REMOVED)
    node.exchanging.clear()  # found again under the names of now, when all are looked at
    node.vips = {vip.name: _follow(node, known.get(vip.id), vip, plan.epoch) for vip in plan.vips}
    for order, vip in enumerate(plan.vips):
        node.vips[vip.name].order = order
    node.silence_min_s = min((v.policy.profile.silence_s for v in plan.vips), default=float("inf"))
    node.permit_min_s = min((v.policy.profile.permit_s for v in plan.vips), default=float("inf"))
    node.measure.judge(node.silence_min_s)
    node.fastest_s = min((v.policy.profile.interval_s for v in plan.vips), default=float("inf"))
    node.by_id = {v.id: v for v in node.vips.values()}
    node.by_address = {a: v for v in node.vips.values() for a in v.plan.addresses}


def _follow(node: Node, state: VipState | None, vip: PlannedVip, epoch: int) -> VipState:
    if state is None:
        state = VipState(vip, epoch, vip.id, vip.digest)
        copies.planned_again(node, state)
        return state
    if vip.policy.paused and state.elected and all(e.address != state.elected for e in vip.succession):
        # nothing moves: the list is followed when the pause is over, and until then the peers say PlanMismatch
        vip = msgspec.structs.replace(vip, succession=state.succession)
    if state.digest != vip.digest or state.epoch != epoch:
        state.mismatch.clear()
        state.compare_at = node.now + READ_S
    state.take(vip, epoch, vip.digest)
    state.local = None
    return state


def configure(node: Node, interfaces: tuple[LocalInterface, ...]) -> None:
    """Plan or interfaces changed: endpoints, paths, guarded addresses; a rebound interface gets the VIPs again."""
    plans: list[PlannedVip] = [v.plan for v in node.vips.values()]
    node.health.configure(node.now, plans, interfaces)
    for vip in node.vips.values():
        vip.local = None
    node.roles_stale = node.rates_stale = True
    node.own_macs = {i.mac for i in interfaces}
    node.peer_addresses = {e.address for p in plans for e in p.succession} - node.health.endpoints.keys()
    _configure_paths(node)
    guests.judge(node)
    checks.judge(node)
    for vip in node.vips.values():
        node.count(vip)
    own = tuple(
        (interface.name, address)
        for interface in interfaces
        for address in interface.addresses
        if address.partition("/")[0] in node.health.endpoints
    )
    behind = ((a, v.plan.bridge) for v in node.vips.values() if v.plan.bridge for a in v.plan.addresses)
    guard = Guard(tuple(sorted(node.by_address)), tuple(sorted(own)), tuple(sorted(behind)))
    identity = tuple((i.name, i.mac, i.link_local) for i in interfaces)
    # Without interfaces nothing is decided: a plan that comes before them, at an agent's start, must not change how the
    # kernel serves what is about to be adopted.
    if interfaces and (guard, identity) != node.guarded:
        node.guarded = (guard, identity)
        node.emit(guard)
        for vip in node.vips.values():
            lingers = vip.copied or vip.unbind_at != NEVER  # a copy that is to go, or an old holder: where it is
            if vip.bound and (node.local(vip) or not lingers):
                node.rebind(vip)
    node.dirty.update(node.vips)


def _configure_paths(node: Node) -> None:
    paths: dict[tuple[str, str], Path] = {}
    for vip in node.vips.values():
        network = node.network(vip)
        for _, local in node.local(vip):
            if local.kernel in (Reason.INTERFACE_MISSING, Reason.ADDRESS_MISSING):
                continue
            for endpoint in vip.succession:
                if endpoint.address not in node.health.endpoints:
                    key = (local.address, endpoint.address)
                    old = node.paths.get(key)
                    same = old is not None and old.interface == local.interface
                    paths[key] = old if old and same else Path(*key, network, local.interface)
    node.paths = paths
