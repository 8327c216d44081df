"""Rule 5: suspect fast, claim safely. Suspicion alone never moves anything.

Silence makes a spare probe the VIP from its best endpoint. Spare number r needs r × probes consecutive unanswered
probes, counted from the last answer. From the first unanswered probe on it says *Claiming* once per gap; hearing
*Claiming* or *Holder* from a better rank resets the count. A claim needs contact newer than the suspicion.
"""

from typing import Final

from vipa.election import checks, holders, ranks
from vipa.election.actions import BeginClaim, Permit, Probe
from vipa.election.health import NEVER, LocalEndpoint
from vipa.election.node import Node
from vipa.election.peers import Peer
from vipa.election.states import State
from vipa.election.vip import Suspicion, VipState
from vipa.heartbeat.model import WireRole
from vipa.reasons import Reason

ANSWERS_QUICK: Final = 8
"""Answered probes at gap rate before backing off: the permit's advertised end can be this many gaps imprecise."""

BACKOFF_S_MAX: Final = 0.5
"""Slowest probing of a VIP that keeps being answered by one of ours: a new claim is at most this late."""

COMMIT_S_MAX: Final = 0.070
"""Longest that another program's large nft commit was seen to hold ours up (01-election "Timing": 52-69 ms)."""

WAIT_S: Final = 1.0
"""Who waits for its turn to be probed is woken for it; this is the longest it waits should that ever be missed."""

REFUSED_S: Final = 1.0
"""Wait after the kernel refused a claim element: what is wrong there seldom mends itself sooner, and each is logged."""

CONFLICT_BACKOFF_S: Final = (1.0, 30.0)
"""First and longest wait before a VIP answered by a foreign MAC is probed again (rule 10; RFC 5227 §2.1.1 waits
longer, but only after ten conflicts)."""


def suspect(node: Node, vip: VipState) -> None:
    """SPARE (or YIELDING) has been silent long enough: start probing, when there is an endpoint to serve on. A spare
    waits for its turn first, which costs nothing."""
    best = node.best_local(vip)
    barred = not holders.claimable(node, vip) or node.stopping_since is not None or node.isolated(vip)
    if barred or best is None or node.now < not_before(vip):
        node.rest(vip)
        return
    if vip.state is State.SPARE:
        vip.behind = ranks.turn_of_another(node, vip, best[0])
        if vip.behind is not None:
            vip.turn_at = node.now + vip.behind.patience_s / 2
            node.rest(vip)
            return
        if not node.crowd.may_probe(vip.name, node.measure.probing):
            vip.turn_at = node.now + WAIT_S
            return
    vip.offer = None
    vip.suspicion = Suspicion(node.now, node.now)
    node.transition(vip, State.SUSPECTING, Reason.HOLDER_SILENT)


def not_before(vip: VipState) -> float:
    """Earliest time of the next suspicion: after a foreign owner's backoff, and after a refusal of the kernel."""
    return max(vip.conflict_at + vip.conflict_backoff_s, vip.refused_at + REFUSED_S)


