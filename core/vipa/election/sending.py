"""Heartbeats out: how often to whom (01-election "Heartbeat"), and what they say."""

from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from typing import Final, TypeVar

from vipa.election import checks, handover, holders, rates
from vipa.election.actions import SendBeat
from vipa.election.duel import UNRANKED
from vipa.election.health import NEVER
from vipa.election.node import TOLD, Node
from vipa.election.pace import leaders
from vipa.election.peers import Path, Peer, gone, role_hash
from vipa.election.states import State
from vipa.election.vip import VipState
from vipa.heartbeat import encode
from vipa.heartbeat.model import Beat, Echo, EndpointState, Handover, PathEcho, Relay, RoleEntry
from vipa.reasons import Reason

PERMIT_UNTIMED_S: Final = 65.0
"""What is said of an untimed permit: nearly the field's maximum."""

ROLES_MAX: Final = 20
RELAYS_MAX: Final = 8
HANDOVERS_MAX: Final = 8
"""Entries per heartbeat (18, 24 and 25 bytes): with four peers × four paths they stay within 1,200 bytes. Where there
are more they take turns."""

FRESH_S: Final = 0.2
"""A role change is repeated in every beat for this long: ten beats at Default, so that loss of nine is survived."""

NEWS_MAX: Final = 16 * ROLES_MAX
"""Changes told at once, in as many heartbeats as they need: a rank that counts unanswered probes must hear of every
claim. More follow with the next beats, or a thousand changes would fill the neighbours' receive buffers."""

LATEST_MAX: Final = 10 * ROLES_MAX
"""Changes that are repeated: what ten beats can carry."""

PAGED_MAX: Final = 5 * ROLES_MAX
"""Roles in pages per interval: 2,000 take 0.4 s at Default, and the reader a tenth of a core."""

PATHS_MAX: Final = 20
"""Path echoes per heartbeat: 20 × 14 bytes, four peers with five paths each."""

RATES_S: Final = 0.1
"""Rates are worked out anew about this often: what makes them rise says so at once, what only time changes (a peer not
heard for long) may wait for five beats."""

RATES_S_PER_VIP: Final = 0.0005
"""More virtual IPs take turns of a second at 2,000, or looking at all of them would cost a tenth of a core."""

Chunk = tuple[tuple[Path, ...], tuple[tuple[Peer, tuple[Path, ...]], ...]]
"""Paths that get the same heartbeat, and the peers among them with theirs."""


T = TypeVar("T")


