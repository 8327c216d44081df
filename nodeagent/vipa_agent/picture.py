"""What people and metrics see of the agent: the document of ``vipa-agent status`` and the metrics' picture."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from vipa import __version__
from vipa.election import checks
from vipa.election.elector import Elector
from vipa.election.health import LocalEndpoint
from vipa.election.node import Node
from vipa.election.peers import Peer
from vipa.election.states import State
from vipa.election.vip import Verdict, VipState
from vipa.planner import groups
from vipa.reasons import Reason
from vipa_agent.bgp.sessions import ESTABLISHED
from vipa_agent.bgp.view import NO_BGP, BgpView
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.keyfile import names
from vipa_agent.metrics import Picture
from vipa_agent.status import pid_namespace

_ROLES: Final = {
    State.IDLE: "Idle",
    State.LISTENING: "Spare",
    State.SPARE: "Spare",
    State.SUSPECTING: "Claiming",
    State.CLAIMING: "Claiming",
    State.RECEIVING: "Spare",
    State.HOLDER: "Holder",
    State.YIELDING: "Spare",
}


VIPS_PER_TURN: Final = 50
"""Virtual IPs of a document between two turns of the loop: 1 ms at 20 µs each. 2,000 in one go take 45 ms, nearly
Default's silence, and readiness probes ask every few seconds."""


async def status(elector: Elector, boot_id: str) -> dict[str, Any]:
    """The document of ``vipa-agent status -o json``, made in turns with the loop."""
    node = elector.node
    vips: list[dict[str, Any]] = []
    for vip in list(node.vips.values()):
        vips.append(_vip(node, vip, boottime_s()))
        if len(vips) % VIPS_PER_TURN == 0:
            await asyncio.sleep(0)
    now = boottime_s()
    return {
        "node": node.config.node,
        "epoch": node.plan.epoch,
        "agent": {
            "version": __version__,
            "bootID": boot_id,
            "incarnation": f"{node.config.incarnation:016x}",
            "pidNamespace": pid_namespace(),
            "keys": names(node.config.keys),
        },
        "vips": vips,
        "refusals": [
            {"kind": r.kind, "name": r.name, "reason": r.reason, "message": r.message} for r in node.plan.refusals
        ],
        "interfaces": _interfaces(node),
        "peers": [_peer(node, peer, now) for peer in node.peers.values()],
        "heartbeats": dict(elector.receiver.results),
    }


def role(node: Node, vip: VipState) -> str:
    """Role word for people and for VirtualIPNode's status: a spare without a healthy endpoint, or with a failing health
    check, is Excluded."""
    word = _ROLES[vip.state]
    excluded = word == "Spare" and (vip.verdict is Verdict.FAILING or node.best_local(vip) is None)
    return "Excluded" if excluded else word


def _vip(node: Node, vip: VipState, now: float) -> dict[str, Any]:
    held = vip.state is State.HOLDER
    return {
        "name": vip.name,
        "addresses": list(vip.plan.addresses),
        "role": role(node, vip),
        "state": vip.state,
        "interface": vip.interface,
        "reason": reason_of(node, vip),
        "since": wall(vip.since, now),
        "term": vip.term,
        "holder": node.config.node if held else vip.holder,
        "failing": list(checks.failures(node, vip)),
        "conflict": vip.conflict,
        "copy": has_copy(node, vip),
        "planMismatch": sorted(vip.mismatch),
        "succession": [_candidate(node, vip, rank, now) for rank in range(len(vip.succession))],
    }


def has_copy(node: Node, vip: VipState) -> bool:
    """Whether remote clients may be sent here though another node answers ARP: not to a node that is about to stop."""
    return vip.copied and vip.bound and node.stopping_since is None


def reason_of(node: Node, vip: VipState) -> Reason:
    """Why it is as it is, in one word."""
    if vip.state is State.HOLDER and vip.rank(vip.elected) == 0 and vip.reason is not Reason.ADOPTED:
        return Reason.TOP_OF_LIST
    if vip.state in (State.SPARE, State.LISTENING) and node.best_local(vip) is None:
        if vip.absent and vip.guest:
            return vip.guest
        worst = next((e.reason for _, e in node.local(vip) if not e.healthy), None)
        return worst or (Reason.LISTENING if node.local(vip) else Reason.NO_HEALTHY_ENDPOINT)
    if vip.state in (State.SPARE, State.LISTENING) and vip.verdict is Verdict.FAILING:
        return Reason.HEALTH_CHECK_FAILED
    return vip.reason


