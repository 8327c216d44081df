"""VirtualIPNode: one per node. Its spec is the node's share of the plan, its status what the node reports."""

from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from vipa.resources.healthcheck import CHECKS_MAX, AssignedCheck
from vipa.resources.meta import API_VERSION, Object, ObjectMeta, Wire
from vipa.resources.texts import Address, InterfaceName, Time
from vipa.resources.virtualip import Binding, Failback
from vipa.timing import Timing

ASSIGNMENTS_MAX: Final = 10_000
"""As many VIPs as a cluster is promised to have; etcd's 1.5 MiB for one object are full at about half of them."""

OwnAddress = Annotated[str, Meta(extra_json_schema={"format": "cidr"})]
"""An address with prefix length, 10.1.1.4/24."""


class Role(StrEnum):
    """What a node is for one VIP."""

    HOLDER = "Holder"
    SPARE = "Spare"
    CLAIMING = "Claiming"
    EXCLUDED = "Excluded"
    IDLE = "Idle"


class AssignedEndpoint(Wire, frozen=True):
    """One endpoint of a succession."""

    address: Annotated[str, Meta(description="The interface's own address, its identity")]
    node: Annotated[str, Meta(description="Empty where only the address is known")] = ""
    interface: Annotated[str, Meta(description="Empty where only the address is known")] = ""


class Assignment(Wire, frozen=True):
    """One planned VIP (:class:`vipa.plan.PlannedVip`) in the spelling of the wire."""

    name: Annotated[str, Meta(description="The VirtualIP's")]
    addresses: Annotated[tuple[Address, ...], Meta(max_length=2, description="What is served, IPv4 first")]
    succession: Annotated[tuple[AssignedEndpoint, ...], Meta(description="Most preferred first")]
    timing: Timing = Timing.DEFAULT
    failback: Failback = Failback()
    probe_targets: Annotated[tuple[str, ...], Meta(description="As the VirtualIP has them")] = ()
    paused: Annotated[bool, Meta(description="Whoever holds it keeps it, nothing moves")] = False
    health_checks: Annotated[
        tuple[AssignedCheck, ...], Meta(max_length=CHECKS_MAX, description="As the VirtualIP has them")
    ] = ()
    binding: Annotated[Binding, Meta(description="As the VirtualIP has it")] = Binding.HOLDER
    bridge: Annotated[
        InterfaceName, Meta(description="Of the node, behind which the address lives; empty: on the node itself")
    ] = ""


class VirtualIPNodeSpec(Wire, frozen=True):
    """Written by the operator only."""

    epoch: Annotated[int, Meta(ge=0, description="Raised with every change of the assignments; never goes back")] = 0
    assignments: Annotated[
        tuple[Assignment, ...],
        Meta(max_length=ASSIGNMENTS_MAX, description="The VirtualIPs in whose succession this node is"),
    ] = ()


class InterfaceStatus(Wire, frozen=True):
    """One interface. ``addresses`` are its own with prefix length, never VIPs."""

    name: Annotated[str, Meta(min_length=1)]
    addresses: Annotated[tuple[OwnAddress, ...], Meta(description="Own addresses with prefix length, 10.1.1.4/24")] = ()
    mac: str = ""
    healthy: bool = True
    reason: str = ""


class VipStatus(Wire, frozen=True):
    """One VIP as this node sees it."""

    name: str
    addresses: tuple[str, ...] = ()
    role: Role = Role.IDLE
    interface: str = ""
    reason: str = ""
    since: Time = ""
    term: int = 0
    failing: Annotated[
        tuple[str, ...], Meta(description="Health checks that fail on this node, and how; empty: none does")
    ] = ()
    conflict: Annotated[str, Meta(description="MAC of a foreign station that has the address too")] = ""
    copy: Annotated[
        bool, Meta(description="EveryCandidate: the address is defined here, whoever answers ARP for it")
    ] = False


class PathStatus(Wire, frozen=True):
    """One path to a peer."""

    interface: str
    state: str = ""
    loss_permille: Annotated[int, Meta(ge=0, le=1000)] = 0


class PeerStatus(Wire, frozen=True):
    """One peer node."""

    node: str
    paths: tuple[PathStatus, ...] = ()


class AgentStatus(Wire, frozen=True):
    """The program that writes this status."""

    version: str = ""
    boot_id: str = msgspec.field(name="bootID", default="")


class RepairStatus(Wire, frozen=True):
    """What another program on the node removed or changed, and was put back."""

    what: str
    reason: Annotated[str, Meta(description="PutBack, or RemovedAgain while it is removed again and again")] = ""
    times: Annotated[int, Meta(ge=0)] = 0


class BgpSessionStatus(Wire, frozen=True):
    """One session of the node's FRR."""

    peer: Annotated[str, Meta(description="The router's address")]
    state: Annotated[str, Meta(description="FRR's word, Established when it is up")] = ""
    bfd: Annotated[str, Meta(description="Up, Down …; empty: BFD does not watch it")] = ""
    local: Annotated[str, Meta(description="This node's address, by which the router reaches it")] = ""
    advertised: Annotated[int, Meta(ge=0, description="Addresses of VirtualIPs that were sent to it")] = 0


class VirtualIPNodeStatus(Wire, frozen=True):
    """Written by that node's agent only, on change only; ``vipa-agent status -o json`` prints the same."""

    node: str = ""
    epoch: Annotated[int, Meta(ge=0)] = 0
    interfaces: tuple[InterfaceStatus, ...] = ()
    vips: tuple[VipStatus, ...] = ()
    held: Annotated[tuple[str, ...], Meta(description="Names of the VIPs this node serves")] = ()
    agent: AgentStatus = AgentStatus()
    peers: tuple[PeerStatus, ...] = ()
    repairs: Annotated[tuple[RepairStatus, ...], Meta(description="Forgotten after a quiet minute")] = ()
    frr: Annotated[str, Meta(description="Healthy, or what is wrong with the node's FRR; empty: it is not used")] = ""
    frr_message: str = ""
    bgp: Annotated[tuple[BgpSessionStatus, ...], Meta(description="With the agent's option --bgp frr")] = ()


class VirtualIPNode(Object, frozen=True, kw_only=True):
    """One node: what it is to serve, and what its agent reports. It has the node's name.

    Standalone, its labels are the node's labels.
    """

    api_version: Literal["vipa.dev/v1alpha1"] = API_VERSION
    kind: Literal["VirtualIPNode"] = "VirtualIPNode"
    metadata: ObjectMeta = ObjectMeta()
    spec: VirtualIPNodeSpec = VirtualIPNodeSpec()
    status: VirtualIPNodeStatus = VirtualIPNodeStatus()