class Sender:
    """Schedules and builds heartbeats for a Node."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.digest = 0
        self._said: dict[int, tuple[RoleEntry, float]] = {}
        """What was last said of each VIP, and since when; what changed last stands last."""
        self._gone: dict[int, RoleEntry] = {}
        """VIPs that left the plan, for those who may not know yet."""
        self._news: list[RoleEntry] = []
        """What no heartbeat has said yet."""
        self._page = 0
        self._buckets: dict[float, list[Chunk]] = {}
        self._rated_at = NEVER

    def next_deadline(self) -> float:
        """When the next beat is due."""
        return self.node.pace.next_deadline()

    def flush(self, more_frames: bool = False) -> None:
        """Send what is due, or to everybody at once when a role changed. ``more_frames``: they may change more, so news
        waits for the end of the turn until it fills a heartbeat; else hundreds of frames would be answered by a
        heartbeat each."""
        node = self.node
        self._update_roles()
        if more_frames and len(self._news) < ROLES_MAX and node.now < self.next_deadline():
            return
        rates_stale = node.rates_stale or bool(node.rate_changes)
        if not node.urgent and not rates_stale and node.now < self.next_deadline():
            return
        rated_s = node.now - self._rated_at
        soon_s = len(node.vips) * RATES_S_PER_VIP
        if (node.rates_stale and rated_s >= min(RATES_S, soon_s / 10)) or rated_s >= max(RATES_S, soon_s):
            self._rate()
            node.rates_stale = False
        elif node.rate_changes:
            self._hasten()
        news = [e for e in self._news if self._said.get(e.vip, (self._gone.get(e.vip),))[0] == e]
        news, self._news = news[:NEWS_MAX], news[NEWS_MAX:]
        for interval_s, chunks in self._buckets.items():
            if node.now >= node.pace.next_at[interval_s]:
                node.pace.sent(interval_s, node.now)
                self._send(interval_s, chunks, news)
            elif node.urgent:
                self._send(interval_s, chunks, news, hurried=node.crowd.waiting > 0)
        node.urgent = bool(self._news)
        node.rate_changes.clear()

    def _rate(self) -> None:
        """Who is beaten how often from now on."""
        node = self.node
        for peer in node.peers.values():
            peer.beaten_every_s = node.interval_to(peer)
        self._sort_paths()
        self._rated_at = node.now
        node.contest()
        if self._gone and all(peer.sees_my_digest == self.digest for peer in node.peers.values()):
            self._gone.clear()

    def _hasten(self) -> None:
        """Rates that must rise at once; that others may sink is found when all are worked out anew."""
        node = self.node
        risen = False
        slower = {
            p.node for p in node.peers.values() if p.beaten_every_s > node.fastest_s and not rates.unheard(node, p)
        }
        for vip in (node.vips[name] for name in node.rate_changes if slower and name in node.vips):
            for peer in (p for p in node.others(vip) if p.node in slower):
                wanted_s = rates.for_vip(node, vip, peer)
                if wanted_s < peer.beaten_every_s:
                    peer.beaten_every_s = wanted_s
                    risen = True
        if risen:
            self._sort_paths()

    def _sort_paths(self) -> None:
        node = self.node
        paths: dict[float, list[Path]] = {}
        for path in node.paths.values():
            paths.setdefault(node.path_interval(path), []).append(path)
        self._buckets = {interval_s: list(self._chunks(of_rate)) for interval_s, of_rate in paths.items()}
        node.pace.take(self._buckets, leaders(node))

    def _update_roles(self) -> None:
        node = self.node
        for name in node.vips if node.roles_stale else node.role_changes & node.vips.keys():
            vip = node.vips[name]
            entry = self._entry(vip)
            said = self._said.get(vip.id)
            if said is None or said[0] != entry:
                self.digest ^= role_hash(entry) ^ (role_hash(said[0]) if said else 0)
                self._said.pop(vip.id, None)
                self._said[vip.id] = (entry, node.now)
                self._news.append(entry)
                node.urgent = True
        if node.roles_stale:
            self._tell_gone()
        node.roles_stale = False
        node.role_changes.clear()

    def _tell_gone(self) -> None:
        """VIPs that left the plan: said until every peer's record has followed, or its digest would differ for ever."""
        node = self.node
        for vip_id in self._said.keys() - node.by_id.keys() - self._gone.keys():
            self.digest ^= role_hash(self._said.pop(vip_id)[0])
            self._gone[vip_id] = gone(vip_id)
            self._news.append(self._gone[vip_id])
            node.urgent = True
        for vip_id in self._gone.keys() & node.by_id.keys():
            del self._gone[vip_id]

    def _entry(self, vip: VipState) -> RoleEntry:
        node = self.node
        rank = vip.rank(vip.elected) if vip.elected else None
        if rank is None:
            best = node.best_local(vip)
            rank = best[0] if best else UNRANKED
            if vip.absent and node.local(vip):  # told as a check that fails: nobody offers it to this node
                rank = node.local(vip)[0][0]
        place = checks.place(vip, rank)
        return RoleEntry(vip.id, node.wire_role(vip), max(vip.term, 0), place, vip.digest)

    def _send(self, interval_s: float, chunks: list[Chunk], news: list[RoleEntry], *, hurried: bool = False) -> None:
        """``hurried``: many wait to be taken over, so this says the news alone, and to those who are heard; the beats
        that are due anyway say all to all."""
        node = self.node
        until = min(node.permits.until.values(), default=float("inf"))
        told = [([*self._relays(p for p, _ in on)], [*self._handovers(p for p, _ in on)]) for _, on in chunks]
        entries = len(news) or self._paged(interval_s, chunks)
        entries = max(entries, *(-(-len(messages) // HANDOVERS_MAX) * ROLES_MAX for _, messages in told), 0)
        for start in range(0, max(entries, 1), ROLES_MAX):
            for (paths, peers), (relays, handovers) in zip(chunks, told, strict=True):
                heard = [path for peer, on in peers if peer.alive(node.now) for path in on]
                if (start or hurried) and not heard:
                    continue  # who is gone learns by pages, should it return
                node.seq += 1
                node.sent.record(node.now, node.seq)
                part = news[start : start + ROLES_MAX]
                roles = part if hurried and part else self._roles([peer for peer, _ in peers], part)
                beat = self._beat(interval_s, peers, roles, relays, handovers)
                payload = encode(beat, node.config.accepted_keys[0], node.config.cluster_id)
                node.out += [
                    SendBeat(p.interface, p.mine, p.theirs, p.mac, payload, until)
                    for p in (heard if hurried else paths)
                ]

    def _paged(self, interval_s: float, chunks: list[Chunk]) -> int:
        """How many roles go out in pages now, above those of one heartbeat. While a peer's record differs, its digest
        confirms nothing, and what it last heard of each is soon as old as a silence."""
        if len(self._said) <= ROLES_MAX:
            return 0
        _, changed_at = next(reversed(self._said.values()))
        here = (peer for _, peers in chunks for peer, _ in peers)
        differ = any(peer.sees_my_digest != self.digest and peer.two_way(self.node.now) for peer in here)
        return min(len(self._said), PAGED_MAX) if differ and self.node.now - changed_at > 2 * interval_s else 0

    def _chunks(self, paths: list[Path]) -> Iterator[Chunk]:
        """Whole peers, at most PATHS_MAX paths at a time."""
        by_name: dict[str, list[Path]] = {}
        for path in paths:
            peer = self.node.peer_by_address.get(path.theirs)
            by_name.setdefault(peer.node if peer else "", []).append(path)
        chunk: list[Path] = []
        peers: list[tuple[Peer, tuple[Path, ...]]] = []
        for name, on in sorted(by_name.items()):
            if len(chunk) >= PATHS_MAX:
                yield tuple(chunk), tuple(peers)
                chunk, peers = [], []
            chunk += on
            if name:
                peers.append((self.node.peers[name], tuple(on)))
        if chunk:
            yield tuple(chunk), tuple(peers)

    def _beat(
        self,
        interval_s: float,
        paths: tuple[tuple[Peer, tuple[Path, ...]], ...],
        roles: list[RoleEntry],
        relays: list[Relay],
        handovers: list[Handover],
    ) -> Beat:
        node = self.node
        lefts = [until - node.now for until in node.permits.until.values()]
        untimed = node.permits.untimed
        return Beat(
            node=node.config.node,
            incarnation=node.config.incarnation,
            boot_id=node.config.boot_id,
            seq=node.seq,
            epoch=node.plan.epoch,
            interval_s=interval_s,
            permit_left_s=PERMIT_UNTIMED_S if untimed else max([0.0, *lefts]),
            isolated=any(e.reason is Reason.ISOLATED for e in node.health.endpoints.values()),
            stopping=node.stopping_since is not None,
            digest=self.digest,
            endpoints=tuple(
                EndpointState(e.address, e.healthy, e.flaps, max(node.now - e.healthy_since, 0.0) if e.healthy else 0.0)
                for e in node.health.endpoints.values()
            ),
            echoes=tuple(
                Echo(peer.incarnation, peer.digest, tuple(PathEcho(p.mine, p.theirs, p.seq) for p in on if p.seq))
                for peer, on in paths
            ),
            roles=tuple(roles),
            relays=self._turn(relays, RELAYS_MAX),
            handovers=self._turn(handovers, HANDOVERS_MAX),
        )

    def _turn(self, entries: list[T], most: int) -> tuple[T, ...]:
        """At most ``most`` of ``entries``, another part with every heartbeat."""
        if len(entries) <= most:
            return tuple(entries)
        if not most:
            return ()
        start = self.node.seq * most % len(entries)
        return tuple((entries[start:] + entries[:start])[:most])

    def _roles(self, peers: Iterable[Peer], news: list[RoleEntry]) -> list[RoleEntry]:
        """``news``, what changed lately, and pages of all while some peer's record of us differs."""
        if len(news) == ROLES_MAX:
            return news
        latest = takewhile(lambda said: self.node.now - said[1] <= FRESH_S, reversed(self._said.values()))
        told = set(news)
        repeated = [entry for entry, _ in islice(latest, LATEST_MAX) if entry not in told]
        fresh = [*news, *self._turn(repeated, ROLES_MAX - len(news))]
        room = ROLES_MAX - len(fresh)
        if room and not news and any(p.sees_my_digest != self.digest for p in peers):
            everything = [*self._gone.values(), *(e for e, _ in self._said.values())]
            start = self._page % max(len(everything), 1)
            page = (everything[start:] + everything[:start])[:room]
            self._page = start + len(page)
            fresh += [e for e in page if e not in fresh]
        return fresh

    def _relays(self, peers: Iterable[Peer]) -> Iterator[Relay]:
        """Whoever claims, or also holds, hears of the holder that this node hears two-way."""
        node = self.node
        for peer in peers:
            for vip_id in sorted(node.contested):
                heard, vip = peer.roles.get(vip_id), node.by_id.get(vip_id)
                if vip is None or heard is None or heard.entry.role not in TOLD:
                    continue
                holder = holders.fresh(node, vip, but=peer)
                if holder is not None:
                    entry = holder.roles[vip.id].entry
                    age_s = max(node.now - holder.holder_at(vip.id, node.network(vip)), 0.0)
                    yield Relay(vip.id, holder.id, holder.epoch, entry.rank, holder.isolated, age_s)

    def _handovers(self, peers: Iterable[Peer]) -> Iterator[Handover]:
        wanted = {p.id for p in peers}
        for vip in (self.node.vips[name] for name in sorted(self.node.exchanging & self.node.vips.keys())):
            if vip.state in (State.HOLDER, State.RECEIVING, State.YIELDING):
                message = handover.messages(self.node, vip)
                if message is not None and message.target in wanted:
                    yield message
