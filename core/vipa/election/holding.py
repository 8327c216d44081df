"""The holder: rules 3 (in-node move), 6 (permit), 7 (duel), 9 (failback) and 11 (announcing)."""

from vipa.election import announcing, checks, failback
from vipa.election.actions import Announce, Move, Revoke, Transition
from vipa.election.duel import UNRANKED, Duelist, wins
from vipa.election.events import Permitted
from vipa.election.handover import comes, offer, permit_refused, why_received
from vipa.election.health import NEVER
from vipa.election.node import Node
from vipa.election.peers import Peer
from vipa.election.states import State
from vipa.election.vip import Verdict, VipState
from vipa.heartbeat.model import Relay, WireRole
from vipa.reasons import Reason


def permitted(node: Node, vip: VipState, event: Permitted) -> None:
    """The kernel's answer to ``Permit`` or ``Move``."""
    if vip.state not in (State.CLAIMING, State.HOLDER):
        if event.ok:  # given up while the kernel was at it
            node.emit(Revoke(vip.name, vip.plan.addresses, event.interface))
        return
    vip.permitting = False
    if not event.ok:
        node.note(Reason.CLAIM_EXPIRED, vip.name, event.interface)
        if node.stays(vip):
            node.rebind(vip)  # a copy that could not be bound everywhere has no other occasion
        if vip.state is State.CLAIMING and vip.offer is not None:
            permit_refused(node, vip)
            return
        node.listen(vip, Reason.CLAIM_EXPIRED if vip.state is State.CLAIMING else Reason.PERMIT_LAPSED)
        return
    if event.until is not None:
        node.permits.until[event.interface] = event.until
    moved_in_node = vip.state is State.HOLDER
    best = next((e for _, e in node.local(vip) if e.interface == event.interface), None)
    old = vip.interface
    node.elect(vip, event.interface, best.address if best else "")
    start_announcing(node, vip)
    if moved_in_node:
        back = vip.reason in (Reason.BETTER_ENDPOINT_BACK, Reason.INTERFACE_RENAMED)
        node.emit(Transition(vip.name, State.HOLDER, State.HOLDER, vip.interface, vip.reason, vip.term))
        vip.since = node.now
        node.transition(vip, State.HOLDER, vip.reason)
        node.note(vip.reason, vip.name, f"{old} -> {event.interface}")
        if not back:
            _displaced(node, vip)
        return
    became_holder(node, vip, why_received(node, vip), max(vip.term, vip.term_seen) + 1)


def became_holder(node: Node, vip: VipState, reason: Reason, term: int) -> None:
    """HOLDER from now on, elected endpoint and permit already set."""
    vip.term = vip.term_seen = term
    vip.suspicion = vip.offer = None
    vip.unfit_since = None
    vip.linger_until = NEVER
    vip.conflict, vip.conflict_backoff_s, vip.rival_at = "", 0.0, NEVER
    vip.holder, vip.holder_seen_at = "", NEVER
    node.transition(vip, State.HOLDER, reason)
    start_announcing(node, vip)


def start_announcing(node: Node, vip: VipState) -> None:
    """From now on, by the schedule of rule 11."""
    vip.announced = 0
    vip.announce_from = node.now
    vip.announce_turn = NEVER
    node.dirty.add(vip.name)


def advance(node: Node, vip: VipState) -> None:
    """One wake of a holder."""
    if _lost_duel(node, vip):
        return
    if not node.alone(vip) and node.isolated(vip):
        node.listen(vip, Reason.ISOLATED)
        return
    elected = node.health.endpoints.get(vip.elected)
    if elected is None or not node.usable(vip, elected):
        _leave(node, vip)
        if not vip.elected:
            return
    elif elected.interface != vip.interface:
        vip.reason = Reason.INTERFACE_RENAMED  # the gate goes by names: it would not answer on the new one
        _move(node, vip, elected.interface)
    else:
        vip.unfit_since = None
        if node.stopping_since is None and not vip.plan.policy.paused and not _leave_to_healthy(node, vip):
            _consider_failback(node, vip)
    if vip.elected and node.now >= announce_at(vip):
        if vip.announce_turn == NEVER:
            vip.announce_turn = node.announcing.turn(node.now)
        if node.now >= vip.announce_turn:
            node.emit(Announce(vip.name, vip.plan.addresses, vip.interface))
            vip.announced += 1
            vip.announce_turn = NEVER
            if vip.announced == 1:  # repeated when those are served that wait to be taken over
                vip.announce_from += announcing.PUT_OFF_S * node.crowd.waiting


def announce_at(vip: VipState) -> float:
    """When to announce next."""
    return max(announcing.next_at(vip.announce_from, vip.announced, (vip.id & 0xFF) / 256), vip.announce_turn)


def _leave(node: Node, vip: VipState) -> None:
    """The elected endpoint failed, or the guest is gone: move to the own spare at once, or revoke after one silence
    without any."""
    best = node.best_local(vip)
    if best is not None and not vip.plan.policy.paused:
        vip.reason = Reason.ENDPOINT_FAILED
        _move(node, vip, best[1].interface)
        return
    if best is not None or (node.alone(vip) and not vip.absent):
        vip.unfit_since = None
        return
    if vip.unfit_since is None:
        vip.unfit_since = node.now
    if node.now >= vip.unfit_since + unfit_s(node, vip):
        node.listen(vip, vip.guest if vip.absent and vip.guest else Reason.NO_HEALTHY_ENDPOINT)


