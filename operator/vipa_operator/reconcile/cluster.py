"""What the operator has seen of the API server, in memory: objects by kind and name, read once for each change."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from vipa.plan import Refusal
from vipa.resources.interfacelist import PreferredInterfaceList
from vipa.resources.node import VirtualIPNodeSpec, VirtualIPNodeStatus
from vipa.resources.virtualip import VirtualIP, VirtualIPStatus

if TYPE_CHECKING:
    from vipa_operator.reconcile.writes import SpecWrite


class Kind(StrEnum):
    """What is watched; the values are the kinds' names in the API."""

    VIP = "VirtualIP"
    LIST = "PreferredInterfaceList"
    POOL = "VirtualIPPool"
    AGENT = "VirtualIPNode"
    NODE = "Node"


class Key(NamedTuple):
    """One object. All of them are cluster-scoped."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Meta:
    """Metadata that every object has. ``version`` is its resourceVersion."""

    name: str
    uid: str
    version: str
    generation: int = 0


@dataclass(frozen=True, slots=True)
class SeenVip:
    """``spec`` is the object to plan with (without status), the same one until its generation changes; None when it
    was refused as it was read. ``wanted``: the addresses it asks for, also then. ``move_to``: the annotation, ""
    without it."""

    meta: Meta
    spec: VirtualIP | None
    refusal: Refusal | None
    status: VirtualIPStatus
    wanted: tuple[str, ...] = ()
    move_to: str = ""


@dataclass(frozen=True, slots=True)
class SeenList:
    """A PreferredInterfaceList, or a VirtualIPPool (never planned with, so without ``spec``)."""

    meta: Meta
    spec: PreferredInterfaceList | None
    refusal: Refusal | None


@dataclass(frozen=True, slots=True)
class SeenAgent:
    """A VirtualIPNode. ``gone``: its Node is, and this is when its agent was told something last (RFC 3339); "" while
    there is one. ``owned``: an older version of ours made the Node its owner."""

    meta: Meta
    gone: str
    owned: bool
    spec: VirtualIPNodeSpec
    status: VirtualIPNodeStatus


@dataclass(frozen=True, slots=True)
class SeenNode:
    """A Kubernetes Node. ``excluded``: why it is to be no candidate, in words for people; "" when it may be one.
    ``ready``: its kubelet reports; this moves nothing, for agents judge by the wire."""

    meta: Meta
    labels: dict[str, str]
    excluded: str
    ready: bool


Seen = SeenVip | SeenList | SeenAgent | SeenNode


@dataclass(slots=True)
class Cluster:
    """Everything seen. ``specs`` (by node) and ``statuses`` (by VIP) are what was handed to the writer and not answered
    yet: until then it counts as what the API server has."""

    vips: dict[str, SeenVip] = field(default_factory=dict)
    lists: dict[str, SeenList] = field(default_factory=dict)
    pools: dict[str, SeenList] = field(default_factory=dict)
    agents: dict[str, SeenAgent] = field(default_factory=dict)
    nodes: dict[str, SeenNode] = field(default_factory=dict)
    specs: dict[str, "SpecWrite"] = field(default_factory=dict)
    statuses: dict[str, VirtualIPStatus] = field(default_factory=dict)

    def spec_of(self, node: str) -> VirtualIPNodeSpec | None:
        """The share of ``node`` as the API server has it or is getting it."""
        found = self.specs.get(node) or self.agents.get(node)
        return found.spec if found is not None else None

    def gone_of(self, node: str) -> str:
        """What stands there about when the Node of ``node`` went, in the same way."""
        found = self.specs.get(node) or self.agents.get(node)
        return found.gone if found is not None else ""

    def unreported(self, node: str) -> bool:
        """Its Node exists, but its agent has said nothing in its object: that was made just now, or made anew."""
        return node in self.nodes and not self.reported(node)

    def reported(self, node: str) -> bool:
        """Its agent has said something in its object. Without a Node that is a node that was taken out of the cluster
        while its agent runs, and may still serve."""
        agent = self.agents.get(node)
        return agent is not None and bool(agent.status.node)

    def status_of(self, vip: str) -> VirtualIPStatus:
        """The status of ``vip``, in the same way."""
        return self.statuses.get(vip) or self.vips[vip].status

    def keys(self) -> set[Key]:
        """All objects."""
        return {
            Key(kind, name)
            for kind, names in (
                (Kind.VIP, self.vips),
                (Kind.LIST, self.lists),
                (Kind.POOL, self.pools),
                (Kind.AGENT, self.agents),
                (Kind.NODE, self.nodes),
            )
            for name in names
        }
