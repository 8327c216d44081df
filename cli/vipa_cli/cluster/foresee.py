"""What happens next: who takes over when the holder fails, and how soon. Pure; figures by the published formulas."""

from collections.abc import Iterator
from typing import NamedTuple

from vipa.timing import PROFILES, Profile, Timing, node_death_s
from vipa_cli.cluster.kubeconfig import Json
from vipa_cli.cluster.objects import endpoint_text, spec_of, status_of


class Next(NamedTuple):
    """``fault``: what happens; ``successor``: node/interface, "" for nobody; ``how``: for people."""

    fault: str
    successor: str
    how: str


def foresee(vip: Json) -> list[Next]:
    """For each fault of the present holder what follows. Empty when nobody holds it."""
    holder = status_of(vip).get("holder") or {}
    if not holder.get("node"):
        return []
    node, interface = holder["node"], holder.get("interface", "")
    profile = _profile(vip)
    faults = (f"the adapter {interface} of {node} fails", f"{node} loses power", f"the agent on {node} is killed")
    if spec_of(vip).get("paused"):
        how = "spec.paused is set, so nothing moves; the address stays silent until that is over"
        return [Next(fault, "", how) for fault in faults]
    order = status_of(vip).get("succession") or ()
    # whose health checks fail takes over all the same, when nobody else can
    others = [*(c for c in order if c.get("healthy")), *(c for c in order if c.get("failing"))]
    inside = next((c for c in others if c["node"] == node and c.get("interface") != interface), None)
    outside = next((c for c in others if c["node"] != node), None)
    return [
        _adapter(faults[0], node, inside, outside, others, profile),
        _death(faults[1], outside, profile),
        _killed(faults[2], outside, profile),
    ]


def failback(vip: Json) -> str:
    """When it goes back to a better candidate, for people."""
    policy = spec_of(vip).get("failback") or {}
    kind, delay = policy.get("policy", "Delayed"), policy.get("delay", "30s")
    move = status_of(vip).get("move") or {}
    if move.get("phase") == "Done":
        return (
            f"was moved to {move.get('to')} by hand: it stays there, whatever failback.policy says, until that one "
            "fails or spec or list change"
        )
    if spec_of(vip).get("paused"):
        return "spec.paused is set: never, until that is over"
    if kind == "Never":
        return "never by itself (failback.policy Never)"
    better, best = list(_better(vip)), _is_best(vip)
    when = (
        "at once (failback.policy Immediate)"
        if kind == "Immediate"
        else f"when it has been healthy for {delay} (failback.delay; doubled with each flap, up to 10 minutes)"
    )
    if best:
        return f"it is on the best candidate; after a failure it comes back {when}"
    if not better:
        return f"to a better candidate {when}; none is healthy now"
    return f"to {better[0]}, {when}, without a gap"


def _better(vip: Json) -> Iterator[str]:
    """Healthy candidates that stand before the holder, best first."""
    holder = status_of(vip).get("holder") or {}
    for candidate in status_of(vip).get("succession") or ():
        if (candidate.get("node"), candidate.get("interface")) == (holder.get("node"), holder.get("interface")):
            return
        if candidate.get("healthy"):
            yield endpoint_text(candidate)


def _is_best(vip: Json) -> bool:
    holder, order = status_of(vip).get("holder") or {}, status_of(vip).get("succession") or [{}]
    return (order[0].get("node"), order[0].get("interface")) == (holder.get("node"), holder.get("interface"))


def _profile(vip: Json) -> Profile:
    try:
        return PROFILES[Timing(spec_of(vip).get("timing", Timing.DEFAULT))]
    except ValueError:  # of a newer version
        return PROFILES[Timing.DEFAULT]


def _adapter(
    fault: str, node: str, inside: Json | None, outside: Json | None, others: list[Json], profile: Profile
) -> Next:
    if inside is None:
        if outside is None:
            return _nobody(fault)
        how = f"within {_ms(node_death_s(profile))} ms: {node} has no other healthy candidate"
        return Next(fault, endpoint_text(outside), how)
    how = (
        f"at once when the link goes, after {_ms(profile.silence_s)} ms when only the path behind it dies; "
        "TCP sessions go on"
    )
    if outside is not None and others.index(outside) < others.index(inside):
        how += f"; then it hands over to {endpoint_text(outside)}, which is the better one, without a gap"
    return Next(fault, endpoint_text(inside), how)


def _death(fault: str, outside: Json | None, profile: Profile) -> Next:
    if outside is None:
        return _nobody(fault)
    how = (
        f"within {_ms(node_death_s(profile))} ms (timing {profile.name.value}: {profile.miss} heartbeats of "
        f"{_ms(profile.interval_s)} ms missed, one on its way, {profile.probes} probes unanswered)"
    )
    return Next(fault, endpoint_text(outside), how)


def _killed(fault: str, outside: Json | None, profile: Profile) -> Next:
    permit = f"its kernel goes on answering until the permit ends, {_ms(profile.permit_s)} ms at most"
    if outside is None:
        return Next(fault, "", f"{permit}; then nobody, for no other node has a healthy candidate")
    return Next(fault, endpoint_text(outside), f"{permit}; only then it takes over")


def _nobody(fault: str) -> Next:
    return Next(fault, "", "the address is silent until a candidate is healthy again: add one on another node")


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"
