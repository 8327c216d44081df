"""What :class:`Kubectl` does most often, in the same words, without a process for each: a test that waits by kubectl
takes a tenth of a second of processor at each look from what it waits for."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from vipa_lab.errors import LabError
from vipa_lab.kube.kubectl import wait_for
from vipa_lab.kube.rest import Rest

Object = dict[str, Any]
"""A Kubernetes object as JSON has it."""

_POLL_S: Final = 0.05
_GONE_S: Final = 30.0
_MERGE: Final = "application/merge-patch+json"
_APPLY: Final = "application/apply-patch+yaml"
_VIPA: Final = "vipa.dev/v1alpha1"
# Collections that have no namespace, and those that have one, by group and version.
_WIDE: Final = {
    **dict.fromkeys(("virtualips", "preferredinterfacelists", "virtualippools", "virtualipnodes"), _VIPA),
    **dict.fromkeys(("nodes", "namespaces"), "v1"),
}
_INSIDE: Final = {
    **dict.fromkeys(("pods", "serviceaccounts", "secrets", "events", "configmaps"), "v1"),
    **dict.fromkeys(("daemonsets", "deployments"), "apps/v1"),
    "jobs": "batch/v1",
    "leases": "coordination.k8s.io/v1",
}
_KINDS: Final = {
    "VirtualIP": "virtualips",
    "PreferredInterfaceList": "preferredinterfacelists",
    "VirtualIPPool": "virtualippools",
    "VirtualIPNode": "virtualipnodes",
    "Node": "nodes",
    "Namespace": "namespaces",
    "Pod": "pods",
    "ServiceAccount": "serviceaccounts",
    "Secret": "secrets",
    "Event": "events",
    "ConfigMap": "configmaps",
    "Lease": "leases",
}


class ObjectError(LabError):
    """The server refused; the text is its own. ``status``: of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def path_of(plural: str, namespace: str = "", name: str = "") -> str:
    """Where a collection is ("virtualips"), or one object of it. ``namespace`` "": the default one, and right for what
    has none."""
    version = _WIDE.get(plural) or _INSIDE.get(plural)
    if version is None:
        raise LabError(f"{plural} is none of the kinds known here: {', '.join(sorted(_WIDE | _INSIDE))}")
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = "" if plural in _WIDE else f"/namespaces/{namespace or 'default'}"
    return f"{root}{inside}/{plural}{'/' if name else ''}{name}"


class Objects:
    """As the admin. Kinds are plurals, and namespaces as in :func:`path_of`."""

    def __init__(self, rest: Rest) -> None:
        self.rest = rest

    def apply(self, manifest: Object) -> Object:
        """Make an object, or make it say what ``manifest`` says (server-side apply, as a writer called "test")."""
        metadata = manifest["metadata"]
        path = path_of(_KINDS[manifest["kind"]], metadata.get("namespace", ""), metadata["name"])
        return self._ask("PATCH", f"{path}?fieldManager=test&force=true", manifest, _APPLY)

    def get(self, plural: str, name: str, namespace: str = "") -> Object:
        """One object; ObjectError when there is none."""
        return self._ask("GET", path_of(plural, namespace, name))

    def find(self, plural: str, name: str, namespace: str = "") -> Object | None:
        """One object, or None."""
        try:
            return self.get(plural, name, namespace)
        except ObjectError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    def list(self, plural: str, namespace: str = "") -> list[Object]:
        """All objects of a kind."""
        found: list[Object] = self._ask("GET", path_of(plural, namespace))["items"]
        return found

    def patch(self, plural: str, name: str, change: Object, subresource: str = "", *, namespace: str = "") -> Object:
        """Merge ``change`` (RFC 7386), or that part of it that belongs to ``subresource`` ("status")."""
        path = path_of(plural, namespace, name)
        return self._ask("PATCH", f"{path}/{subresource}" if subresource else path, change, _MERGE)

    def delete(self, plural: str, name: str, namespace: str = "") -> None:
        """Delete one object at once and wait until it is gone; nothing happens when it is not there."""
        found = there = self.find(plural, name, namespace)
        if found is None:
            return
        self.rest.ask("DELETE", f"{path_of(plural, namespace, name)}?gracePeriodSeconds=0")
        deadline = time.monotonic() + _GONE_S
        # Another of the same name may have been made meanwhile.
        while there is not None and there["metadata"]["uid"] == found["metadata"]["uid"]:
            assert time.monotonic() < deadline, f"not gone within {_GONE_S:g} s: {plural} {name}"
            there = self.find(plural, name, namespace)

    def wait(
        self, plural: str, name: str, holds: Callable[[Object], bool], timeout_s: float, namespace: str = ""
    ) -> Object:
        """The object as soon as it exists and ``holds`` of it; AssertionError with its last state."""
        return wait_for(lambda: self.find(plural, name, namespace), holds, f"{plural} {name}", timeout_s, _POLL_S)

    def _ask(self, method: str, path: str, body: object = None, content_type: str = "application/json") -> Object:
        status, answer = self.rest.ask(method, path, body, content_type)
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            message = answer.get("message", answer) if isinstance(answer, dict) else answer
            raise ObjectError(status, f"{method} {path}: {status} {message}")
        found: Object = answer
        return found
