"""What becomes of a VirtualIPNode whose Node is gone. Pure.

It is not owned by the Node: the garbage collector would delete it before its agent has read to hand over, and an agent
whose object is gone serves on by its last plan. So the operator deletes it, when the agent has let go of everything, or
can be taken for dead.
"""

from datetime import datetime
from typing import Final, NamedTuple

from vipa.resources.node import Role
from vipa_operator.reconcile.cluster import SeenAgent
from vipa_operator.reconcile.events import node_gone
from vipa_operator.reconcile.times import parse, text
from vipa_operator.reconcile.writes import DeleteWrite, EventWrite, Severity

SILENT_S: Final = 300.0
"""An agent that has not let go so long after it was told something last is taken for dead, if no other hears it. Where
a kubelet runs it ends the pod long before: Kubernetes deletes pods of a Node that is gone after 40 to 60 s (pod garbage
collector: quarantineTime, gcCheckPeriod), and ours has 15 s to stop. The rest is for controllers that are busy."""

BUSY: Final = (Role.HOLDER, Role.CLAIMING)


class Leave(NamedTuple):
    """``gone``: what is to stand in the object. ``deletion``: it is to go, now. ``due_in_s``: when to look again."""

    gone: str
    deletion: DeleteWrite | None = None
    events: tuple[EventWrite, ...] = ()
    due_in_s: float | None = None


def leave(agent: SeenAgent, gone: str, told: bool, heard: bool, now: datetime) -> Leave:
    """For a node without a Node. ``gone``: what stands in its object, or is being written. ``told``: so does its whole
    share; if not, its agent is about to hear news, and has all the time again. ``heard``: by other agents."""
    if _has_let_go(agent):
        return Leave(gone, _deletion(agent, Severity.NORMAL, "and its agent serves nothing any more"))
    if not gone:
        message = (
            f"Node {agent.meta.name} is gone: its agent is to hand over what it serves, then this object is deleted"
        )
        return Leave(text(now), None, (node_gone(agent, Severity.NORMAL, message),), SILENT_S)
    if not told:
        return Leave(text(now), due_in_s=SILENT_S)
    left_s = SILENT_S - (now - parse(gone)).total_seconds()
    if left_s > 0:
        return Leave(gone, due_in_s=left_s)
    if heard:
        return Leave(gone)  # looked at again when that changes
    why = f"its agent has not let go within {SILENT_S:g} s, and no other hears it: taken for dead"
    return Leave(gone, _deletion(agent, Severity.WARNING, why))


def _has_let_go(agent: SeenAgent) -> bool:
    """It reports that it goes by a plan of nothing, which it will go by for ever, and that it serves nothing."""
    told, said = agent.spec, agent.status
    busy = bool(said.held) or any(vip.role in BUSY for vip in said.vips)
    return told.epoch > 0 and not told.assignments and said.epoch == told.epoch and not busy


def _deletion(agent: SeenAgent, severity: Severity, why: str) -> DeleteWrite:
    event = node_gone(agent, severity, f"deleted: Node {agent.meta.name} is gone, {why}")
    return DeleteWrite(agent.meta.name, agent.meta.uid, agent.meta.version, (event,))