def unfit_s(node: Node, vip: VipState) -> float:
    """How long a holder without a healthy endpoint still holds: one silence (rule 2). Half of it without a link: it
    serves nobody, and the link may return just when others claim; by then the revoke, be it slow, is to be done."""
    elected = node.health.endpoints.get(vip.elected)
    linked = elected is not None and elected.kernel is Reason.HEALTHY
    return vip.profile.silence_s if linked else vip.profile.silence_s / 2


def _move(node: Node, vip: VipState, interface: str) -> None:
    permit_s = node.permit_s(vip, interface)
    node.emit(Move(vip.name, vip.plan.addresses, vip.interface, interface, permit_s))


def _displaced(node: Node, vip: VipState) -> None:
    """Rule 3: after moving away to the own spare, hand over at once when another node's endpoint is better."""
    remote = node.best_remote(vip)
    mine = vip.rank(vip.elected)
    if remote is None or mine is None:
        return
    if remote[0] < min(checks.place(vip, mine), checks.FAILING):
        offer(node, vip, remote[2], at_once=True)


def _leave_to_healthy(node: Node, vip: VipState) -> bool:
    """Health checks fail here: hand over to the best node on which none does; without one the holder stays. Returns
    whether that is under way."""
    if vip.verdict is not Verdict.FAILING:
        return False
    remote = node.best_remote(vip)
    if remote is not None and remote[0] < checks.FAILING:
        offer(node, vip, remote[2])
    return vip.offer is not None


def _consider_failback(node: Node, vip: VipState) -> None:
    """Back to a better endpoint, by rule 9 only."""
    mine = vip.rank(vip.elected)
    if mine is None:
        mine = len(vip.succession)
    for endpoint in vip.succession[:mine]:
        on_its_way = False
        local = node.health.endpoints.get(endpoint.address)
        if local is not None:
            if not node.usable(vip, local):
                continue
            wait_s = failback.wait_s(vip.plan.policy, local.flaps, node.now - local.healthy_since)
            if wait_s <= 0:
                vip.reason = Reason.BETTER_ENDPOINT_BACK
                _move(node, vip, local.interface)
                return
        else:
            peer = node.peer_by_address.get(endpoint.address)
            healthy_for_s = peer.healthy_for_s(node.now, endpoint.address) if peer else None
            if peer is None or healthy_for_s is None or not peer.two_way(node.now) or checks.fails(peer, vip):
                continue
            flaps = peer.endpoints[endpoint.address].flaps
            fit_for_s, flaps = checks.merits(peer, vip, node.now, healthy_for_s, flaps)
            wait_s = failback.wait_s(vip.plan.policy, flaps, fit_for_s)
            if wait_s <= 0:
                offer(node, vip, peer)
                wait_s = max(vip.offer_after - node.now, vip.offer_turn - node.now, 0.0)
                on_its_way = comes(node, vip, peer)
        if 0 < wait_s < float("inf"):
            vip.recheck_at = node.now + wait_s if vip.recheck_at == NEVER else min(vip.recheck_at, node.now + wait_s)
        if on_its_way:
            return


def _lost_duel(node: Node, vip: VipState) -> bool:
    """Compare with every other Holder heard; the loser revokes first, the winner announces again (rule 7)."""
    for peer in node.peers.values():
        heard = peer.roles.get(vip.id)
        if heard is None or heard.entry.role is not WireRole.HOLDER or peer.heard_at <= vip.since:
            continue  # said before this node became Holder: the very silence that made it claim
        if not peer.alive(node.now):
            continue
        fit = not peer.isolated and any(s.healthy for s in peer.endpoints.values())
        if _meet(node, vip, Duelist(fit, _epoch(vip, peer, peer.epoch), heard.entry.rank, peer.node)):
            return True
    return False


def relayed(node: Node, vip: VipState, relay: Relay) -> None:
    """Another node tells of a holder that this one does not hear: duel on the news."""
    peer = next((p for p in node.peers.values() if p.id == relay.holder), None)
    holder = peer.node if peer else f"{relay.holder:016x}"
    if relay.holder != node.id and node.now - relay.age_s > vip.since:
        _meet(node, vip, Duelist(not relay.isolated, _epoch(vip, peer, relay.epoch), relay.rank, holder))


def _epoch(vip: VipState, peer: Peer | None, epoch: int) -> int:
    """The epoch of ``peer`` as far as ``vip`` is concerned: where both work from the same plan of it, changes of other
    VIPs that only one of them has to know of must not decide."""
    heard = peer.roles.get(vip.id) if peer else None
    return vip.epoch if heard is not None and heard.entry.plan == vip.digest else epoch


def duelist(node: Node, vip: VipState) -> Duelist:
    """This node as a side of a duel."""
    elected = node.health.endpoints.get(vip.elected)
    fit = elected is not None and node.usable(vip, elected) and not node.isolated(vip)
    rank = vip.rank(vip.elected) if vip.elected else None
    return Duelist(fit, vip.epoch, UNRANKED if rank is None else checks.place(vip, rank), node.config.node)


def _meet(node: Node, vip: VipState, theirs: Duelist) -> bool:
    if wins(duelist(node, vip), theirs):
        if node.now - vip.defended_at >= vip.profile.gap_s:
            vip.defended_at = node.now
            start_announcing(node, vip)
            node.urgent = True
        return False
    node.release(vip)
    vip.offer = None
    vip.holder, vip.holder_seen_at = theirs.node, node.now
    node.transition(vip, State.SPARE, Reason.LOST_DUEL)
    return True
