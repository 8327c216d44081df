"""What a cluster's controllers and kubelets would have made, made by hand: Nodes, Pods, and the tokens Pods get."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.objects import Object

SYSTEM: Final = "vipa-system"
"""The namespace vipa is installed in."""

AGENT: Final = "vipa-agent"
"""The agents' service account."""


OURS: Final = "app.kubernetes.io/part-of=vipa"
"""The label of everything that an installation consists of, but the heartbeat key and Helm's own Secrets."""

CLUSTER_WIDE: Final = "clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings"
NAMESPACED: Final = "serviceaccounts,secrets,roles,rolebindings,deployments,daemonsets,jobs,pods,poddisruptionbudgets"
"""And the kinds of it, beside CRDs."""


def add_node(api: ApiServer, name: str, *, address: str = "", labels: Mapping[str, str] | None = None) -> Object:
    """A Node as of a healthy machine: Ready, its InternalIP ``address``, no taint. Gives the object as stored."""
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
    }
    api.objects.apply(node)
    # The admission plugin TaintNodesByCondition gives each new Node not-ready; a controller takes it off once Ready.
    api.objects.patch("nodes", name, {"spec": {"taints": None}})
    addresses = [{"type": "InternalIP", "address": address}] if address else []
    return set_node_condition(api, name, "Ready", "True", addresses=addresses)


def set_node_condition(
    api: ApiServer, name: str, kind: str, status: str, *, addresses: list[dict[str, str]] | None = None
) -> Object:
    """Set one condition of a Node ("Ready", "NetworkUnavailable") to "True", "False" or "Unknown"; others stay. Gives
    the object as stored."""
    now = api.objects.get("nodes", name).get("status", {})
    others = [condition for condition in now.get("conditions", []) if condition["type"] != kind]
    changed = {"type": kind, "status": status, "reason": "Test", "message": "set by a test"}
    change: dict[str, Any] = {"conditions": [*others, changed]}
    if addresses is not None:
        change["addresses"] = addresses
    return api.objects.patch("nodes", name, {"status": change}, "status")


def node_token(api: ApiServer, node: str, *, namespace: str = SYSTEM, service_account: str = AGENT) -> str:
    """A token as the Pod of ``service_account`` on ``node`` has it, which says on which node it is. The Node must be
    there; namespace, service account and Pod are made when they are missing."""
    pod = f"{service_account}-{node}"
    inside = {"namespace": namespace}
    needed: dict[str, Object] = {
        "namespaces": {"kind": "Namespace", "metadata": {"name": namespace}},
        "serviceaccounts": {"kind": "ServiceAccount", "metadata": {"name": service_account, **inside}},
        "pods": {"kind": "Pod", "metadata": {"name": pod, **inside}, "spec": _pod_spec(node, service_account)},
    }
    for plural, manifest in needed.items():
        if api.objects.find(plural, manifest["metadata"]["name"], namespace) is None:
            api.objects.apply({"apiVersion": "v1", **manifest})
    return api.token(namespace, service_account, pod)


def write_service_account(folder: Path, token: str, ca_file: Path, namespace: str = SYSTEM) -> None:
    """The three files a Pod has in /var/run/secrets/kubernetes.io/serviceaccount; call again to renew the token.

    On a machine of the lab, ``host.run_dir / "secrets/kubernetes.io/serviceaccount"`` is that folder, its /run being
    its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("token", token), ("ca.crt", ca_file.read_text()), ("namespace", namespace)):
        # By rename, as a kubelet does: a reader sees the old or the new, never half of it.
        partial = folder / f".{name}"
        partial.write_text(text)
        partial.replace(folder / name)


def _pod_spec(node: str, service_account: str) -> Object:
    return {
        "nodeName": node,
        "serviceAccountName": service_account,
        "hostNetwork": True,
        "containers": [{"name": "agent", "image": "vipa.invalid/agent"}],
    }
