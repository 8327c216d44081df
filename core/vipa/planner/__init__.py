"""The planner turns a world of objects and nodes into successions. Pure: no I/O, clock or random."""

from vipa.planner.groups import groups
from vipa.planner.incremental import Answer, Planner, refusal_of, with_spec
from vipa.planner.planner import plan
from vipa.planner.world import InterfaceView, NodeView, World, node_view, world_of

__all__ = [
    "Answer",
    "InterfaceView",
    "NodeView",
    "Planner",
    "World",
    "groups",
    "node_view",
    "plan",
    "refusal_of",
    "with_spec",
    "world_of",
]