def advance(node: Node, vip: VipState) -> None:
    """One wake of a suspecting spare."""
    suspicion = vip.suspicion
    assert suspicion is not None
    best = node.best_local(vip)
    if node.now < holders.silent_at(node, vip) or best is None or node.isolated(vip) or node.stopping_since is not None:
        give_up(node, vip, Reason.LOWER_IN_LIST if best else Reason.NO_HEALTHY_ENDPOINT)
        return
    if node.draining or node.now < suspicion.next_at:
        return
    mine, endpoint = best
    if (behind := ranks.turn_of_another(node, vip, mine)) is not None:
        suspicion.unanswered = suspicion.sent = 0
        suspicion.next_at = node.now + behind.patience_s / 2
        node.rest(vip)
        return
    if not node.crowd.may_probe(vip.name, node.measure.probing):
        suspicion.next_at = node.now + WAIT_S
        return
    if suspicion.via != endpoint.address:
        suspicion.via, suspicion.unanswered, suspicion.sent = endpoint.address, 0, 0
    if suspicion.sent:
        suspicion.unanswered += 1
        node.urgent = True
    if suspicion.unanswered >= vip.profile.probes and suspicion.unanswered >= ranks.needed(node, vip, mine):
        if not _contact(node, vip, endpoint):
            vip.reason = Reason.NO_CONTACT
        elif len(node.crowd.claiming) < node.measure.claims(claim_element_s(vip)):
            _begin(node, vip, Reason.HOLDER_SILENT)
            return
        elif node.now - suspicion.probed_at < vip.profile.probes * vip.profile.gap_s:
            suspicion.next_at = node.now + vip.profile.gap_s / 2  # the next to be claimed: no need to ask again yet
            return
    _probe(node, vip, endpoint)
    suspicion.sent += 1
    suspicion.probed_at, suspicion.next_at = node.now, node.now + vip.profile.gap_s


def _contact(node: Node, vip: VipState, endpoint: LocalEndpoint) -> bool:
    """Two-way contact newer than the suspicion: the deaf must not claim. The only node has nobody to wrong."""
    assert vip.suspicion is not None
    return endpoint.contact_at > vip.suspicion.since or node.alone(vip)


def _probe(node: Node, vip: VipState, endpoint: LocalEndpoint) -> None:
    """Broadcast, and unicast to the last holder's MACs; with each probe ask for contact."""
    macs = [""]
    holder = node.peers.get(vip.holder)
    if holder is not None:
        macs += sorted({p.mac for p in node.paths.values() if p.mac and p.theirs in holder.endpoints})
    for address in vip.plan.addresses:
        for mac in macs:
            node.emit(Probe(endpoint.interface, address, endpoint.sender_to(address), mac))
    assert vip.suspicion is not None
    asked_s = node.now - node.asked_at.get(endpoint.address, NEVER)
    if endpoint.contact_at <= vip.suspicion.since and asked_s >= vip.profile.gap_s / 2:
        node.asked_at[endpoint.address] = node.now  # for all virtual IPs that are probed now
        for target in (*endpoint.asked, *endpoint.stations):
            node.emit(Probe(endpoint.interface, target, endpoint.address))


def answered(node: Node, vip: VipState, mac: str) -> None:
    """A probe was answered by ``mac``."""
    suspicion = vip.suspicion
    if suspicion is None:
        return
    if not node.config.count_from_suspicion:
        suspicion.unanswered = 0
    if mac not in node.our_macs and mac not in node.own_macs:
        _conflict(node, vip, mac)
        return
    suspicion.answers += 1
    holder = node.peers.get(vip.holder)
    permit_until = holder.permit_until if holder else NEVER
    if node.config.count_from_suspicion:
        return
    if permit_until > node.now:
        # a frozen or killed holder: its kernel answers until the permit ends
        suspicion.next_at = permit_until
        suspicion.sent = 0
        node.rest(vip)
    else:
        doublings = min(max(suspicion.answers - ANSWERS_QUICK, 0), 10)
        suspicion.next_at = node.now + min(vip.profile.gap_s * 2**doublings, BACKOFF_S_MAX)
        suspicion.sent = 0
        node.rest(vip)
    vip.reason = Reason.HOLDER_ANSWERS


def _conflict(node: Node, vip: VipState, mac: str) -> None:
    first_s, most_s = CONFLICT_BACKOFF_S
    vip.conflict_backoff_s = min(max(vip.conflict_backoff_s * 2, first_s), most_s)
    vip.conflict_at = vip.rival_at = node.now
    vip.rival = mac
    if vip.conflict != mac:
        vip.conflict = mac
        node.note(Reason.CONFLICT, vip.name, mac)
    give_up(node, vip, Reason.CONFLICT)


