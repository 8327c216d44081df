"""One question of a health check, asked of real servers on loopback."""

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest

from unit.fakes.served import HOST, PATIENT_S, Handler, free_port, in_loop, served, silent
from vipa.plan import CheckKind, HealthCheck
from vipa_agent.healthask import LINE_MAX, ask


def saying(text: bytes, asked: list[bytes] | None = None) -> Handler:
    """Reads a request, answers ``text``."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(request)
        writer.write(text)
        await writer.drain()

    return handle


def get(port: int, kind: CheckKind = CheckKind.HTTP, path: str = "/", timeout_s: float = PATIENT_S) -> HealthCheck:
    return HealthCheck(kind, port, path, timeout_s=timeout_s)


def connect(port: int, timeout_s: float = PATIENT_S) -> HealthCheck:
    return HealthCheck(CheckKind.TCP, port, timeout_s=timeout_s)


@in_loop
async def test_tcp_passes_when_the_connection_is_accepted_and_only_then() -> None:
    async with served(silent) as port:
        assert await ask(connect(port), HOST) == ""
    assert await ask(connect(free_port()), HOST) == "connection refused"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""),
        (b"HTTP/1.0 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 200\r\n\r\n", ""),
        (b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example/\r\n\r\n", ""),
        (b"HTTP/1.1 399 ?\r\n\r\n", ""),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "status 400"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n" + b"x" * 100_000, "status 503"),
        (b"HTTP/1.1 199 ?\r\n\r\n", "status 199"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer is no HTTP"),
        (b"HTTP/2 200 OK\r\n", "the answer is no HTTP"),
        (b"HTTP/1.1 2000 ?\r\n", "the answer is no HTTP"),
        (b"HTTP/1.1\r\n", "the answer is no HTTP"),
        (b"HTTP/1.1 20\r\n", "the answer is no HTTP"),
        (b"HTTP/1.1 abc\r\n", "the answer is no HTTP"),
        (b"HTTP/1.1 200 " + b"x" * 3 * LINE_MAX + b"\r\n", "the answer is no HTTP"),
        (b"", "closed without an answer"),
        (b"\x00\xff\r\n", "the answer is no HTTP"),
    ],
)
@in_loop
async def test_http_passes_with_2xx_and_3xx(answer: bytes, why: str) -> None:
    async with served(saying(answer)) as port:
        assert await ask(get(port), HOST) == why


@in_loop
async def test_the_request_is_plain_http_1_1() -> None:
    asked: list[bytes] = []
    async with served(saying(b"HTTP/1.1 200 OK\r\n\r\n", asked)) as port:
        assert await ask(get(port, path="/ready?full=1"), HOST) == ""
    (request,) = asked
    assert request.startswith(b"GET /ready?full=1 HTTP/1.1\r\n")
    assert f"\r\nHost: {HOST}:{port}\r\n".encode() in request
    assert b"\r\nConnection: close\r\n" in request


@pytest.mark.parametrize("kind", [CheckKind.HTTP, CheckKind.HTTPS])
@in_loop
async def test_who_does_not_answer_in_time_fails(kind: CheckKind) -> None:
    async with served(silent) as port:
        assert await ask(get(port, kind, timeout_s=0.05), HOST) == "no answer within 0.05 s"


@in_loop
async def test_a_page_that_never_ends_passes_all_the_same() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 4096)
            await writer.drain()

    async with served(endless) as port:
        assert await ask(get(port), HOST) == ""


@in_loop
async def test_a_server_that_keeps_the_connection_open_is_not_waited_for() -> None:
    async def keeps(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.read(1 << 16)
        await reader.read()

    async with served(keeps) as port:
        assert await ask(get(port), HOST) == ""


@in_loop
async def test_https_does_not_verify_the_certificate(tmp_path: Path) -> None:
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"]
    names = ["-subj", "/CN=nobody.example", "-keyout", "key", "-out", "cert"]
    subprocess.run([*made, *names], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    async with served(saying(b"HTTP/1.1 200 OK\r\n\r\n"), context) as port:
        assert await ask(get(port, CheckKind.HTTPS), HOST) == ""
    async with served(saying(b"HTTP/1.1 500 No\r\n\r\n"), context) as port:
        assert await ask(get(port, CheckKind.HTTPS), HOST) == "status 500"


@in_loop
async def test_https_of_a_server_that_has_none_fails() -> None:
    async def speaks_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with served(speaks_plainly) as port:
        assert (await ask(get(port, CheckKind.HTTPS), HOST)).startswith("no TLS: ")
