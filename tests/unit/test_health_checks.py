"""The agent's health checks, against real servers on loopback."""

import asyncio
import functools
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import ParamSpec

import pytest

from vipa.election.config import Config
from vipa.election.elector import Elector
from vipa.election.events import ChecksChanged, InterfacesChanged, LocalInterface, PlanChanged
from vipa.plan import CheckKind, Endpoint, HealthCheck, Plan, PlannedVip
from vipa_agent import healthchecks
from vipa_agent.healthask import LINE_MAX, ask
from vipa_agent.healthchecks import HealthChecks, Job

P = ParamSpec("P")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HOST = "127.0.0.1"
PATIENT_S = 20.0
"""For what comes within milliseconds on an idle machine."""


@asynccontextmanager
async def served(handler: Handler, context: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[int]:
    """A server, on a free port unless told otherwise."""
    serving: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving[task] = writer
        with suppress(ConnectionError):  # whoever asked has gone
            await handler(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, HOST, port, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task, writer in serving.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*serving, return_exceptions=True)
        await asyncio.sleep(0.01)  # transports close in the loop's next turns


def in_loop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """A test that is run to its end in an event loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def saying(text: bytes, asked: list[bytes] | None = None) -> Handler:
    """Reads a request, answers ``text``."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(request)
        writer.write(text)
        await writer.drain()

    return handle


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes the connection and says nothing."""
    await reader.read()


def get(port: int, kind: CheckKind = CheckKind.HTTP, path: str = "/", timeout_s: float = PATIENT_S) -> HealthCheck:
    return HealthCheck(kind, port, path, timeout_s=timeout_s)


def connect(port: int, timeout_s: float = PATIENT_S) -> HealthCheck:
    return HealthCheck(CheckKind.TCP, port, timeout_s=timeout_s)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


# --- one question


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


# --- what follows from answers


def answers(check: HealthCheck, given: str) -> str:
    """What is known after each answer: + passes, - fails; ? is not known."""
    job, known = Job(check), ""
    for each in given:
        job.take("" if each == "+" else "refused")
        known += {None: "?", True: "+", False: "-"}[job.passing]
    return known


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("+", "+"),
        ("---", "??-"),
        ("--+", "??+"),  # unknown is not failing, and the first pass says it all
        ("+--+---", "+++++" + "+-"),
        ("---+-++", "??---" + "-+"),
        ("---+-+-", "??-----"),
    ],
)
def test_three_failures_in_a_row_begin_a_failure_and_two_passes_end_it(given: str, known: str) -> None:
    assert answers(HealthCheck(CheckKind.TCP, 443), given) == known


def test_rise_and_fall_are_as_asked_for() -> None:
    assert answers(HealthCheck(CheckKind.TCP, 443, rise=1, fall=1), "+-+-") == "+-+-"
    assert answers(HealthCheck(CheckKind.TCP, 443, rise=3, fall=2), "+--++-+++") == "++------+"


def test_another_reason_to_fail_is_news() -> None:
    job = Job(HealthCheck(CheckKind.TCP, 443, fall=1))
    assert job.take("connection refused")
    assert not job.take("connection refused")
    assert job.take("no answer within 1 s")
    assert (job.passing, job.why) == (False, "no answer within 1 s")


# --- all of it


class Around:
    """An elector with virtual IPs on the LAN of a server, and its checks; ``heard``: what the election was told."""

    def __init__(self, *checks: HealthCheck, vips: int = 1) -> None:
        self.elector = Elector(Config("w1", 1, insecure=True))
        self.heard: list[ChecksChanged] = []
        self.elector.step(1.0, InterfacesChanged((LocalInterface("lo", "52:54:00:00:00:01", (f"{HOST}/8",)),)))
        self.plan(*checks, vips=vips)
        self.health = HealthChecks(self.elector, self._told)

    def plan(self, *checks: HealthCheck, vips: int = 1) -> None:
        end = (Endpoint(HOST, "w1", "lo"),)
        planned = [PlannedVip(f"v{n}", (f"127.1.{n >> 8}.{n & 255}",), end, checks=checks) for n in range(vips)]
        self.elector.step(1.0, PlanChanged(Plan(0, tuple(planned))))

    def _told(self, event: ChecksChanged) -> None:
        self.heard.append(event)
        self.elector.step(1.0, event)

    @property
    def verdicts(self) -> set[str]:
        return {vip.verdict.value for vip in self.elector.node.vips.values()}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.health.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.sleep(0.01)  # questions under way end in the loop's next turns

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENT_S):
            while not done():
                assert not self.elector.node.vips or len(self.verdicts) == 1
                await asyncio.sleep(0.01)


def quick(port: int) -> HealthCheck:
    return HealthCheck(CheckKind.TCP, port, interval_s=0.1, timeout_s=PATIENT_S)


@in_loop
async def test_a_program_that_dies_and_returns_is_followed() -> None:
    port = free_port()
    around = Around(quick(port))
    assert around.verdicts == {"Unknown"}
    async with around.running():
        await around.until(lambda: around.verdicts == {"Failing"})
        assert list(around.heard[-1].failing.values()) == ["connection refused"]
        async with served(silent, port=port):
            await around.until(lambda: around.verdicts == {"Passing"})
        await around.until(lambda: around.verdicts == {"Failing"})
    assert len(around.heard) == 3


@in_loop
async def test_what_thousands_ask_is_asked_once() -> None:
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1

    async with served(count) as port:
        around = Around(HealthCheck(CheckKind.TCP, port, interval_s=3600.0, timeout_s=PATIENT_S), vips=2000)
        async with around.running():
            await around.until(lambda: around.verdicts == {"Passing"})
            await asyncio.sleep(2 * healthchecks.FOLLOW_S)
    assert connections == 1
    assert len(around.heard) == 1


@in_loop
async def test_one_failing_check_of_several_is_enough() -> None:
    async with served(silent) as port:
        around = Around(quick(port), quick(free_port()))
        async with around.running():
            await around.until(lambda: around.verdicts == {"Failing"})
    assert len(around.heard[-1].passing) == 1


@in_loop
async def test_the_loopback_address_is_asked_where_wanted() -> None:
    async with served(silent) as port:
        around = Around(HealthCheck(CheckKind.TCP, port, loopback=True, interval_s=0.1, timeout_s=PATIENT_S))
        async with around.running():
            await around.until(lambda: around.verdicts == {"Passing"})


@in_loop
async def test_what_is_asked_follows_the_plan() -> None:
    async with served(silent) as port:
        around = Around(quick(free_port()))
        async with around.running():
            await around.until(lambda: around.verdicts == {"Failing"})
            around.plan(quick(port))
            assert around.verdicts == {"Unknown"}
            await around.until(lambda: around.verdicts == {"Passing"})
            around.plan()
            assert around.verdicts == {"Passing"}


@in_loop
async def test_an_interface_that_is_down_is_not_asked() -> None:
    around = Around(quick(free_port()))
    gone = LocalInterface("lo", "52:54:00:00:00:01", (f"{HOST}/8",), up=False)
    around.elector.step(2.0, InterfacesChanged((gone,)))
    async with around.running():
        await asyncio.sleep(0.5)
    assert around.verdicts == {"Unknown"}


@in_loop
async def test_a_program_that_never_answers_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """More silent ones than may be asked at once: the one that answers is still found to pass."""
    monkeypatch.setattr(healthchecks, "AT_ONCE_MAX", 2)
    hanging = [socket.create_server((HOST, 0)) for _ in range(4)]
    try:
        async with served(silent) as port:
            silents = [
                HealthCheck(CheckKind.HTTP, s.getsockname()[1], "/", interval_s=0.1, timeout_s=0.2) for s in hanging
            ]
            around = Around(*silents, quick(port))
            async with around.running():
                await around.until(
                    lambda: bool(around.heard) and any(c.port == port for _, c in around.heard[-1].passing)
                )
    finally:
        for sock in hanging:
            sock.close()
