"""Rule 2: health of this node's endpoints. Link and address as the kernel says, and contact both ways.

Contact is a two-way heartbeat, or an answer to an ask (ARP request from the endpoint's own address). Asking begins when
contact is older than 1.5 intervals. An endpoint that is silent while a sibling on its LAN has contact is
``PathSilent``; when all are silent although asked it is ``OneWay`` (frames are still heard) or ``Isolated`` (none).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_interface
from typing import Final

from vipa import frames6
from vipa.election.events import LocalInterface
from vipa.election.reach import Reach
from vipa.plan import PlannedVip
from vipa.reasons import Reason
from vipa.timing import Profile

NEVER: Final = float("-inf")

ANYBODY: Final = "0.0.0.0"
"""Sender of a question by one who has no address of that family (RFC 5227 section 1.1, "ARP probe")."""

STATIONS_MAX: Final = 4
"""Stations asked when the LAN goes quiet: the last four seen (01-election rule 2)."""

ASKS_MIN: Final = 2
"""Unanswered asks before a LAN counts as silent: one lost frame must not isolate a node."""

ASKS_EAGER: Final = 50
ASKS_SLOWER: Final = 5
"""After this many unanswered asks (1 s at Default) they come five times slower: a dead path must not cost the LAN
more broadcasts than a busy host makes."""

FLAPS_FORGOTTEN_S: Final = 600.0
"""An endpoint healthy this long starts with a clean slate: the cap of the failback delay (rule 9)."""


@dataclass(slots=True)
class LocalEndpoint:
    """One endpoint of this node. Times are seconds of the node's clock."""

    address: str
    interface: str
    network: str
    mac: str
    profile: Profile
    asked: tuple[str, ...] = ()
    sender6: str = frames6.UNSPECIFIED
    """Address by which IPv6 neighbours are asked: link-local where there is one."""
    kernel: Reason = Reason.HEALTHY
    reason: Reason = Reason.HEALTHY
    born_at: float = NEVER
    contact_at: float = NEVER
    frame_at: float = NEVER
    next_ask_at: float = NEVER
    asks_unanswered: int = 0
    healthy_since: float = NEVER
    flaps: int = 0
    stations: list[str] = field(default_factory=list)
    reach: Reach = field(default_factory=Reach)

    def sender_to(self, address: str) -> str:
        """The address by which this endpoint asks for ``address``."""
        same = (":" in address) is (":" in self.address)
        return self.address if same else self.sender6 if ":" in address else ANYBODY

    @property
    def healthy(self) -> bool:
        """Whether this endpoint may serve."""
        return self.reason is Reason.HEALTHY


def _said_of(interface: LocalInterface) -> Reason:
    if not interface.up:
        return Reason.INTERFACE_DOWN
    if not interface.carrier:
        return Reason.LINK_DOWN
    return Reason.REMOVED_AGAIN if interface.spoiled else Reason.HEALTHY


_FROM_SILENCE: Final = frozenset({Reason.PATH_SILENT, Reason.ONE_WAY, Reason.ISOLATED})


class Health:
    """All endpoints of this node that are in some succession."""

    def __init__(self) -> None:
        self.endpoints: dict[str, LocalEndpoint] = {}
        self.trusted_since = NEVER
        self._interfaces: tuple[LocalInterface, ...] = ()

    def configure(self, now: float, vips: Iterable[PlannedVip], interfaces: tuple[LocalInterface, ...]) -> None:
        """Take over a plan and the kernel's interfaces; what is known of an unchanged endpoint stays."""
        self._interfaces = interfaces
        here = {
            address.partition("/")[0]: (interface, str(ip_interface(address).network))
            for interface in interfaces
            for address in interface.addresses
        }
        wanted: dict[str, tuple[Profile, set[str]]] = {}
        vips = tuple(vips)
        peers = {e.address for vip in vips for e in vip.succession}
        for vip in vips:
            for endpoint in vip.succession:
                profile, targets = wanted.get(endpoint.address, (vip.policy.profile, set()))
                if vip.policy.profile.silence_s < profile.silence_s:
                    profile = vip.policy.profile
                targets |= set(vip.policy.probe_targets)
                targets |= {e.address for e in vip.succession if e.address not in here}
                wanted[endpoint.address] = (profile, targets)
        found: dict[str, LocalEndpoint] = {}
        for address, (profile, targets) in wanted.items():
            old = self.endpoints.get(address)
            if address in here:
                found[address] = self._present(now, address, *here[address], profile, targets, old)
                reach = found[address].reach
                reach.targets = tuple(target for target in found[address].asked if target not in peers)
            elif old is not None:
                old.kernel = self._missing(old)
                found[address] = old
        self.endpoints = found

    def _present(
        self,
        now: float,
        address: str,
        interface: LocalInterface,
        network: str,
        profile: Profile,
        targets: set[str],
        old: LocalEndpoint | None,
    ) -> LocalEndpoint:
        # of its own family: what is measured is the path by which clients come
        six = ":" in address
        asked = tuple(target for target in (*interface.gateways, *sorted(targets)) if (":" in target) is six)
        endpoint = old
        if endpoint is None or (endpoint.interface, endpoint.mac) != (interface.name, interface.mac):
            endpoint = LocalEndpoint(address, interface.name, network, interface.mac, profile, asked)
            endpoint.born_at = endpoint.healthy_since = now
            if old is not None:
                endpoint.flaps, endpoint.reason = old.flaps, old.reason
        was_down = endpoint.kernel is not Reason.HEALTHY
        endpoint.kernel = _said_of(interface)
        if was_down and endpoint.kernel is Reason.HEALTHY:
            # a cable that is back proves nothing: switches forward late, so the path must show itself first
            endpoint.born_at = endpoint.contact_at = NEVER
            endpoint.reason = Reason.PATH_SILENT
            endpoint.asks_unanswered = 0
            endpoint.next_ask_at = now
        endpoint.profile, endpoint.asked = profile, asked
        own6 = (a.partition("/")[0] for a in interface.addresses if ":" in a)
        endpoint.sender6 = interface.link_local or next(own6, frames6.UNSPECIFIED)
        return endpoint

    def _missing(self, endpoint: LocalEndpoint) -> Reason:
        named = any(i.name == endpoint.interface for i in self._interfaces)
        return Reason.ADDRESS_MISSING if named else Reason.INTERFACE_MISSING

    def heard(self, now: float, interface: str, station: str = "") -> None:
        """A frame of another station came in. ``station``: its address when it may be asked later."""
        for endpoint in self.endpoints.values():
            if endpoint.interface == interface:
                endpoint.frame_at = now
                known = not station or station in endpoint.stations[:1]
                if not known and (":" in station) is (":" in endpoint.address):
                    others = [s for s in endpoint.stations if s != station]
                    endpoint.stations = [station, *others][:STATIONS_MAX]

    def contact(self, now: float, address: str, station: str = "") -> None:
        """Two-way contact over the endpoint ``address``. ``station``: who answered an ask."""
        endpoint = self.endpoints.get(address)
        if endpoint is not None:
            endpoint.reach.heard(now, station)
            endpoint.contact_at = endpoint.frame_at = now
            endpoint.asks_unanswered = 0

    def distrust(self, now: float) -> None:
        """This node was late: silence counts from now."""
        self.trusted_since = now
        for endpoint in self.endpoints.values():
            endpoint.asks_unanswered = 0
            endpoint.reach.forgive()

    def forget_merits(self, now: float) -> None:
        """This node was frozen: nobody watched its endpoints, so failback time counts from now (rule 12)."""
        for endpoint in self.endpoints.values():
            endpoint.healthy_since = now

    def siblings(self, endpoint: LocalEndpoint) -> Iterator[LocalEndpoint]:
        """The other endpoints of this node on the same LAN whose link is up."""
        return (
            e
            for e in self.endpoints.values()
            if e is not endpoint and e.network == endpoint.network and e.kernel is Reason.HEALTHY
        )

    @property
    def all_healthy(self) -> bool:
        """Whether there is nothing that a frame could make better."""
        return all(e.reason is Reason.HEALTHY for e in self.endpoints.values())

    def judge(self, now: float, only_better: bool = False) -> list[LocalEndpoint]:
        """Re-judge every endpoint; returns those whose reason changed. ``only_better``: more frames may be waiting, so
        silence proves nothing yet."""
        changed: list[LocalEndpoint] = []
        for endpoint in self.endpoints.values():
            reason = self._reason(now, endpoint)
            if reason is endpoint.reason or (only_better and reason in _FROM_SILENCE):
                continue
            if reason is Reason.HEALTHY:
                endpoint.healthy_since = now
            elif endpoint.healthy:
                if now - endpoint.healthy_since >= FLAPS_FORGOTTEN_S:
                    endpoint.flaps = 0
                endpoint.flaps += 1
            endpoint.reason = reason
            changed.append(endpoint)
        return changed

    def _reason(self, now: float, endpoint: LocalEndpoint) -> Reason:
        if endpoint.kernel is not Reason.HEALTHY:
            return endpoint.kernel
        if endpoint.reach.lost and not all(sibling.reach.lost for sibling in self.siblings(endpoint)):
            return Reason.PATH_SILENT
        silence_s = endpoint.profile.silence_s
        if now - max(endpoint.contact_at, endpoint.born_at) <= silence_s:
            return Reason.HEALTHY
        if not self._silent(now, endpoint):
            return endpoint.reason  # this node was late: nothing new is known
        for sibling in self.siblings(endpoint):
            # newer by half a silence: heard what this one missed, not merely the same beat a moment later
            if sibling.contact_at - self._last(endpoint) > silence_s / 2:
                return Reason.PATH_SILENT
        lan = [endpoint, *self.siblings(endpoint)]
        if any(not self._silent(now, e) or e.asks_unanswered < ASKS_MIN for e in lan):
            return endpoint.reason  # not all silent although asked: nothing new is known
        heard_at = max(e.frame_at for e in lan)
        return Reason.ONE_WAY if now - heard_at <= silence_s else Reason.ISOLATED

    def _last(self, endpoint: LocalEndpoint) -> float:
        return max(endpoint.contact_at, endpoint.born_at, self.trusted_since)

    def _silent(self, now: float, endpoint: LocalEndpoint) -> bool:
        return now - self._last(endpoint) > endpoint.profile.silence_s

    def asks_due(self, now: float) -> Iterator[tuple[LocalEndpoint, str]]:
        """(endpoint, target) pairs to ask now; advances the schedule."""
        for endpoint in self.endpoints.values():
            if endpoint.kernel is not Reason.HEALTHY:
                continue
            for target in endpoint.reach.due(now, endpoint.profile, self._reaches(endpoint)):
                yield endpoint, target
            if now < self.ask_at(endpoint):
                continue
            targets = [*endpoint.asked, *(s for s in endpoint.stations if s not in endpoint.asked)]
            # with fresh contact the first target is enough to keep it; all of them once it was missed
            fresh = now - endpoint.contact_at <= 2 * endpoint.profile.interval_s
            patience = 0.5 if endpoint.asks_unanswered < ASKS_EAGER else ASKS_SLOWER
            endpoint.next_ask_at = now + endpoint.profile.interval_s * patience
            endpoint.asks_unanswered += 1
            for target in targets[:1] if fresh else targets:
                yield endpoint, target

    def _reaches(self, endpoint: LocalEndpoint) -> list[Reach]:
        return [sibling.reach for sibling in self.siblings(endpoint)]

    def ask_at(self, endpoint: LocalEndpoint) -> float:
        """When this endpoint asks next unless contact comes first."""
        return max(endpoint.next_ask_at, self._last(endpoint) + 1.5 * endpoint.profile.interval_s)

    def next_deadline(self, now: float) -> float:
        """When ``judge`` or ``asks_due`` must be called next."""
        soonest = float("inf")
        for endpoint in self.endpoints.values():
            if endpoint.kernel is Reason.HEALTHY:
                soonest = min(soonest, self.ask_at(endpoint))
                reaches = self._reaches(endpoint)
                if reaches and endpoint.reach.targets:
                    soonest = min(soonest, endpoint.reach.ask_at(endpoint.profile, reaches))
                silent_at = self._last(endpoint) + endpoint.profile.silence_s
                if silent_at >= now:
                    soonest = min(soonest, silent_at + 1e-6)
        return soonest
