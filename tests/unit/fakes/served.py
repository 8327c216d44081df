"""Real servers on loopback, and tests that run in an event loop."""

import asyncio
import functools
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import ParamSpec

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


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes the connection and says nothing."""
    await reader.read()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port
