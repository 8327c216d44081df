"""Why nodes of the cluster are no candidates for a virtual IP at all. Pure."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_interface
from typing import Any, Final

from vipa_cli.cluster.kubeconfig import Json
from vipa_cli.cluster.objects import DRAIN, addresses, name_of, spec_of, status_of

EXCLUDE_LABEL: Final = "vipa.dev/exclude"
LOAD_BALANCER_LABEL: Final = "node.kubernetes.io/exclude-from-external-load-balancers"
TAINTS: Final = {
    "vipa.dev/drain": "drained (taint vipa.dev/drain)",
    "node.kubernetes.io/out-of-service": "declared out of service (taint node.kubernetes.io/out-of-service)",
    "ToBeDeletedByClusterAutoscaler": "about to be deleted by the cluster autoscaler",
}
"""As vipa_operator.reconcile.exclusion judges, in other words; a test holds the two together. The operator itself needs
more than the standard library, and these commands do not have more."""

NO_AGENT: Final = "no agent has reported from there"


def excluded(node: Json) -> str:
    """Why the Kubernetes Node is no candidate for anything, to follow "is"; "" when it may be one."""
    labels, annotations = (node["metadata"].get(field) or {} for field in ("labels", "annotations"))
    if node["metadata"].get("deletionTimestamp"):
        return "being deleted"
    if annotations.get(DRAIN) == "true":
        return f"drained (annotation {DRAIN}; undo: kubectl vipa drain {name_of(node)} --undo)"
    if labels.get(EXCLUDE_LABEL) == "true":
        return f"excluded (label {EXCLUDE_LABEL})"
    if LOAD_BALANCER_LABEL in labels:
        return f"excluded (label {LOAD_BALANCER_LABEL})"
    for taint in spec_of(node).get("taints") or ():
        if taint.get("key") in TAINTS:
            return TAINTS[taint["key"]]
    for condition in status_of(node).get("conditions") or ():
        if condition.get("type") == "NetworkUnavailable" and condition.get("status") == "True":
            return "without network (condition NetworkUnavailable)"
    return ""


def strangers(vip: Json, nodes: Iterable[Json], agents: Iterable[Json], pil: Json | None) -> dict[str, list[str]]:
    """Reason → names of the nodes that are not in the succession because of it. ``pil``: the VIP's list, or None."""
    candidates = {c.get("node") for c in status_of(vip).get("succession") or ()}
    reported = {name_of(agent): status_of(agent) for agent in agents}
    found: dict[str, list[str]] = {}
    for node in nodes:
        if name_of(node) not in candidates:
            found.setdefault(_why(vip, node, reported.get(name_of(node)) or {}, pil), []).append(name_of(node))
    return found


def _why(vip: Json, node: Json, reported: Json, pil: Json | None) -> str:
    spec = spec_of(vip)
    if why := excluded(node):
        return why.replace(f"drain {name_of(node)} --undo", "drain NODE --undo")
    if not reported.get("interfaces"):
        return NO_AGENT
    if not matches(spec.get("nodeSelector") or {}, node["metadata"].get("labels") or {}):
        return "not matched by spec.nodeSelector"
    wanted = addresses(vip)
    on_lan = [i["name"] for i in reported["interfaces"] if _holds(i.get("addresses") or (), wanted)]
    if not on_lan:
        return f"no interface has a subnet that holds {' '.join(wanted)}"
    globs = spec.get("interfaces") or ()
    if globs and not any(fnmatchcase(name, glob) for name in on_lan for glob in globs):
        return f"spec.interfaces ({', '.join(globs)}) does not let its interfaces through"
    if pil is not None and spec_of(pil).get("fallback") == "None":
        return f"not on PreferredInterfaceList {name_of(pil)}, which has fallback None"
    return "not planned with: too many better candidates, or the operator has not seen it yet"


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector, as JSON, matches ``labels``, by Kubernetes' rules."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for each in selector.get("matchExpressions") or ():
        key, values = each["key"], each.get("values") or ()
        met = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not met.get(each["operator"], False):
            return False
    return True


def _holds(own: Iterable[str], wanted: Iterable[str]) -> bool:
    networks = [ip_interface(text).network for text in own]
    return all(any(ip_address(address) in network for network in networks) for address in wanted)
