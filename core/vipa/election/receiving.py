"""Heartbeats in (rules 2 and 13)."""

from typing import Final

from vipa.election import checks, claim, handover, holders, holding
from vipa.election.events import BeatReceived
from vipa.election.health import NEVER
from vipa.election.node import Node
from vipa.election.peers import ECHO_SLACK_S, MISS, RETIRED_MAX, SEQ_WINDOW, Path, Peer, new_incarnation
from vipa.election.states import State
from vipa.election.vip import VipState
from vipa.errors import PeerError
from vipa.heartbeat import decode
from vipa.heartbeat.model import Beat, Echo, Relay, RoleEntry, WireRole
from vipa.reasons import Reason

VERIFIED_MAX: Final = 64
"""Beats remembered while their copies come in over other paths: more than arrive within one drain of all sockets."""

_HANDED_TO: Final = frozenset({State.RECEIVING, State.CLAIMING})
"""A successor of rule 4: its claim rests on the offer alone, so whoever took the VIP meanwhile ends it."""

_AT_REST: Final = frozenset({WireRole.SPARE, WireRole.EXCLUDED})
"""Roles without a part in serving or handing over."""

_TAKING: Final = frozenset({WireRole.CLAIMING, WireRole.PERMITTING})
"""Roles on the way to a takeover."""


def compare_plans(node: Node, vip: VipState, peer: Peer) -> None:
    """Whether ``peer`` works from another plan of the same epoch for this VIP (rule 13): remembered, and said once."""
    if node.now < vip.compare_at:
        return
    heard = peer.roles.get(vip.id)
    differs = heard is not None and heard.entry.plan != vip.digest and peer.epoch == vip.epoch
    if differs == (peer.node in vip.mismatch):
        return
    (vip.mismatch.add if differs else vip.mismatch.discard)(peer.node)
    if differs:
        node.note(Reason.PLAN_MISMATCH, vip.name, peer.node)


def _comes_to_it(vip: VipState, peer: Peer, role: WireRole) -> bool:
    """Whether that ``peer`` is on its way to take ``vip`` over is what this spare waits for: nothing new."""
    return role in _TAKING and vip.state is State.SPARE and vip.behind is not None and vip.behind.peer == peer.node


