"""VirtualIP: an address that belongs to the system, and how it moves."""

from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from vipa.plan import FailbackPolicy
from vipa.resources.healthcheck import CHECKS_MAX, HealthCheck
from vipa.resources.meta import API_VERSION, Condition, Object, ObjectMeta, Wire
from vipa.resources.selectors import LabelSelector
from vipa.resources.texts import Address, Duration, InterfaceGlob, InterfaceName, Label, NodeName, Time
from vipa.timing import Timing


class Binding(StrEnum):
    """Where the address is bound."""

    HOLDER = "Holder"
    EVERY_CANDIDATE = "EveryCandidate"


class AttachmentType(StrEnum):
    """Where the address lives."""

    HOST = "Host"
    VIRTUAL_ETHERNET = "VirtualEthernet"


class Partition(StrEnum):
    """What a split LAN does (rule 7)."""

    AVAILABLE = "Available"
    SINGLE = "Single"


VOTERS_MAX: Final = 5
"""Rule 7: a majority that survives two losses; nobody needs more."""


class Attachment(Wire, frozen=True):
    """The node itself, or a bridge of it behind which the address lives."""

    type: AttachmentType = AttachmentType.HOST
    bridge: Annotated[InterfaceName, Meta(description="VirtualEthernet only: name of the bridge")] = ""


class Failback(Wire, frozen=True):
    """When a holder returns to a better endpoint (rule 9)."""

    policy: FailbackPolicy = FailbackPolicy.DELAYED
    delay: Annotated[
        Duration, Meta(description='Delayed only: how long the better endpoint must be healthy, "30s"')
    ] = "30s"


class VirtualIPSpec(Wire, frozen=True):
    """Which address, where it may be served, and how it moves."""

    addresses: Annotated[
        tuple[Address, ...], Meta(max_length=2, description="One IPv4, one IPv6, or one of each; or use pool")
    ] = ()
    pool: Annotated[Label, Meta(description="VirtualIPPool to take the addresses from; or use addresses")] = ""
    preferred_interface_list: Annotated[
        Label, Meta(description="Name of a PreferredInterfaceList; omitted: vipa ranks the interfaces itself")
    ] = ""
    node_selector: Annotated[LabelSelector, Meta(description="Nodes that may serve")] = LabelSelector()
    interfaces: Annotated[
        tuple[InterfaceGlob, ...],
        Meta(max_length=64, description="Name globs; empty: every interface whose subnet holds the address"),
    ] = ()
    binding: Annotated[
        Binding,
        Meta(
            description="Holder: bound on the node that answers ARP. EveryCandidate: on every candidate, so that "
            "remote clients can be spread over all of them; one answers ARP"
        ),
    ] = Binding.HOLDER
    attachment: Attachment = Attachment()
    failback: Failback = Failback()
    partition: Partition = Partition.AVAILABLE
    timing: Timing = Timing.DEFAULT
    health_checks: Annotated[
        tuple[HealthCheck, ...],
        Meta(max_length=CHECKS_MAX, description="Asked by each node of itself; one on which any fails is no candidate"),
    ] = ()
    probe_targets: Annotated[
        tuple[Address, ...],
        Meta(max_length=16, description="Addresses asked to tell a dead path from a quiet LAN; default: the gateway"),
    ] = ()
    voters: Annotated[
        tuple[NodeName, ...], Meta(max_length=VOTERS_MAX, description="Single only: 3 or 5 node names")
    ] = ()
    paused: Annotated[bool, Meta(description="Whoever holds it keeps it, nothing moves")] = False


class HolderStatus(Wire, frozen=True):
    """Who serves now."""

    node: str = ""
    interface: str = ""
    address: Annotated[str, Meta(description="The interface's own address")] = ""
    mac: str = ""
    since: Time = ""
    term: int = 0
    endpoint: Annotated[str, Meta(description="node/interface, as column HOLDER shows it")] = ""


class CandidateStatus(Wire, frozen=True):
    """One candidate of the succession."""

    node: str = ""
    interface: str = ""
    address: Annotated[str, Meta(description="The interface's own address")] = ""
    healthy: bool = False
    reason: Annotated[str, Meta(description="Why it serves or does not")] = ""
    failing: Annotated[tuple[str, ...], Meta(description="Health checks that fail on its node, and how")] = ()


class TransitionStatus(Wire, frozen=True):
    """One move of the past."""

    time: Time = ""
    from_: str = msgspec.field(name="from", default="")
    to: str = ""
    reason: str = ""
    gap_estimate: Annotated[str, Meta(description="How long nobody answered, such as 87ms")] = ""


class MovePhase(StrEnum):
    """How far a move somebody asked for has come."""

    ASKED = "Asked"
    DONE = "Done"


class MoveStatus(Wire, frozen=True):
    """A move that was asked for by annotation. Once done it is remembered, so that failback does not undo it, until the
    target stops to hold, or spec or list change."""

    to: Annotated[str, Meta(description="NODE or NODE/INTERFACE, as it was asked for")] = ""
    since: Time = ""
    phase: MovePhase = MovePhase.ASKED
    generation: Annotated[int, Meta(description="metadata.generation when it was asked for")] = 0
    list_generation: Annotated[int, Meta(description="The same of its PreferredInterfaceList, 0 without one")] = 0


class VirtualIPStatus(Wire, frozen=True):
    """Who serves the address, who could, and why not the others."""

    observed_generation: Annotated[int, Meta(description="The metadata.generation that this status is about")] = 0
    addresses: Annotated[
        tuple[str, ...], Meta(description="What is served: those of spec, or taken from the pool")
    ] = ()
    address: Annotated[str, Meta(description="The addresses in one text, as column ADDRESS shows them")] = ""
    holder: HolderStatus | None = None
    spares: Annotated[int, Meta(ge=0, description="Healthy candidates besides the holder")] = 0
    succession: Annotated[tuple[CandidateStatus, ...], Meta(description="All candidates, most preferred first")] = ()
    next_hops: Annotated[
        tuple[str, ...], Meta(description="Healthy interface addresses, for a load balancer that serves remote clients")
    ] = ()
    last_transitions: Annotated[tuple[TransitionStatus, ...], Meta(max_length=10, description="Newest first")] = ()
    move: Annotated[MoveStatus | None, Meta(description="The move that was asked for last, while it counts")] = None
    conditions: Annotated[tuple[Condition, ...], Meta(description="Ready, Redundant, Accepted, Conflict")] = ()


class VirtualIP(Object, frozen=True, kw_only=True):
    """An address that belongs to the system, not to a machine, and how it moves."""

    api_version: Literal["vipa.dev/v1alpha1"] = API_VERSION
    kind: Literal["VirtualIP"] = "VirtualIP"
    metadata: ObjectMeta = ObjectMeta()
    spec: VirtualIPSpec = VirtualIPSpec()
    status: VirtualIPStatus = VirtualIPStatus()
