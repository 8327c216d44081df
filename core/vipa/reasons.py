"""The one enum of reasons.

Every refusal and every move carries a :class:`Reason`; the log line, the metric label, the condition and ``explain``
show the same word. Adding a word here is adding a word to ``docs/operations.md``.
"""

from enum import StrEnum


class Reason(StrEnum):
    """Why something serves, does not serve, moved or was refused. The value is the word people see."""

    # Why an endpoint serves, or came to serve
    TOP_OF_LIST = "TopOfList"
    HOLDER_SILENT = "HolderSilent"
    BETTER_ENDPOINT_BACK = "BetterEndpointBack"
    ENDPOINT_FAILED = "EndpointFailed"
    INTERFACE_RENAMED = "InterfaceRenamed"
    HANDED_OVER = "HandedOver"
    ADOPTED = "Adopted"
    ONLY_CANDIDATE = "OnlyCandidate"

    # Why an endpoint is not elected although nothing is wrong with it
    LOWER_IN_LIST = "LowerInList"
    FAILBACK_WAITING = "FailbackWaiting"
    FAILBACK_NEVER = "FailbackNever"
    LISTENING = "Listening"
    HOLDER_ANSWERS = "HolderAnswers"

    # What other programs do to what is ours
    PUT_BACK = "PutBack"
    REMOVED_AGAIN = "RemovedAgain"

    # How it is with FRR, which tells routers that speak BGP
    FRR_UNREACHABLE = "FrrUnreachable"
    FRR_REFUSED = "FrrRefused"
    NO_BGP_INSTANCE = "NoBgpInstance"
    NO_BGP_SESSION = "NoBgpSession"
    NOT_ADVERTISED = "NotAdvertised"
    NETWORK_TAKEN = "NetworkTaken"

    # Health of an endpoint (rule 2)
    HEALTHY = "Healthy"
    INTERFACE_MISSING = "InterfaceMissing"
    INTERFACE_DOWN = "InterfaceDown"
    LINK_DOWN = "LinkDown"
    ADDRESS_MISSING = "AddressMissing"
    PATH_SILENT = "PathSilent"
    ONE_WAY = "OneWay"
    ISOLATED = "Isolated"
    NOT_HEARD = "NotHeard"

    # Why a holder stopped, or a claim did not happen
    PERMIT_LAPSED = "PermitLapsed"
    LOST_DUEL = "LostDuel"
    RIVAL_ANNOUNCED = "RivalAnnounced"
    NO_HEALTHY_ENDPOINT = "NoHealthyEndpoint"
    HEALTH_CHECK_FAILED = "HealthCheckFailed"
    GUEST_SILENT = "GuestSilent"
    BRIDGE_MISSING = "BridgeMissing"
    NOT_FORWARDING = "NotForwarding"
    SHUTDOWN = "Shutdown"
    PLAN_REMOVED = "PlanRemoved"
    CONFLICT = "Conflict"
    CLAIM_EXPIRED = "ClaimExpired"
    KERNEL_REFUSED = "KernelRefused"
    NO_CONTACT = "NoContact"
    PLAN_MISMATCH = "PlanMismatch"
    PAUSED = "Paused"

    # Why a manifest or a VirtualIP is refused
    INVALID = "Invalid"
    NOT_SUPPORTED_YET = "NotSupportedYet"
    LIST_NOT_FOUND = "ListNotFound"
    NO_CANDIDATES = "NoCandidates"
    ADDRESS_IN_USE = "AddressInUse"
    NODE_ADDRESS = "NodeAddress"
    ACCEPTED = "Accepted"

    # What the operator says of a VirtualIP besides
    NO_CONFLICT = "NoConflict"
    MOVE_REFUSED = "MoveRefused"
    MOVE_TIMED_OUT = "MoveTimedOut"

    # What the operator says of a VirtualIPNode
    SHARE_REFUSED = "ShareRefused"
    NODE_GONE = "NodeGone"