class Receiver:
    """Takes heartbeats into a Node. Counts every heartbeat under a result word (``vipa_heartbeats_total``)."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.results: dict[str, int] = {}
        self._clusters = node.config.cluster_ids
        self.unknown_fields = 0
        self._verified: dict[bytes, Beat] = {}

    def rekeyed(self) -> None:
        """The keys are others: what was verified by one that is gone counts no more."""
        self._clusters = self.node.config.cluster_ids
        self._verified.clear()

    def beat(self, event: BeatReceived) -> None:
        """One heartbeat datagram."""
        result = self._beat(event)
        self.results[result] = self.results.get(result, 0) + 1

    def _beat(self, event: BeatReceived) -> str:
        node = self.node
        if event.source_mac in node.own_macs:
            return "own"
        try:
            beat = self._decode(event.payload)
        except PeerError as error:
            return error.result
        if beat.node == node.config.node:
            return "own"  # a second agent under our name: never listen to ourselves
        node.health.heard(node.now, event.interface)
        peer = node.peers.get(beat.node)
        copy = peer is not None and beat is peer.latest
        echo = None if copy else next((e for e in beat.echoes if e.incarnation == node.config.incarnation), None)
        if peer is None or beat.incarnation != peer.incarnation:
            if peer is not None and not new_incarnation(peer, beat, node.now, echo is not None):
                return "stale"
            peer = self._met(beat)
        if beat.seq + SEQ_WINDOW < peer.seq:
            return "replayed"
        path = self._path(event, peer)
        if path is None:
            return "unplanned"
        if beat.seq <= path.seq:
            return "replayed"
        path.arrived(node.now, max(beat.interval_s, peer.interval_s), beat.seq)
        path.seq, path.mac = beat.seq, event.source_mac
        node.our_macs[event.source_mac] = event.source_address
        if echo is not None:
            if beat.seq >= peer.seq:
                self._news(peer, beat, echo)
                node.pace.heard(peer.node, beat.interval_s, node.now)
            peer.echoed = self._echoed(peer, beat, echo)
        elif not copy:
            return "asked"
        if beat.seq >= peer.seq:
            peer.heard_at = node.now
        if peer.echoed:
            if not peer.two_way(node.now):
                # what could not be offered before can be now
                node.dirty.update(vip.name for vip in node.vips.values() if vip.elected or vip.offer is not None)
                node.rates_stale = True
            peer.two_way_at = node.now
        if (path.mine, path.theirs) in peer.echoed:
            path.two_way_at = node.now
            node.health.contact(node.now, path.mine)
        if not copy or path.network != peer.latest_network:
            self._roles(peer, beat, path, bool(peer.echoed))
        peer.latest, peer.latest_network = beat, path.network
        return "accepted"

    def _decode(self, payload: bytes) -> Beat:
        # the same bytes come in over every path: verify them once
        beat = self._verified.get(payload)
        if beat is None:
            beat = decode(payload, self.node.config.accepted_keys, self._clusters)
            self.unknown_fields += beat.unknown_fields
            if len(self._verified) >= VERIFIED_MAX:
                del self._verified[next(iter(self._verified))]
            self._verified[payload] = beat
        return beat

    def _met(self, beat: Beat) -> Peer:
        node = self.node
        old = node.peers.get(beat.node)
        if old is not None:
            self._forget(old)
        peer = Peer(beat.node, beat.incarnation, interval_s=beat.interval_s, met_at=node.now)
        if old is not None:
            peer.retired = (old.incarnation, *old.retired)[:RETIRED_MAX]
            peer.relapses = old.relapses
        node.peers[beat.node] = peer
        for state in beat.endpoints:
            self._claims_address(peer, state.address)
        node.urgent = node.rates_stale = True  # let it hear its own incarnation at once
        return peer

    def _forget(self, old: Peer) -> None:
        for vip in self.node.vips.values():
            holders.heard_at(self.node, vip)  # what it said counts, though its record goes
        for vip_id in old.roles:
            self.node.told(old.node, vip_id, None)
        for address, peer in list(self.node.peer_by_address.items()):
            if peer is old:
                del self.node.peer_by_address[address]
        for path in self.node.paths.values():
            if path.theirs in old.endpoints:
                path.seq, path.heard_at, path.two_way_at = 0, NEVER, NEVER

    def _claims_address(self, peer: Peer, address: str) -> None:
        owner = self.node.peer_by_address.get(address)
        if owner is None or not owner.alive(self.node.now):
            self.node.peer_by_address[address] = peer

    def _path(self, event: BeatReceived, peer: Peer) -> Path | None:
        node = self.node
        for endpoint in node.health.endpoints.values():
            if endpoint.interface != event.interface:
                continue
            path = node.paths.get((endpoint.address, event.source_address))
            if path is not None:
                if node.peer_by_address.get(event.source_address) is not peer:
                    self._claims_address(peer, event.source_address)
                return path
        return None

    def _news(self, peer: Peer, beat: Beat, echo: Echo) -> None:
        now = self.node.now
        was_alive, fitness = peer.alive(now), (peer.isolated, peer.stopping)
        faster = beat.interval_s < peer.interval_s  # the silence of what it holds is suspected sooner
        peer.seq, peer.epoch, peer.interval_s, peer.heard_at = beat.seq, beat.epoch, beat.interval_s, now
        peer.permit_until = now + beat.permit_left_s
        peer.isolated, peer.stopping = beat.isolated, beat.stopping
        peer.sees_my_digest = echo.digest
        before = {a: s.healthy for a, s in peer.endpoints.items()}
        peer.endpoints = {s.address: s for s in beat.endpoints}
        peer.endpoints_at = now
        for address in peer.endpoints:
            self._claims_address(peer, address)
        refit = fitness != (peer.isolated, peer.stopping)
        if not was_alive or refit or before != {a: s.healthy for a, s in peer.endpoints.items()}:
            self.node.dirty.update(self.node.vips)
            self.node.rates_stale = True
        elif faster:
            self.node.dirty.update(vip.name for vip in self.node.vips.values() if vip.holder == peer.node)
            self.node.rates_stale = True

    def _echoed(self, peer: Peer, beat: Beat, echo: Echo) -> frozenset[tuple[str, str]]:
        """Paths (mine, theirs) on which the peer heard us in time."""
        node = self.node
        window_s = (MISS + 1) * max(peer.beaten_every_s, beat.interval_s) + ECHO_SLACK_S
        return frozenset((h.theirs, h.mine) for h in echo.paths if node.sent.age_s(node.now, h.seq) <= window_s)

    def _roles(self, peer: Peer, beat: Beat, path: Path, two_way: bool) -> None:
        node = self.node
        if beat.seq >= peer.seq:
            at = node.now if two_way else NEVER
            for entry in beat.roles:
                known, vip = peer.roles.get(entry.vip), node.by_id.get(entry.vip)
                if vip is not None and (known is None or known.entry != entry):
                    holders.heard_at(node, vip)  # before the record of it changes
                if entry.role in _TAKING and peer.role(entry.vip) not in (None, entry.role):
                    peer.took_at = node.now
            for entry in peer.learn_roles(beat.roles, at, path.network):
                self._role_changed(peer, entry)
            for entry in beat.roles:
                self._claiming(peer, entry, two_way)
        if two_way and beat.digest == peer.digest:
            peer.synced_at[path.network] = node.now
        if not two_way:
            return
        for relay in beat.relays:
            self._relay(relay)
        for message in beat.handovers:
            vip = node.by_id.get(message.vip)
            if vip is not None and message.target == node.id:
                handover.heard(node, vip, peer, message)

    def _role_changed(self, peer: Peer, entry: RoleEntry) -> None:
        self.node.told(peer.node, entry.vip, entry.role)
        vip = self.node.by_id.get(entry.vip)
        if vip is None:
            return
        checks.heard(peer, entry, self.node.now)
        vip.term_seen = max(vip.term_seen, entry.term)
        self.node.rate_changes.add(vip.name)
        compare_plans(self.node, vip, peer)
        if entry.role not in (WireRole.PERMITTING, WireRole.HOLDER):
            claim.came_to_nothing(self.node, vip, peer)
        if entry.role in _AT_REST:
            claim.let_go(self.node, vip, peer)
        if not _comes_to_it(vip, peer, entry.role):
            self.node.dirty.add(vip.name)

    def _claiming(self, peer: Peer, entry: RoleEntry, two_way: bool) -> None:
        vip = self.node.by_id.get(entry.vip)
        if vip is None:
            return
        taken = entry.role in (WireRole.HOLDER, WireRole.PERMITTING)
        back = vip.state is State.CLAIMING  # from the offerer itself: it waited in vain and took it back by rule 5
        if taken and vip.offer is not None and vip.state in _HANDED_TO and (vip.offer.peer != peer.node or back):
            # somebody was faster than the offer's *go*, or than the permit that follows it
            claim.give_up(self.node, vip, Reason.LOWER_IN_LIST)
        if entry.role is WireRole.HOLDER and two_way:
            claim.overtaken(self.node, vip, peer, entry.rank, entry.role)
            if vip.state is not State.SPARE:  # a spare is looked at when what was said has changed
                self.node.dirty.add(vip.name)
        elif entry.role in (WireRole.CLAIMING, WireRole.PERMITTING):
            claim.overtaken(self.node, vip, peer, entry.rank, entry.role)
            if not _comes_to_it(vip, peer, entry.role):
                self.node.dirty.add(vip.name)
            if vip.state is State.HOLDER or holders.fresh(self.node, vip, but=peer) is not None:
                self.node.urgent = True

    def _relay(self, relay: Relay) -> None:
        node = self.node
        vip = node.by_id.get(relay.vip)
        if vip is None or relay.holder == node.id:
            return
        seen_at = node.now - relay.age_s
        if vip.state is State.HOLDER:
            holding.relayed(node, vip, relay)
        elif seen_at > holders.heard_at(node, vip):
            vip.holder_seen_at = seen_at
            if vip.suspicion is not None:
                vip.suspicion.unanswered = 0
            node.dirty.add(vip.name)
