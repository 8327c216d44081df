"""One question of a health check, as the kubelet asks: a connection, or a GET answered with 200 to 399.

The certificate of HTTPS is not verified: the node asks itself, by an address that no certificate names. Redirects count
as answers and are not followed. Nothing is sent to a TCP port.
"""

import asyncio
import os
import ssl
from contextlib import suppress
from functools import cache
from ipaddress import ip_address
from typing import Final

from vipa import __version__
from vipa.plan import CheckKind, HealthCheck

GOOD: Final = range(200, 400)
"""Statuses that pass, as the kubelet has it (pkg/probe/http)."""

LINE_MAX: Final = 1024
"""Bytes of a status line; longer ones are no HTTP."""

BODY_MAX: Final = 10 << 10
BODY_S: Final = 0.1
"""How much of the rest is read, so that a server need not see its answer thrown away: the kubelet reads 10 KiB too. A
server that keeps the connection open is not waited for."""


async def ask(check: HealthCheck, host: str) -> str:
    """Ask ``host`` once. "" when it passes; else why not, in a few words. Raises nothing but CancelledError."""
    try:
        async with asyncio.timeout(check.timeout_s):
            return await _ask(check, host)
    except TimeoutError:
        return f"no answer within {check.timeout_s:g} s"
    except ssl.SSLError as error:
        return f"no TLS: {(error.reason or str(error)).replace('_', ' ').lower()}"
    except OSError as error:
        return os.strerror(error.errno).lower() if error.errno else str(error)
    except ValueError:
        return "the answer is no HTTP"


async def _ask(check: HealthCheck, host: str) -> str:
    context = _unverified() if check.kind is CheckKind.HTTPS else None
    reader, writer = await asyncio.open_connection(host, check.port, limit=LINE_MAX, ssl=context)
    try:
        if check.kind is CheckKind.TCP:
            return ""
        writer.write(_request(check, host))
        status = _status_of(await reader.readline())
        await _rest(reader)
        return "" if status in GOOD else f"status {status}"
    finally:
        writer.transport.abort()  # all is read or unwanted; a goodbye of TLS would be waited for


def _request(check: HealthCheck, host: str) -> bytes:
    authority = f"[{host}]" if ip_address(host).version == 6 else host
    return (
        f"GET {check.path} HTTP/1.1\r\nHost: {authority}:{check.port}\r\n"
        f"User-Agent: vipa-health-check/{__version__}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    ).encode("ascii")


def _status_of(line: bytes) -> int:
    """Raises ConnectionResetError when there is no line, ValueError when it is none of HTTP."""
    if not line:
        raise ConnectionResetError("closed without an answer")
    version, code = line.split(None, 2)[:2]
    if not version.startswith(b"HTTP/1.") or len(code) != 3:
        raise ValueError(line)
    return int(code)


async def _rest(reader: asyncio.StreamReader) -> None:
    left = BODY_MAX
    with suppress(TimeoutError, OSError):
        async with asyncio.timeout(BODY_S):
            while left > 0 and (chunk := await reader.read(left)):
                left -= len(chunk)


@cache
def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
