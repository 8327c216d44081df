"""The management network: the API server, which listens outside, reached from inside a lab machine, with faults.

The listening socket is made inside the machine's namespace and keeps belonging to it; the connections it yields are
carried to the API server's loopback address by a thread of the test process. Bytes are passed on as they are, so TLS is
between the machine's program and the API server.

===========  ======================================================================================
``pause``    connections stay and are silently dead; new ones are taken and are dead too
``cut``      connections are reset, new ones are refused
``resume``   inverse of both: paused connections go on with every byte, reset ones stay gone
===========  ======================================================================================

For a LAN of management with faults of its own, put the relay on a station with an adapter of that address.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

from vipa_lab.errors import LabError
from vipa_lab.host import Host
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.started import Started

_T = TypeVar("_T")

_READ_BYTES: Final = 65536
_BACKLOG: Final = 100
_TIMEOUT_S: Final = 30.0
# Of the event loop: from accept() to the task that carries the connection it takes three, from close() to the end one.
_TURNS: Final = 8
# socket(7), SO_LINGER on and 0 s: close() sends a reset.
_RESET: Final = struct.pack("ii", 1, 0)


class Relay(Started):
    """From ``address``:``port`` on ``host`` to ``api``. Start it again after the host has booted."""

    def __init__(self, host: Host, api: ApiServer, address: str = "127.0.0.1", port: int = 6443) -> None:
        self._host = host
        self._api = api
        self._address = (address, port)
        self._carrier: _Carrier | None = None

    @property
    def url(self) -> str:
        """The API server's address as programs on the host write it."""
        address, port = self._address
        return f"https://[{address}]:{port}" if ":" in address else f"https://{address}:{port}"

    @property
    def connections(self) -> int:
        """How many are open, dead ones included."""
        return len(self._running().tasks)

    def start(self) -> None:
        """Listen, without faults. On a running relay: a fresh start, with all connections reset."""
        self.stop()
        self._carrier = _Carrier(self._api.port)
        self.resume()

    def pause(self) -> None:
        """Nothing passes any more, and nobody is told."""
        carrier = self._running()
        carrier.call(carrier.pause())

    def cut(self) -> None:
        """Everybody is told: connections are reset, new ones refused."""
        carrier = self._running()
        carrier.call(carrier.cut())

    def resume(self) -> None:
        """All is well again."""
        carrier = self._running()
        # A socket belongs to the namespace it was made in, so a new one is made there each time.
        listener = None if carrier.listens else self._host.namespace.call(self._listen)
        carrier.call(carrier.resume(listener))

    def stop(self) -> None:
        """Reset all connections and end. Safe to repeat."""
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.close()

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        return socket.create_server(self._address, family=family, backlog=_BACKLOG)

    def _running(self) -> _Carrier:
        if self._carrier is None:
            raise LabError(f"the relay on {self._host.name} is not running: start() it first")
        return self._carrier


class _Carrier:
    """A thread with an event loop, in which all coroutines here run, and the connections it carries."""

    def __init__(self, target_port: int) -> None:
        self.tasks: set[asyncio.Task[Any]] = set()
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._passing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="kube-relay", daemon=True)
        self._thread.start()

    @property
    def listens(self) -> bool:
        """False before the first resume and while cut."""
        return self._server is not None

    def call(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run it to its end, from another thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_TIMEOUT_S)

    def close(self) -> None:
        """Reset everything and end the thread."""
        self.call(self.cut())
        self.call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def pause(self) -> None:
        self._passing.clear()

    async def cut(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _end(self) -> None:
        """Connections that were accepted just before the cut, and have no task of ours yet, end too."""
        for _ in range(_TURNS):
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await asyncio.sleep(0)

    async def resume(self, listener: socket.socket | None) -> None:
        if listener is not None:
            self._server = await asyncio.start_server(self._carry, sock=listener)
        self._passing.set()

    async def _carry(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if not self.listens:  # accepted just before a cut
            await _close(writer, reset=True)
            return
        self.tasks.add(task)
        ends = [writer]
        ended = False
        try:
            await self._passing.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            ends.append(far_writer)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pass(reader, far_writer))
                ways.create_task(self._pass(far_reader, writer))
            ended = True
        except* (OSError, asyncio.CancelledError):
            ended = False  # one end was reset or refused, or this is a cut: both are told
        finally:
            self.tasks.discard(task)
            for end in ends:
                await _close(end, reset=not ended)

    async def _pass(self, reader: StreamReader, writer: StreamWriter) -> None:
        while data := await reader.read(_READ_BYTES):
            await self._passing.wait()
            writer.write(data)
            await writer.drain()
        await self._passing.wait()
        writer.write_eof()


async def _close(end: StreamWriter, *, reset: bool) -> None:
    if reset:
        with suppress(OSError):  # it has been closed by a reset from the other side
            end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        end.transport.abort()
    end.close()
    with suppress(OSError):  # how the other side ended it, which no longer matters
        await end.wait_closed()
