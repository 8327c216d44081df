"""One node's election state, and the small questions all rules ask of it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from vipa.election import checks, rates
from vipa.election.actions import Action, Bind, Guard, Notice, Renew, Revoke, Transition, Unbind
from vipa.election.announcing import BURST, VIPS_PER_S, Pacer
from vipa.election.config import Config
from vipa.election.crowd import OFFERS_PER_S, Crowd, Measure
from vipa.election.events import ChecksChanged, GuestsChanged
from vipa.election.health import NEVER, Health, LocalEndpoint
from vipa.election.pace import Pace
from vipa.election.peers import Path, Peer, Sent, node_id
from vipa.election.permits import Permits
from vipa.election.states import State
from vipa.election.vip import VipState
from vipa.heartbeat.model import WireRole
from vipa.plan import Plan
from vipa.reasons import Reason

if TYPE_CHECKING:
    from vipa.election.copies import Leaving

TOLD: Final = frozenset({WireRole.CLAIMING, WireRole.PERMITTING, WireRole.HOLDER})
"""Roles whose bearer must know of a holder it may not hear."""

_UNDER_WAY: Final = frozenset({State.SUSPECTING, State.CLAIMING, State.RECEIVING, State.YIELDING})


class Node:
    """State shared by the rules. ``now`` and ``out`` belong to the step under way."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.id = node_id(config.node)
        self.now = self.frozen_until = NEVER
        self.out: list[Action] = []
        self.plan = Plan()
        self.health = Health()
        self.checked = ChecksChanged()
        """What the health checks said last."""
        self.guests = GuestsChanged()
        """What was said last of the guests behind bridges."""
        self.vips: dict[str, VipState] = {}
        self.by_id: dict[int, VipState] = {}
        self.by_address: dict[str, VipState] = {}
        self.peers: dict[str, Peer] = {}
        self.peer_by_address: dict[str, Peer] = {}
        self.paths: dict[tuple[str, str], Path] = {}
        self.sent = Sent()
        self.seq = 0
        self.permits = Permits()
        self.pace = Pace()
        self.own_macs: set[str] = set()
        self.our_macs: dict[str, str] = {}
        self.stopping_since: float | None = None
        self.guarded: tuple[Guard, tuple[tuple[str, str, str], ...]] | None = None
        """What the kernel layer was last told to guard, and the names, MACs and link-local addresses it was for."""
        self.peer_addresses: set[str] = set()
        self.claims: list[Action] = []
        self.announcing = Pacer(VIPS_PER_S, BURST)
        self.offers = Pacer(OFFERS_PER_S, 1)
        self.asked_at: dict[str, float] = {}
        """Own address → when contact was last asked for beside a probe."""
        self.draining = self.urgent = self.stopped = False
        self.roles_stale = True
        """Every role is to be told anew; ``role_changes``: those of these names."""
        self.role_changes: set[str] = set()
        self.rates_stale = True
        """All rates may have changed; ``rate_changes``: they may have to rise for these names."""
        self.rate_changes: set[str] = set()
        self.silence_min_s = float("inf")
        """Shortest silence of any VIP of the plan."""
        self.permit_min_s = float("inf")
        """And the shortest permit."""
        self.fastest_s = float("inf")
        """Shortest interval that any VIP of the plan can ask for."""
        self.dirty: set[str] = set()
        """Names to be looked at in this step."""
        self.exchanging: set[str] = set()
        """Names with an offer under way, in either direction (rule 4)."""
        self.under_way: set[str] = set()
        """Names that claim or are handed over, or may be about to."""
        self.leaving: dict[int, Leaving] = {}
        """Copies that are still bound, of virtual IPs that left the plan, by id."""
        self.crowd = Crowd()
        self.measure = Measure()
        self.tellers: dict[int, set[str]] = {}
        """VIP id → peers that last said to be claiming or holding it."""
        self.contested: set[int] = set()
        """VIP ids with more than one of them, as far as they are alive."""

    # --- questions

    def network(self, vip: VipState) -> str:
        """The VIP's LAN as this node knows it: the network of its endpoints here."""
        local = self.local(vip)
        return local[0][1].network if local else ""

    def local(self, vip: VipState) -> tuple[tuple[int, LocalEndpoint], ...]:
        """(rank, endpoint) of this node's candidates, best first."""
        if vip.local is None:
            here = ((rank, self.health.endpoints.get(e.address)) for rank, e in enumerate(vip.succession))
            vip.local = tuple((rank, endpoint) for rank, endpoint in here if endpoint is not None)
        return vip.local

    def best_local(self, vip: VipState) -> tuple[int, LocalEndpoint] | None:
        """Best endpoint of this node that may serve."""
        for candidate in self.local(vip):
            if self.usable(vip, candidate[1]):
                return candidate
        return None

    def usable(self, vip: VipState, endpoint: LocalEndpoint) -> bool:
        """Healthy; or, for the only node of a plan, at least not known to be worse than its siblings. And the guest, if
        it is about one, is here."""
        if not vip.lives:
            return False
        return endpoint.healthy or (endpoint.reason in (Reason.ISOLATED, Reason.ONE_WAY) and self.alone(vip))

    def best_remote(self, vip: VipState) -> tuple[int, str, Peer] | None:
        """(place, address, peer) of the best endpoint that another node says is healthy: one on whose node health
        checks fail only when they do on all."""
        last: tuple[int, str, Peer] | None = None
        for rank, endpoint in enumerate(vip.succession):
            peer = self.peer_by_address.get(endpoint.address)
            if peer and peer.two_way(self.now) and peer.healthy_for_s(self.now, endpoint.address) is not None:
                if not checks.fails(peer, vip):
                    return rank, endpoint.address, peer
                if vip.plan.bridge:
                    continue  # there is no guest to serve
                last = last or (checks.place_of(peer, vip, rank), endpoint.address, peer)
        return last

    def alone(self, vip: VipState) -> bool:
        """Whether this node is the only one of the VIP's plan: its permit is untimed and isolation means nothing."""
        return len(self.local(vip)) == len(vip.succession)

    def interfaces(self, vip: VipState) -> tuple[str, ...]:
        """Where it is bound, if it is: on this node's candidates, best first."""
        return tuple(dict.fromkeys(endpoint.interface for _, endpoint in self.local(vip)))

    def stays(self, vip: VipState) -> bool:
        """Whether it stays bound here whoever serves it (:mod:`vipa.election.copies`)."""
        return vip.plan.everywhere and self.stopping_since is None and bool(self.local(vip))

    def isolated(self, vip: VipState) -> bool:
        """Whether all endpoints here hear no other station (rule 2)."""
        reasons = [e.reason for _, e in self.local(vip)]
        return Reason.ISOLATED in reasons and Reason.HEALTHY not in reasons and not self.alone(vip)

    def others(self, vip: VipState) -> list[Peer]:
        """The other nodes of the succession that were ever heard, in order of their best endpoint."""
        found: dict[str, Peer] = {}
        for endpoint in vip.succession:
            peer = self.peer_by_address.get(endpoint.address)
            if peer is not None:
                found.setdefault(peer.node, peer)
        return list(found.values())

    def wire_role(self, vip: VipState) -> WireRole:
        """What heartbeats say. *Holder* only while the permit lies ahead (rule 6)."""
        match vip.state:
            case State.HOLDER:
                return WireRole.HOLDER
            case State.YIELDING:
                return WireRole.YIELDING
            case State.CLAIMING:
                return WireRole.PERMITTING
            case State.SUSPECTING if vip.suspicion and vip.suspicion.unanswered:
                return WireRole.CLAIMING
        return WireRole.SPARE if self.best_local(vip) else WireRole.EXCLUDED

    def interval_to(self, peer: Peer) -> float:
        """Heartbeat interval from this node to ``peer``."""
        return rates.interval_s(self, peer)

    def path_interval(self, path: Path) -> float:
        """Heartbeat interval on a path; an address nobody was heard from gets the full rate for a while."""
        peer = self.peer_by_address.get(path.theirs)
        if peer is not None:
            return peer.beaten_every_s
        local = self.health.endpoints[path.mine]
        fresh = self.now - local.born_at <= rates.UNHEARD_S
        return local.profile.interval_s if fresh else rates.SLOW_S

    # --- what rules do

    def emit(self, action: Action) -> None:
        """Queue an action."""
        self.out.append(action)

    def transition(self, vip: VipState, state: State, reason: Reason) -> None:
        """Enter a state, tell people when what they see changes, and tell the peers at once."""
        old = vip.state
        vip.enter(state)
        vip.reason = reason
        (self.crowd.claiming.add if state is State.CLAIMING else self.crowd.claiming.discard)(vip.name)
        (self.under_way.add if state in _UNDER_WAY else self.under_way.discard)(vip.name)
        if state is not State.SUSPECTING:
            vip.turn_at, vip.behind = NEVER, None
            self.rest(vip)
        if old is not state:
            vip.since = self.now
            if old is State.HOLDER:
                vip.held_at = self.now
            self.emit(Transition(vip.name, old, state, vip.interface, reason, vip.term))
        self.urgent = True
        for names in (self.role_changes, self.rate_changes, self.dirty):
            names.add(vip.name)

    def told(self, peer: str, vip: int, role: WireRole | None) -> None:
        """``peer`` says another role than before for a VIP id; None: nothing any more."""
        tellers = self.tellers.setdefault(vip, set())
        (tellers.add if role in TOLD else tellers.discard)(peer)
        living = len(tellers) > 1 and sum(p in self.peers and self.peers[p].alive(self.now) for p in tellers) > 1
        (self.contested.add if living else self.contested.discard)(vip)
        if not tellers:
            del self.tellers[vip]

    def contest(self) -> None:
        """Leave out who fell silent: a dead node's last word keeps nobody busy. To be called now and then."""
        living = {peer.node for peer in self.peers.values() if peer.alive(self.now)}
        self.contested = {
            vip for vip, tellers in self.tellers.items() if len(tellers) > 1 and len(tellers & living) > 1
        }

    def rest(self, vip: VipState) -> None:
        """``vip`` is not probed for now: the next one that waits may be."""
        if self.crowd.rest(vip.name):
            self.next_turn()

    def next_turn(self) -> None:
        """A place among those that are probed is free: who has waited longest is looked at."""
        while name := self.crowd.next():
            turn = self.vips.get(name)
            if turn is not None and turn.state in (State.SPARE, State.SUSPECTING):
                turn.turn_at = self.now
                if turn.suspicion is not None:
                    turn.suspicion.next_at = self.now
                self.dirty.add(name)
                return
            self.crowd.rest(name)

    def listen(self, vip: VipState, reason: Reason) -> None:
        """Rule 12: one silence of listening before anything else. Whatever is held or bound goes first."""
        self.revoke(vip)
        self.part(vip)
        vip.suspicion = vip.offer = None
        vip.listen_until = self.now + vip.profile.silence_s
        self.transition(vip, State.LISTENING, reason)

    def bind(self, vip: VipState) -> None:
        """Bind on every endpoint here (the gate decides which one answers), to stay until unbound. A copy is there."""
        vip.unbind_at = NEVER
        if not vip.bound or not self.stays(vip):
            self.rebind(vip)

    def rebind(self, vip: VipState) -> None:
        """Bind again, on interfaces as they are now; an end that was set stays."""
        vip.bound_on = self.interfaces(vip)
        self.emit(Bind(vip.name, vip.plan.addresses, vip.bound_on))
        vip.bound = True

    def linger(self, vip: VipState, until: float) -> None:
        """Serve what still arrives, then unbind; what stays bound needs no end."""
        if not self.stays(vip):
            vip.unbind_at = vip.linger_until = until

    def part(self, vip: VipState) -> None:
        """Unbind: at once, or at the end of a linger that a claim interrupted."""
        if vip.bound and vip.linger_until > self.now:
            vip.unbind_at = vip.linger_until
        else:
            self.unbind(vip)

    def unbind(self, vip: VipState) -> None:
        """Remove the addresses, if bound and not to stay."""
        if vip.bound and not self.stays(vip):
            self.emit(Unbind(vip.name, vip.plan.addresses))
            vip.bound = False
        vip.unbind_at = vip.linger_until = NEVER

    def elect(self, vip: VipState, interface: str, address: str) -> None:
        """The kernel answers for ``vip`` on ``interface`` from now on; ``address``: the endpoint's."""
        vip.interface, vip.elected, vip.replies_by = interface, address, interface
        self.count(vip)
        self.renew()

    def revoke(self, vip: VipState) -> None:
        """Stop answering; what arrives is still served."""
        if vip.elected:
            self.emit(Revoke(vip.name, vip.plan.addresses, vip.interface))
            vip.elected = vip.interface = ""
            self.count(vip)
            self.renew()

    def count(self, vip: VipState) -> None:
        """What ``vip`` holds, or how long its permit is, may have changed."""
        permit_s = None if self.alone(vip) else vip.profile.permit_s
        self.permits.count(vip, (vip.interface, permit_s) if vip.elected else None)

    def release(self, vip: VipState) -> None:
        """Revoke and unbind."""
        self.revoke(vip)
        self.unbind(vip)

    def permit_s(self, vip: VipState, interface: str) -> float | None:
        """Permit for ``vip`` on ``interface``: the shortest of all that are held there; None: untimed."""
        return None if self.alone(vip) else self.permits.shortest_s(interface, vip.profile.permit_s)

    def holding(self, interface: str) -> Iterator[VipState]:
        """VIPs with a timed permit held on ``interface``."""
        return (v for v in self.vips.values() if v.elected and v.interface == interface and not self.alone(v))

    def renew(self) -> None:
        """Tell the renewal thread what to keep alive, when that changed."""
        if self.permits.renewed_differently():
            self.emit(Renew(self.permits.renewing))

    def note(self, reason: Reason, subject: str, detail: str = "") -> None:
        """Something for people."""
        self.emit(Notice(reason, subject, detail))