def _candidate(node: Node, vip: VipState, rank: int, now: float) -> dict[str, Any]:
    endpoint = vip.succession[rank]
    local = node.health.endpoints.get(endpoint.address)
    peer = node.peer_by_address.get(endpoint.address)
    failing = peer is not None and checks.fails(peer, vip)
    if local is not None:
        name, interface, reason = node.config.node, local.interface, local.reason
        failing = vip.verdict is Verdict.FAILING
    elif peer is not None and peer.alive(now):
        state = peer.endpoints.get(endpoint.address)
        name, interface = peer.node, endpoint.interface
        reason = Reason.HEALTHY if state is not None and state.healthy else Reason.NO_HEALTHY_ENDPOINT
    else:
        name, interface, reason = (peer.node if peer else endpoint.node), endpoint.interface, Reason.NOT_HEARD
    if failing and reason is Reason.HEALTHY:
        reason = _failing(vip, here=local is not None)
    healthy = reason is Reason.HEALTHY
    elected = endpoint.address == vip.elected
    return {
        "node": name,
        "interface": interface,
        "address": endpoint.address,
        "healthy": healthy,
        "elected": elected,
        "reason": reason if elected or not healthy else Reason.LOWER_IN_LIST,
    }


def _failing(vip: VipState, *, here: bool) -> Reason:
    """Why a healthy endpoint is no candidate; of another node's guest it is only known that it cannot be served."""
    if here:
        return vip.guest if vip.absent and vip.guest else Reason.HEALTH_CHECK_FAILED
    return Reason.GUEST_SILENT if vip.plan.bridge else Reason.HEALTH_CHECK_FAILED


def _interfaces(node: Node) -> list[dict[str, Any]]:
    """Service interfaces: one entry each, its endpoints' addresses with prefix length."""
    found: dict[str, dict[str, Any]] = {}
    for endpoint in node.health.endpoints.values():
        entry = found.setdefault(
            endpoint.interface,
            {
                "name": endpoint.interface,
                "addresses": [],
                "mac": endpoint.mac,
                "healthy": endpoint.healthy,
                "reason": endpoint.reason,
                "flaps": endpoint.flaps,
            },
        )
        entry["addresses"].append(_with_length(endpoint))
    return list(found.values())


def _with_length(endpoint: LocalEndpoint) -> str:
    return f"{endpoint.address}/{endpoint.network.partition('/')[2]}"


def _peer(node: Node, peer: Peer, now: float) -> dict[str, Any]:
    return {
        "node": peer.node,
        "alive": peer.alive(now),
        "twoWay": peer.two_way(now),
        "intervalMs": round(peer.interval_s * 1000, 1),
        "paths": [
            {
                "interface": path.interface,
                "address": path.mine,
                "to": path.theirs,
                "state": "Up" if path.up(now, peer.interval_s) else "Down",
                "lossPermille": path.loss_permille(),
            }
            for path in node.paths.values()
            if path.theirs in peer.endpoints
        ],
    }


def bgp(view: BgpView) -> dict[str, Any]:
    """What the document has of FRR and its sessions."""
    return {"frr": view.reason, "frrMessage": view.message, "bgp": list(view.sessions)}


def picture(elector: Elector, bgp: BgpView = NO_BGP) -> Picture:
    """The metrics' picture."""
    node = elector.node
    group_of = {name: group for group, names in groups(node.plan).items() for name in names}
    return Picture(
        holder={
            (vip.name, local.interface): local.address == vip.elected
            for vip in node.vips.values()
            for _, local in node.local(vip)
        },
        endpoint_healthy={e.interface: e.healthy for e in node.health.endpoints.values()},
        conflict={vip.name: bool(vip.conflict) for vip in node.vips.values()},
        check_failing={v.name: v.verdict is Verdict.FAILING for v in node.vips.values() if v.plan.checks},
        permit_on={
            group_of[vip.name]: "" if node.alone(vip) else vip.interface
            for vip in node.vips.values()
            if vip.state is State.HOLDER and vip.name in group_of
        },
        permits=node.permits.until,
        bgp_up={session.peer: session.state == ESTABLISHED for session in bgp.sessions},
        bgp_advertised={session.peer: session.advertised for session in bgp.sessions},
    )


def wall(at: float, now: float) -> str:
    """CLOCK_BOOTTIME ``at`` as RFC 3339 text; ``now`` is the same clock's time. Empty for "never"."""
    if at == float("-inf"):
        return ""
    return (datetime.now(UTC) - timedelta(seconds=now - at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
