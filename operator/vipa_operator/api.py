"""The few requests that the operator makes itself: writes, the lease, and lists of names. Watching is kopf's."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
import msgspec

from vipa.errors import ConfigError
from vipa_operator.errors import ApiError, UnreachableError
from vipa_operator.login import Connection
from vipa_operator.reconcile.cluster import Kind
from vipa_operator.reconcile.reading import MANAGER

APPLY: Final = "application/apply-patch+yaml"
JSON_PATCH: Final = "application/json-patch+json"
MERGE: Final = "application/merge-patch+json"
NAMES_ONLY: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"
"""A list as kubectl prints it: the API server then sends a row for each object, not the object."""
CONNECTIONS_MAX: Final = 32
"""An API server serves a client by priority and fairness; more at once only wait there."""
PAGE: Final = 500
"""As kubectl and client-go page."""

PATHS: Final = {
    Kind.VIP: "/apis/vipa.dev/v1alpha1/virtualips",
    Kind.LIST: "/apis/vipa.dev/v1alpha1/preferredinterfacelists",
    Kind.POOL: "/apis/vipa.dev/v1alpha1/virtualippools",
    Kind.AGENT: "/apis/vipa.dev/v1alpha1/virtualipnodes",
    Kind.NODE: "/api/v1/nodes",
}

Raw = dict[str, Any]


class Api:
    """``login`` is asked again whenever the API server does not know us any more. Raises ApiError for an answer that is
    no, UnreachableError for none within the time given."""

    def __init__(self, login: Callable[[], Connection]) -> None:
        self._login = login
        self._session: aiohttp.ClientSession | None = None
        self._server = ""
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        """Close all connections."""
        await self._forget()

    async def get(self, kind: Kind, name: str, timeout_s: float = 10.0) -> Raw | None:
        """One object; None when there is none."""
        try:
            return await self.request("GET", f"{PATHS[kind]}/{quote(name)}", timeout_s=timeout_s)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def names(self, kind: Kind, timeout_s: float = 30.0) -> frozenset[str]:
        """Names of all objects of this kind that are there now."""
        found: list[str] = []
        token = ""
        while True:
            query = {"limit": str(PAGE), "includeObject": "None", **({"continue": token} if token else {})}
            table = await self.request(
                "GET", f"{PATHS[kind]}?{urlencode(query)}", accept=NAMES_ONLY, timeout_s=timeout_s
            )
            column = next(i for i, c in enumerate(table["columnDefinitions"]) if c["name"] == "Name")
            found += [row["cells"][column] for row in table.get("rows") or ()]
            token = table["metadata"].get("continue") or ""
            if not token:
                return frozenset(found)

    async def list(self, kind: Kind, timeout_s: float = 60.0) -> list[Raw]:
        """All objects of this kind as they are now, not as a cache remembers them."""
        found: list[Raw] = []
        token = ""
        while True:
            query = {"limit": str(PAGE), **({"continue": token} if token else {})}
            page = await self.request("GET", f"{PATHS[kind]}?{urlencode(query)}", timeout_s=timeout_s)
            found += page.get("items") or ()
            token = page["metadata"].get("continue") or ""
            if not token:
                return found

    async def apply(self, path: str, body: Mapping[str, Any], timeout_s: float) -> Raw:
        """Server-side apply: what we said before and do not say now goes; what others said stays."""
        query = urlencode({"fieldManager": MANAGER, "force": "true"})
        return await self.request("PATCH", f"{path}?{query}", body, content=APPLY, timeout_s=timeout_s)

    async def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content: str = "application/json",
        accept: str = "application/json",
        timeout_s: float,
    ) -> Raw:
        """One request and its decoded answer. Tried once more when the API server did not know us (401)."""
        data = msgspec.json.encode(body) if body is not None else None
        headers = {"Accept": accept, **({"Content-Type": content} if data is not None else {})}
        try:
            async with asyncio.timeout(timeout_s):
                status, answer = await self._once(method, path, data, headers)
                if status == 401:
                    await self._forget()
                    status, answer = await self._once(method, path, data, headers)
        except TimeoutError as error:
            raise UnreachableError(f"{method} {path}: no answer within {timeout_s:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            raise UnreachableError(f"{method} {path}: {error}") from error
        decoded = _decode(answer)
        if status >= 300:
            raise ApiError(status, str(decoded.get("reason", "")), str(decoded.get("message", ""))[:500])
        return decoded

    async def _once(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        session = await self._open()
        async with session.request(method, self._server + path, data=data, headers=headers) as response:
            return response.status, await response.read()

    async def _open(self) -> aiohttp.ClientSession:
        async with self._opening:
            if self._session is None:
                try:
                    info = self._login()
                except ConfigError as error:  # it was fine at the start: somebody is replacing a file right now
                    raise UnreachableError(str(error)) from error
                self._server = info.server.rstrip("/")
                self._session = aiohttp.ClientSession(
                    connector=aiohttp.TCPConnector(ssl=info.as_ssl_context(), limit=CONNECTIONS_MAX),
                    headers={**info.as_http_headers(), "User-Agent": MANAGER},
                )
            return self._session

    async def _forget(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _decode(answer: bytes) -> Raw:
    try:
        decoded = msgspec.json.decode(answer)
    except msgspec.DecodeError:
        decoded = None
    # What stands between us and the API server may answer in HTML.
    return decoded if isinstance(decoded, dict) else {"message": answer[:200].decode(errors="replace")}
