"""The planner turns a world of objects and nodes into successions. Pure: no I/O, clock or random."""

from vipa.planner.groups import groups
from vipa.planner.incremental import Answer, Planner, checks_of, policy_of, refusal_of
from vipa.planner.planner import plan
from vipa.planner.world import InterfaceView, NodeView, World, node_view, world_of

__all__ = [
    "Answer",
    "InterfaceView",
    "NodeView",
    "Planner",
    "World",
    "checks_of",
    "groups",
    "node_view",
    "plan",
    "policy_of",
    "refusal_of",
    "world_of",
]
