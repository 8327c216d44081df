"""Recorded objects on an API server, for the cluster commands to look at; tests write what an operator would."""

import copy
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from vipa_lab.kube.accounts import SYSTEM
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.objects import Object, path_of

BIN: Final = Path(sys.executable).parent
"""Where vipa's programs are."""
PATHS: Final = {
    "VirtualIP": path_of("virtualips"),
    "PreferredInterfaceList": path_of("preferredinterfacelists"),
    "VirtualIPNode": path_of("virtualipnodes"),
    "Node": path_of("nodes"),
    "Lease": path_of("leases", SYSTEM),
    "Event": path_of("events", "default"),
}
"""The collection of each kind that is recorded."""
MERGE: Final = "application/merge-patch+json"

# A test that takes its time must not find the operator dead: that is told after twice as long.
_LEASE_S: Final = 3600
_COMMAND_S: Final = 120.0


class Story:
    """``api`` with objects by kind."""

    def __init__(self, api: ApiServer, recorded: Mapping[str, Sequence[Object]]) -> None:
        self.api = api
        self.objects = api.objects
        for kind, things in recorded.items():
            for thing in things:
                self.create(kind, thing)

    def create(self, kind: str, recorded: Object) -> None:
        """One object, its status too. An operator's lease was renewed just now."""
        thing = copy.deepcopy(recorded)
        status, metadata = thing.pop("status", None), thing["metadata"]
        for field in ("uid", "generation", "resourceVersion", "creationTimestamp"):
            metadata.pop(field, None)
        if kind == "Event":
            thing["involvedObject"].pop("uid")
        if kind == "Lease":
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            thing["spec"] |= {"renewTime": now, "leaseDurationSeconds": _LEASE_S}
        self.change("POST", PATHS[kind], thing)
        path = f"{PATHS[kind]}/{metadata['name']}"
        if kind == "Node":
            self.change("PATCH", path, {"spec": {"taints": None}})
        if status:
            self.change("PATCH", f"{path}/status", {"status": status})

    def change(self, method: str, path: str, body: Object | None = None) -> None:
        """POST, a merge by PATCH, or DELETE; AssertionError when it is refused."""
        kind = MERGE if method == "PATCH" else "application/json"
        code, answer = self.api.rest.ask(method, path, body, kind)
        assert code in (200, 201), answer

    def patch_status(self, name: str, status: Object) -> None:
        """As the operator writes it, of a VirtualIP."""
        self.objects.patch("virtualips", name, {"status": status}, "status")

    def command(self, *words: str, program: str = "vipa") -> list[str]:
        """The words of a command about this cluster."""
        return [str(BIN / program), *words, "--kubeconfig", str(self.api.admin)]

    def vipa(self, *words: str, program: str = "vipa", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one to its end."""
        clean = {k: v for k, v in os.environ.items() if k != "KUBECONFIG"} | environment
        words = tuple(self.command(*words, program=program))
        return subprocess.run(words, capture_output=True, text=True, timeout=_COMMAND_S, check=False, env=clean)

    def vip(self, name: str = "erp") -> dict[str, Any]:
        """A VirtualIP as the API server has it."""
        return self.objects.get("virtualips", name)
