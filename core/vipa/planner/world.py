"""What the planner looks at: the objects, the nodes, and nothing momentary."""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from vipa.plan import Refusal
from vipa.resources.interfacelist import PreferredInterfaceList
from vipa.resources.node import VirtualIPNode
from vipa.resources.validate import Resource
from vipa.resources.virtualip import VirtualIP


class InterfaceView(msgspec.Struct, frozen=True):
    """One declared interface: own addresses with prefix length, never VIPs. Carrier and health are left out on
    purpose: flaps must not re-rank (rule 1)."""

    name: str
    addresses: tuple[str, ...]


class NodeView(msgspec.Struct, frozen=True):
    """One node. ``eligible`` is false while it is to be no candidate (drained, excluded by label)."""

    name: str
    labels: dict[str, str] = {}
    interfaces: tuple[InterfaceView, ...] = ()
    eligible: bool = True


class World(msgspec.Struct, frozen=True):
    """Everything a plan is made of. Order does not matter; names are unique per kind. ``refused`` are objects that
    could not even be read: they appear in the plan's refusals, and a list among them refuses its users."""

    vips: tuple[VirtualIP, ...] = ()
    lists: tuple[PreferredInterfaceList, ...] = ()
    nodes: tuple[NodeView, ...] = ()
    refused: tuple[Refusal, ...] = ()
    epoch: Annotated[int, Meta(ge=0)] = 0


def world_of(objects: Iterable[Resource], refused: Iterable[Refusal] = (), epoch: int = 0) -> World:
    """The world of a folder: nodes are the folder's VirtualIPNodes, with their own labels. Nothing observed enters, so
    every node with the same folder makes the same plan."""
    all_objects = tuple(objects)
    return World(
        vips=tuple(o for o in all_objects if isinstance(o, VirtualIP)),
        lists=tuple(o for o in all_objects if isinstance(o, PreferredInterfaceList)),
        nodes=tuple(node_view(o) for o in all_objects if isinstance(o, VirtualIPNode)),
        refused=tuple(refused),
        epoch=epoch,
    )


def node_view(node: VirtualIPNode) -> NodeView:
    """What the planner needs of a VirtualIPNode."""
    interfaces = tuple(InterfaceView(i.name, i.addresses) for i in node.status.interfaces)
    return NodeView(node.metadata.name, node.metadata.labels, interfaces)
