"""What the operator does to one node's object, for tests of the agent alone; and what the agent did to it."""

import json
from typing import Any, Final

import msgspec

from vipa.plan import Plan
from vipa.resources.assigned import spec_of
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.objects import path_of

NODES: Final = path_of("virtualipnodes")


class OneNode:
    """The VirtualIPNode ``name``."""

    def __init__(self, api: ApiServer, name: str = "w1") -> None:
        self.rest, self.name = api.rest, name

    def write(self, plan: Plan) -> None:
        """Create the object, or give it the plan."""
        spec = json.loads(msgspec.json.encode(spec_of(plan, self.name)))
        if self.rest.ask("GET", f"{NODES}/{self.name}")[0] == 404:
            self.create(spec)
        else:
            body = {"spec": {"epoch": plan.epoch, "assignments": spec.get("assignments", [])}}
            done = self.rest.ask("PATCH", f"{NODES}/{self.name}", body, "application/merge-patch+json")
            assert done[0] == 200, done

    def create(self, spec: dict[str, Any] | None = None) -> None:
        """Without a plan, unless ``spec`` has one."""
        made = {"apiVersion": "vipa.dev/v1alpha1", "kind": "VirtualIPNode", "metadata": {"name": self.name}}
        done = self.rest.ask("POST", NODES, {**made, "spec": spec or {}})
        assert done[0] == 201, done

    def delete(self) -> None:
        """There must be one."""
        done = self.rest.ask("DELETE", f"{NODES}/{self.name}")
        assert done[0] == 200, done

    def status(self) -> dict[str, Any]:
        """What the agent reported; {} before, and without an object."""
        found: dict[str, Any] = self.rest.ask("GET", f"{NODES}/{self.name}")[1].get("status", {})
        return found

    def version(self) -> str:
        """It changes with each write, whoever writes."""
        found: str = self.rest.ask("GET", f"{NODES}/{self.name}")[1]["metadata"]["resourceVersion"]
        return found
