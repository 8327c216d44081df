"""What the kernel says: renewed and lapsed permits (rule 6), its answers to claims, and what it held at the start."""

from vipa.election import claim, holding
from vipa.election.events import Answers, ClaimReady, HeldAtStart, PermitRenewed, Permitted
from vipa.election.node import Node
from vipa.election.states import State
from vipa.reasons import Reason


def renewed(node: Node, event: PermitRenewed) -> None:
    """A permit lives longer."""
    permits = node.permits.until
    if event.interface in permits:
        permits[event.interface] = max(permits[event.interface], event.until)


def permitted(node: Node, event: Permitted | Answers) -> None:
    """Answers to ``Permit`` or ``Move``."""
    for answer in event.events if isinstance(event, Answers) else (event,):
        vip = node.vips.get(answer.vip)
        if vip is not None and isinstance(answer, Permitted):
            holding.permitted(node, vip, answer)
    if isinstance(event, Answers) and any(isinstance(a, Permitted) and not a.ok for a in event.events):
        node.measure.less()  # claimed too many at once


def lapse(node: Node, now: float) -> None:
    """Permits that have ended by now."""
    for interface, until in list(node.permits.until.items()):
        if until <= now:
            lapsed(node, interface)


def lapsed(node: Node, interface: str) -> None:
    """The permit of this interface has ended."""
    node.permits.until.pop(interface, None)
    for vip in list(node.holding(interface)):
        node.listen(vip, Reason.PERMIT_LAPSED)


def ready(node: Node, event: ClaimReady | Answers) -> None:
    """Answers to ``BeginClaim``."""
    for answer in event.events if isinstance(event, Answers) else (event,):
        vip = node.vips.get(answer.vip)
        if vip is not None and isinstance(answer, ClaimReady):
            claim.ready(node, vip, answer.ok)


def held(node: Node, event: HeldAtStart) -> None:
    """Rule 8: adopt what the kernel still serves, touching nothing else."""
    vip = next((v for v in node.vips.values() if set(v.plan.addresses) == set(event.addresses)), None)
    endpoint = next((e for _, e in node.local(vip) if e.interface == event.interface), None) if vip else None
    if vip is None or endpoint is None or vip.state not in (State.IDLE, State.LISTENING):
        return
    if vip.state is State.IDLE:
        vip.enter(State.LISTENING)
    vip.bound = True
    if event.until is not None:
        node.permits.until[event.interface] = event.until
    node.elect(vip, event.interface, endpoint.address)
    holding.became_holder(node, vip, Reason.ADOPTED, max(event.term, vip.term_seen))
