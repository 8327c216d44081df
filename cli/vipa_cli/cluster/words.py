"""Each word of :class:`vipa.reasons.Reason` in half a sentence. docs/operations.md has the paragraph and the remedy."""

from typing import Final

from vipa.reasons import Reason

_WORDS: Final = {
    Reason.TOP_OF_LIST: "the best healthy candidate",
    Reason.HOLDER_SILENT: "took over because the holder before was silent",
    Reason.BETTER_ENDPOINT_BACK: "back on a better candidate, as failback wants it",
    Reason.ENDPOINT_FAILED: "took over because another interface of this node failed",
    Reason.INTERFACE_RENAMED: "the interface it serves on has another name now",
    Reason.HANDED_OVER: "the holder before handed over on purpose",
    Reason.ADOPTED: "its agent restarted and took over what it served before",
    Reason.ONLY_CANDIDATE: "the only candidate",
    Reason.LOWER_IN_LIST: "healthy, and ready to take over; a better one serves",
    Reason.FAILBACK_WAITING: "better than the holder, but not healthy for failback.delay yet",
    Reason.FAILBACK_NEVER: "better than the holder, but failback.policy is Never",
    Reason.LISTENING: "just started; it listens before it does anything",
    Reason.HOLDER_ANSWERS: "the holder's agent is silent, but its kernel still answers",
    Reason.HEALTHY: "healthy",
    Reason.INTERFACE_MISSING: "there is no such interface on the node",
    Reason.INTERFACE_DOWN: "the interface is down",
    Reason.LINK_DOWN: "no carrier: cable, switch port or peer",
    Reason.ADDRESS_MISSING: "the interface does not have its own address",
    Reason.PATH_SILENT: "link is up, but nothing is heard on it",
    Reason.ONE_WAY: "hears others, but is not heard",
    Reason.ISOLATED: "hears nobody, although it asks",
    Reason.NOT_HEARD: "no agent hears this node",
    Reason.PERMIT_LAPSED: "its agent did not renew the permit in time: frozen, or short of CPU",
    Reason.LOST_DUEL: "two held it, and the other had the better claim",
    Reason.PUT_BACK: "another program had removed or changed it",
    Reason.REMOVED_AGAIN: "another program removes it again and again",
    Reason.RIVAL_ANNOUNCED: "a better one announced it, though unheard",
    Reason.NO_HEALTHY_ENDPOINT: "no interface of the node is healthy",
    Reason.GUEST_SILENT: "the guest with this address does not answer behind the bridge there",
    Reason.BRIDGE_MISSING: "the bridge to the guest is missing or down there",
    Reason.NOT_FORWARDING: "the node does not forward to its guests; its agent's message names the setting",
    Reason.FRR_UNREACHABLE: "the node's FRR does not run, or cannot be reached",
    Reason.FRR_REFUSED: "the node's FRR did not take a command",
    Reason.NO_BGP_INSTANCE: "the node's FRR has no router bgp",
    Reason.NO_BGP_SESSION: "no BGP session of the node is up",
    Reason.NOT_ADVERTISED: "sessions are up, but some address was sent to no router",
    Reason.NETWORK_TAKEN: "the node's FRR has a network line of its own for an address, which stays as it is",
    Reason.HEALTH_CHECK_FAILED: "a health check failed there, or on the holder before",
    Reason.SHUTDOWN: "its agent was stopped, and nobody could take over",
    Reason.PLAN_REMOVED: "it is not in the plan any more",
    Reason.CONFLICT: "a foreign machine answers for the address",
    Reason.CLAIM_EXPIRED: "a claim came too late and was given up",
    Reason.KERNEL_REFUSED: "the kernel refused; see the agent's log",
    Reason.NO_CONTACT: "it has no contact with anybody newer than its suspicion",
    Reason.PLAN_MISMATCH: "it works by another plan than the others",
    Reason.PAUSED: "spec.paused is set: nothing moves",
    Reason.INVALID: "the object is not valid",
    Reason.NOT_SUPPORTED_YET: "asks for what this version does not do yet",
    Reason.LIST_NOT_FOUND: "its PreferredInterfaceList does not exist",
    Reason.NO_CANDIDATES: "no interface may serve it",
    Reason.ADDRESS_IN_USE: "another virtual IP has the address",
    Reason.NODE_ADDRESS: "the address is a node's own",
    Reason.ACCEPTED: "valid, and in the plan",
    Reason.NO_CONFLICT: "nobody else uses the address",
    Reason.MOVE_REFUSED: "the move was refused",
    Reason.MOVE_TIMED_OUT: "the move was not done in time",
    Reason.SHARE_REFUSED: "the API server does not take what the node is to be told",
    Reason.NODE_GONE: "its Node is gone, and the node leaves",
}


def words_for(reason: str) -> str:
    """Half a sentence; "" for a word of another version."""
    try:
        return _WORDS.get(Reason(reason), "")
    except ValueError:
        return ""