def came_to_nothing(node: Node, vip: VipState, peer: Peer) -> None:
    """A claim that was waited for ended without a holder."""
    if vip.suspicion is not None and vip.suspicion.waits_for == peer.node:
        vip.suspicion.waits_for = ""
        vip.suspicion.next_at = min(vip.suspicion.next_at, node.now + vip.profile.gap_s)


def let_go(node: Node, vip: VipState, peer: Peer) -> None:
    """The last holder says that it serves no more: what was waited for of it will not come, be it the end of its permit
    or its *go*."""
    if vip.state is State.RECEIVING and vip.offer is not None and vip.offer.peer == peer.node:
        give_up(node, vip, Reason.LOWER_IN_LIST)
    elif vip.suspicion is not None and vip.holder == peer.node:
        vip.suspicion.next_at = min(vip.suspicion.next_at, node.now)


def overtaken(node: Node, vip: VipState, peer: Peer, peer_rank: int, role: WireRole) -> None:
    """*Claiming* or *Holder* was heard: a better rank resets the count. So does any rank whose claim element is set:
    its permit may come a whole element later, when the kernel is slow to commit."""
    best = node.best_local(vip) if vip.suspicion is not None else None
    if vip.suspicion is None or best is None:
        return
    permitting = role is WireRole.PERMITTING and vip.state is State.SUSPECTING
    if permitting or role is WireRole.HOLDER or peer_rank < checks.place(vip, best[0]):
        vip.suspicion.unanswered = 0
        vip.suspicion.sent = 0
        wait_s = claim_element_s(vip) + COMMIT_S_MAX if permitting else 0.0
        vip.suspicion.waits_for = peer.node if permitting else ""
        vip.suspicion.next_at = node.now + wait_s + vip.profile.gap_s
        node.rest(vip)


def give_up(node: Node, vip: VipState, reason: Reason) -> None:
    """Back to SPARE without having claimed. A linger goes on to its end."""
    if vip.offer is not None and vip.offer.tries:
        vip.refused_at, reason = node.now, Reason.KERNEL_REFUSED
    vip.suspicion = vip.offer = None
    node.part(vip)
    node.transition(vip, State.SPARE, reason)


def claim_element_s(vip: VipState) -> float:
    """Life of the timed claim element. The next rank claims two probe rounds after the last *Claiming* it heard, so the
    element must end within one; Fast gets a floor, else a slow commit would always void the claim."""
    return min(max(vip.profile.probes * vip.profile.gap_s, 0.020), 0.100)


def _begin(node: Node, vip: VipState, reason: Reason) -> None:
    node.transition(vip, State.CLAIMING, reason)
    node.bind(vip)
    # after the beats that say so: a slow commit must not keep the news from the others
    node.claims.append(BeginClaim(vip.name, vip.plan.addresses, claim_element_s(vip)))


def begin_received(node: Node, vip: VipState) -> None:
    """*Go* was heard: permit by the same guarded steps, without probing (rule 4)."""
    _begin(node, vip, Reason.HANDED_OVER)


def ready(node: Node, vip: VipState, ok: bool) -> None:
    """``ClaimReady``: sockets were drained. Re-check everything, then ask for the permit."""
    if vip.state is not State.CLAIMING:
        return
    best = node.best_local(vip)
    handed_over = vip.reason is Reason.HANDED_OVER
    suspicion = vip.suspicion
    still = handed_over or (
        suspicion is not None
        and best is not None
        and suspicion.unanswered >= ranks.needed(node, vip, best[0])
        and node.now >= holders.silent_at(node, vip)
    )
    if not ok:
        vip.refused_at = node.now
    if not ok or best is None or not still or node.stopping_since is not None:
        give_up(node, vip, Reason.LOWER_IN_LIST if ok else Reason.KERNEL_REFUSED)
        return
    interface = best[1].interface
    vip.permitting = True
    node.emit(Permit(vip.name, vip.plan.addresses, interface, node.permit_s(vip, interface)))
