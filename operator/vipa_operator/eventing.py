"""Kubernetes Events, deduplicated: the same news about the same object is one Event whose count goes up."""

import hashlib
from collections import OrderedDict
from datetime import datetime
from typing import Any, Final

from vipa.resources.meta import API_VERSION
from vipa_operator.api import MERGE, Api
from vipa_operator.errors import ApiError
from vipa_operator.reconcile.reading import MANAGER
from vipa_operator.reconcile.times import text
from vipa_operator.reconcile.writes import EventWrite

NAMESPACE: Final = "default"
"""Where Events about cluster-scoped objects live (client-go, tools/record)."""
PATH: Final = f"/api/v1/namespaces/{NAMESPACE}/events"
MESSAGE_MAX: Final = 1024
"""Limit of the API for an Event's message."""
KNOWN_MAX: Final = 4096
"""Counts remembered, as client-go's correlator does; of others the API server is asked."""


class Events:
    """Says events. Counts go on after a restart: the name of an Event follows from what it says."""

    def __init__(self, api: Api, instance: str) -> None:
        self._api = api
        self._instance = instance
        self._counts: OrderedDict[str, int] = OrderedDict()

    async def say(self, event: EventWrite, now: datetime, timeout_s: float) -> None:
        """One event, new or once more. Raises as Api does."""
        name = name_of(event)
        if name in self._counts or not await self._first(event, name, now, timeout_s):
            await self._again(event, name, now, timeout_s)
        self._counts.move_to_end(name)
        while len(self._counts) > KNOWN_MAX:
            self._counts.popitem(last=False)

    async def _first(self, event: EventWrite, name: str, now: datetime, timeout_s: float) -> bool:
        try:
            await self._api.request("POST", PATH, _body(event, name, now, self._instance), timeout_s=timeout_s)
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        self._counts[name] = 1
        return True

    async def _again(self, event: EventWrite, name: str, now: datetime, timeout_s: float) -> None:
        try:
            if name not in self._counts:
                there = await self._api.request("GET", f"{PATH}/{name}", timeout_s=timeout_s)
                self._counts[name] = int(there.get("count") or 1)
            self._counts[name] += 1
            change = {"count": self._counts[name], "lastTimestamp": text(now)}
            await self._api.request("PATCH", f"{PATH}/{name}", change, content=MERGE, timeout_s=timeout_s)
        except ApiError as error:
            self._counts.pop(name, None)
            if error.status != 404:
                raise
            await self._first(event, name, now, timeout_s)  # it had expired


def name_of(event: EventWrite) -> str:
    """The same for the same news about the same object."""
    said = "\0".join((event.kind, event.uid, event.severity, event.reason, event.message))
    return f"{event.name[:200]}.{hashlib.blake2b(said.encode(), digest_size=8).hexdigest()}"


def _body(event: EventWrite, name: str, now: datetime, instance: str) -> dict[str, Any]:
    at = text(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "involvedObject": {"apiVersion": API_VERSION, "kind": event.kind, "name": event.name, "uid": event.uid},
        "type": event.severity.value,
        "reason": str(event.reason),
        "message": event.message[:MESSAGE_MAX],
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "reportingInstance": instance,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }
