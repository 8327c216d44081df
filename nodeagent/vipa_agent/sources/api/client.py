"""Three requests to the API server, over aiohttp. Only this module imports it, and is imported only with ``--api``:
8 MB and 0.13 s that a standalone agent does not pay.

Nothing here blocks the loop: files are read and TLS contexts made in threads.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from vipa.resources.meta import GROUP, VERSION
from vipa_agent.sources.api.config import ApiConfig
from vipa_agent.sources.api.errors import Refused, Unreachable
from vipa_agent.sources.api.objects import decode_failure
from vipa_agent.sources.api.tls import read, tls_context

RESOURCE: Final = f"/apis/{GROUP}/{VERSION}/virtualipnodes"
FIELD_MANAGER: Final = "vipa-agent"

TOKEN_S: Final = 60.0
"""A token from a file is used so long before the file is read again: client-go does the same, and kubelets renew a
projected token when 20 % of its life, at least two minutes, are left."""
LINE_MAX_BYTES: Final = 8 << 20
"""Longest watch event: etcd takes objects of 1.5 MiB (--max-request-bytes); what is longer is no such event."""
KEEPALIVE_S: Final = (10, 5, 3)
"""First TCP keepalive after, between, how many: a machine that vanished is noticed within 25 s, before the watch's own
silence. Only a proxy between that answers for a dead server has to be waited out."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long to wait for what, in seconds.

    connect_s: one retransmitted SYN (after 1 s, RFC 6298) still counts. answer_s: a list or a patch of one object; API
    servers under load were seen to take seconds. silent_s: API servers send a bookmark about every minute, so a watch
    silent for longer than 70 s is dead. watch_s: after so long the server ends a watch in good order; so agents spread
    over restarted API servers again, at a price of one request in five minutes.
    """

    connect_s: float = 2.0
    answer_s: float = 10.0
    silent_s: float = 70.0
    watch_s: float = 300.0


class ApiClient:
    """Requests about the VirtualIPNode ``name``. Raises Refused and Unreachable, nothing else."""

    def __init__(self, config: ApiConfig, name: str, bounds: Bounds | None = None) -> None:
        self._config = config
        self._name = name
        self._bounds = bounds or Bounds()
        self._session: aiohttp.ClientSession | None = None
        self._token = ""
        self._token_until_s = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.renew()

    async def renew(self) -> None:
        """Forget connections, token and certificates; the next request reads all of them anew."""
        self._token_until_s = 0.0
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def list(self) -> bytes:
        """The list that has the object or not, as the majority of etcd has it now (no resourceVersion: no cache)."""
        query = {"fieldSelector": f"metadata.name={self._name}"}
        return await self._answer("GET", RESOURCE, query)

    async def patch_status(self, body: bytes) -> None:
        """Merge ``body`` into the object's status."""
        path = f"{RESOURCE}/{self._name}/status"
        headers = {"Content-Type": "application/merge-patch+json"}
        await self._answer("PATCH", path, {"fieldManager": FIELD_MANAGER}, body, headers)

    async def watch(self, version: str, spread: float) -> AsyncIterator[bytes]:
        """Lines of a watch from ``version``, until the server ends it in good order. ``spread`` (0 to 1) makes the
        watches of many agents end at different times."""
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "fieldSelector": f"metadata.name={self._name}",
            "resourceVersion": version,
            "timeoutSeconds": str(round(self._bounds.watch_s * (0.8 + 0.4 * spread))),
        }
        timeout = aiohttp.ClientTimeout(sock_connect=self._bounds.connect_s, sock_read=self._bounds.silent_s)
        try:
            async with (await self._open()).get(
                self._config.server + RESOURCE,
                params=query,
                headers=await self._headers(),
                timeout=timeout,
                server_hostname=self._config.server_name or None,
            ) as response:
                await self._check(response)
                async for line in _lines(response.content):
                    yield line
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise await self._unreachable(error) from error

    async def _answer(
        self,
        method: str,
        path: str,
        query: dict[str, str],
        body: bytes | None = None,
        extra: dict[str, str] | None = None,
    ) -> bytes:
        timeout = aiohttp.ClientTimeout(total=self._bounds.answer_s, sock_connect=self._bounds.connect_s)
        try:
            headers = await self._headers() | (extra or {})
            async with (await self._open()).request(
                method,
                self._config.server + path,
                params=query,
                data=body,
                headers=headers,
                timeout=timeout,
                server_hostname=self._config.server_name or None,
            ) as response:
                await self._check(response)
                return await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise await self._unreachable(error) from error

    async def _check(self, response: aiohttp.ClientResponse) -> None:
        if 200 <= response.status < 300:
            return
        failure = decode_failure(await response.read())
        if response.status == 401:  # the token was rotated, or what the client certificate says has ended
            await self.renew()
        raise Refused(response.status, failure.message or (response.reason or ""), _retry_after_s(response))

    async def _unreachable(self, error: Exception) -> Unreachable:
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
            await self.renew()  # the CA bundle may have been rotated
        if isinstance(error, TimeoutError):
            return Unreachable(f"{self._config.server} does not answer in time")
        if isinstance(error, aiohttp.ClientPayloadError):
            return Unreachable(f"{self._config.server} broke off its answer")
        return Unreachable(f"{self._config.server}: {error or type(error).__name__}")

    async def _headers(self) -> dict[str, str]:
        # identity: a list of one object is not worth the time to unpack it
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": FIELD_MANAGER}
        token = await self._fresh_token()
        return headers | ({"Authorization": f"Bearer {token}"} if token else {})

    async def _fresh_token(self) -> str:
        source = self._config.token
        if source is None:
            return ""
        now_s = time.monotonic()
        if now_s >= self._token_until_s:
            self._token = (await asyncio.to_thread(read, source)).decode("ascii", "replace").strip()
            self._token_until_s = now_s + TOKEN_S
        return self._token

    async def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            context = await asyncio.to_thread(tls_context, self._config)
            connector = aiohttp.TCPConnector(
                ssl=context, limit=4, keepalive_timeout=5.0, socket_factory=_socket, use_dns_cache=False
            )
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        return self._session


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines however long: the reader's own readline stops at its buffer's size."""
    pending = bytearray()
    async for chunk in content.iter_any():
        start = len(pending)
        pending += chunk
        while (end := pending.find(b"\n", start)) >= 0:
            line = bytes(pending[:end])
            del pending[: end + 1]
            start = 0
            if line:
                yield line
        if len(pending) > LINE_MAX_BYTES:
            raise Unreachable(f"a watch event of more than {LINE_MAX_BYTES >> 20} MiB")


def _retry_after_s(response: aiohttp.ClientResponse) -> float | None:
    with suppress(ValueError):
        return float(response.headers.get("Retry-After", ""))
    return None


def _socket(address: tuple[Any, ...]) -> socket.socket:
    made = socket.socket(family=address[0], type=address[1], proto=address[2])
    idle_s, every_s, count = KEEPALIVE_S
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle_s)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, every_s)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count)
    return made
