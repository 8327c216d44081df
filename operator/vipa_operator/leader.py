"""Holds the lease, or waits for it: :mod:`vipa_operator.election` on the API server."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog

from vipa_operator.api import Api
from vipa_operator.clock import boottime_s, wall
from vipa_operator.election import RETRY_S, Candidate
from vipa_operator.errors import ApiError, UnreachableError

log = structlog.get_logger()

NAME: Final = "vipa-operator"
REQUEST_S: Final = 2.0
"""A renewal has five tries before the leader stops (RENEW_S)."""


class Leader:
    """``changed(leads)`` is called in the loop whenever this replica begins or ceases to lead."""

    def __init__(self, api: Api, namespace: str, name: str, changed: Callable[[bool], None]) -> None:
        self._api = api
        self._leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._candidate = Candidate(name)
        self._changed = changed
        self._led = False

    def leads(self) -> bool:
        """Whether this replica may begin a write now."""
        return self._candidate.leads(boottime_s())

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self._try()
            except (ApiError, UnreachableError) as error:
                log.warning("lease not renewed" if self._led else "lease not read", error=str(error))
            self._tell()
            wait_s = RETRY_S
            if self._led:  # wake in time to notice that it has run out
                wait_s = min(wait_s, max(self._candidate.leads_until - boottime_s(), 0.0) + 0.01)
            await asyncio.sleep(wait_s)

    async def resign(self) -> None:
        """Let another replica begin at once. Only when everything else is written."""
        lease = self._candidate.resigned()
        self._tell()
        if lease is None:
            return
        try:
            await self._write(lease)
        except (ApiError, UnreachableError) as error:
            log.info("lease not given back", error=str(error))

    async def _try(self) -> None:
        self._candidate.observe(await self._read(), boottime_s())
        sent_at = boottime_s()
        wanted = self._candidate.wanted(sent_at, wall())
        if wanted is None:
            return
        try:
            lease = await self._write(wanted)
        except ApiError as error:
            if error.status != 409:  # another one was faster
                raise
        else:
            self._tell()  # it may have run out meanwhile (a frozen process): then this is a new term
            self._candidate.written(lease, sent_at)

    async def _read(self) -> dict[str, Any] | None:
        try:
            return await self._api.request("GET", f"{self._leases}/{NAME}", timeout_s=REQUEST_S)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def _write(self, lease: dict[str, Any]) -> dict[str, Any]:
        meta = lease.get("metadata")
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": NAME, **(meta or {})},
            "spec": lease["spec"],
        }
        if meta is None:
            return await self._api.request("POST", self._leases, body, timeout_s=REQUEST_S)
        return await self._api.request("PUT", f"{self._leases}/{NAME}", body, timeout_s=REQUEST_S)

    def _tell(self) -> None:
        leads = self.leads()
        if leads != self._led:
            self._led = leads
            log.info("leading" if leads else "not leading any more", replica=self._candidate.name)
            self._changed(leads)
