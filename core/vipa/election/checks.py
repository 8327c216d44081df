"""Health checks (docs/design/0007-health-checks.md): a node on which one fails comes after all on which none does.

One number says so, the *place*: the index in the succession, and :data:`FAILING` more on a node that fails. Role
entries and relays carry it as rank, so what peers compare is one number too, whatever their version.
"""

from typing import TYPE_CHECKING, Final

from vipa.election.duel import UNRANKED
from vipa.election.health import FLAPS_FORGOTTEN_S
from vipa.election.peers import Peer, Relapse
from vipa.election.vip import Verdict, VipState
from vipa.heartbeat.model import RoleEntry
from vipa.plan import HealthCheck

if TYPE_CHECKING:
    from vipa.election.events import ChecksChanged
    from vipa.election.node import Node

FAILING: Final = 128
"""More than any index (lists hold at most 64), and with it still less than UNRANKED."""


def take(node: "Node", event: "ChecksChanged") -> None:
    """What this node's checks say now."""
    node.checked = event
    judge(node)


def judge(node: "Node") -> None:
    """Checks, plan or interfaces changed: what is known of each virtual IP."""
    known: dict[tuple[str, tuple[HealthCheck, ...]], Verdict] = {}  # thousands ask the same
    for vip in node.vips.values():
        asked = (node.network(vip), vip.plan.checks) if vip.plan.checks else ("", ())
        if asked not in known:
            known[asked] = _verdict(node, *asked)
        verdict = Verdict.FAILING if vip.absent else known[asked]
        if verdict is vip.verdict:
            continue
        told = Verdict.FAILING in (verdict, vip.verdict)
        vip.verdict = verdict
        if told:
            node.urgent = True
            for names in (node.role_changes, node.rate_changes, node.dirty):
                names.add(vip.name)


def _verdict(node: "Node", network: str, checks: tuple[HealthCheck, ...]) -> Verdict:
    asked = {(network, check) for check in checks}
    if not asked.isdisjoint(node.checked.failing):
        return Verdict.FAILING
    return Verdict.PASSING if asked <= node.checked.passing else Verdict.UNKNOWN


def failures(node: "Node", vip: VipState) -> tuple[str, ...]:
    """For people: which checks of ``vip`` fail on this node, and how; and what is wrong with its guest."""
    if vip.verdict is not Verdict.FAILING:
        return ()
    guests = node.guests.absent if vip.absent else {}
    silent = tuple(guests[address][1] for address in vip.plan.addresses if address in guests)
    network, failing = node.network(vip), node.checked.failing
    return silent + tuple(f"{c}: {failing[network, c]}" for c in vip.plan.checks if (network, c) in failing)


def place(vip: VipState, rank: int) -> int:
    """Place of this node's endpoint with index ``rank``. Unknown is not failing."""
    return rank + FAILING if vip.verdict is Verdict.FAILING and rank != UNRANKED else rank


def place_of(peer: Peer, vip: VipState, rank: int) -> int:
    """Place of an endpoint of ``peer``."""
    return rank + FAILING if fails(peer, vip) else rank


def fails(peer: Peer, vip: VipState) -> bool:
    """Whether ``peer`` says that a check of ``vip`` fails there."""
    relapse = peer.relapses.get(vip.id)
    return relapse is not None and relapse.failing


def heard(peer: Peer, entry: RoleEntry, now: float) -> None:
    """A role entry of ``peer`` changed: remember failures and when they ended, for rule 9 waits as after a flap."""
    if entry.rank == UNRANKED:
        return  # it has no endpoint to serve on, and says nothing of its checks
    failing, known = entry.rank >= FAILING, peer.relapses.get(entry.vip)
    if known is None:
        if failing:
            peer.relapses[entry.vip] = Relapse(failing=True, since=now, times=1)
    elif failing != known.failing:
        if failing:
            known.times = 1 if now - known.since >= FLAPS_FORGOTTEN_S else known.times + 1
        known.failing, known.since = failing, now


def merits(peer: Peer, vip: VipState, now: float, healthy_for_s: float, flaps: int) -> tuple[float, int]:
    """For how long an endpoint of ``peer`` has been fit to serve ``vip``, and how often it was not: ``healthy_for_s``
    and ``flaps`` of the endpoint, or what its checks have to answer for."""
    relapse = peer.relapses.get(vip.id)
    if relapse is None:
        return healthy_for_s, flaps
    return min(healthy_for_s, now - relapse.since), max(flaps, relapse.times)
