"""Which Kubernetes Nodes are to be no candidates. Momentary health is no reason: a Node that is NotReady keeps its
place, for its agent may serve well while its kubelet does not, and the other agents judge by the wire."""

from collections.abc import Mapping
from typing import Any, Final

DRAIN_ANNOTATION: Final = "vipa.dev/drain"
EXCLUDE_LABEL: Final = "vipa.dev/exclude"
LOAD_BALANCER_LABEL: Final = "node.kubernetes.io/exclude-from-external-load-balancers"
"""Its presence counts, whatever the value (Kubernetes, well-known labels)."""
TAINTS: Final = {
    "vipa.dev/drain": "is drained (taint vipa.dev/drain)",
    "node.kubernetes.io/out-of-service": "is declared out of service (taint node.kubernetes.io/out-of-service)",
    "ToBeDeletedByClusterAutoscaler": "is about to be deleted by the cluster autoscaler",
}
"""Taints somebody put there on purpose. Those for not-ready and unreachable come and go with the kubelet."""


def excluded(node: Mapping[str, Any]) -> str:
    """Why ``node`` (as the API server sends it) is to be no candidate, to follow its name; "" when it may be one.
    Being cordoned alone moves nothing: that only keeps new pods away."""
    meta, spec = node["metadata"], node.get("spec") or {}
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    if meta.get("deletionTimestamp"):
        return "is being deleted"
    if annotations.get(DRAIN_ANNOTATION) == "true":
        return f"is drained (annotation {DRAIN_ANNOTATION})"
    if labels.get(EXCLUDE_LABEL) == "true":
        return f"is excluded (label {EXCLUDE_LABEL})"
    if LOAD_BALANCER_LABEL in labels:
        return f"is excluded (label {LOAD_BALANCER_LABEL})"
    for taint in spec.get("taints") or ():
        if taint.get("key") in TAINTS:
            return TAINTS[taint["key"]]
    return "has no network (condition NetworkUnavailable)" if _condition(node, "NetworkUnavailable") == "True" else ""


def ready(node: Mapping[str, Any]) -> bool:
    """Whether the kubelet of ``node`` reports that all is well."""
    return _condition(node, "Ready") == "True"


def _condition(node: Mapping[str, Any], name: str) -> str:
    conditions = (node.get("status") or {}).get("conditions") or ()
    return next((c.get("status", "") for c in conditions if c.get("type") == name), "")
