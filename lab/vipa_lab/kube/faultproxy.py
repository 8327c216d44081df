"""An API server that says what a healthy one seldom says: 410, 429, 403 on demand, and watches that go silent.

Plain HTTP on loopback, in threads of the test process; each request goes on to a real API server as its admin, unless a
fault is set for it. What was asked and what came back is kept in ``log``.
"""

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from vipa_agent.sources.api.config import from_kubeconfig
from vipa_agent.sources.api.tls import tls_context
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.started import Started

_READ_BYTES: Final = 65536
_POLL_S: Final = 0.02
# Longer than a watch's bookmarks are apart (a minute): the proxy itself must never be what ends one.
_TIMEOUT_S: Final = 120.0
_DROPPED: Final = frozenset({"host", "connection", "content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and its answer. ``verb``: list, watch, patch. ``at_s``: CLOCK_MONOTONIC."""

    verb: str
    status: int
    at_s: float
    query: Mapping[str, list[str]] = field(default_factory=dict)
    body: bytes = b""


class FaultProxy(Started):
    """In front of ``api``. Faults last until :meth:`heal`."""

    def __init__(self, api: ApiServer) -> None:
        self._api = api
        self.log: list[Asked] = []
        self._refusals: dict[str, tuple[int, dict[str, str]]] = {}
        self.silent = threading.Event()
        self._broken = 0
        self._watches: list[socket.socket] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        context = tls_context(from_kubeconfig(api.admin))
        assert isinstance(context, ssl.SSLContext)
        self._context = context
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="fault-proxy", daemon=True
        )

    def start(self) -> None:
        """Listen."""
        self._thread.start()

    def stop(self) -> None:
        """End, with everything under way."""
        self.heal()
        self.break_off()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def refuse(self, verb: str, status: int, **headers: str) -> None:
        """Answer requests of this kind so, e.g. ``refuse("list", 429, Retry_After="2")``."""
        self._refusals[verb] = status, {name.replace("_", "-"): text for name, text in headers.items()}

    def silence(self) -> None:
        """Connections stay and carry nothing; new requests are taken and not answered."""
        self.silent.set()

    def break_off(self) -> None:
        """End every watch under way in the middle."""
        self._broken += 1
        # One that begins just now is in the new list, for the next time.
        watches, self._watches = self._watches, []
        for sock in watches:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def heal(self) -> None:
        """No faults any more. What was silent stays so: its connection is dead."""
        self._refusals.clear()
        self.silent.clear()

    def asked(self, verb: str, status: int = 200) -> list[Asked]:
        """Requests of this kind with this answer."""
        return [each for each in self.log if (each.verb, each.status) == (verb, status)]

    def serve(self, handler: "_Handler") -> None:
        """One request."""
        parts = urlsplit(handler.path)
        query = parse_qs(parts.query)
        verb = "watch" if "watch" in query else {"GET": "list", "PATCH": "patch"}[handler.command]
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        broken = self._broken
        if self.silent.is_set():
            self._hang(handler, broken)
            return
        refused = self._refusals.get(verb)
        if refused is not None:
            self.log.append(Asked(verb, refused[0], time.monotonic(), query, body))
            handler.answer(refused[0], refused[1])
            return
        try:
            self._forward(handler, verb, query, body)
        except (OSError, http.client.HTTPException):
            handler.close_connection = True  # the server went away, or the agent did: both see a broken answer
            if self.silent.is_set():
                self._hang(handler, broken)  # in silence nobody hears of the server's end either

    def _forward(self, handler: "_Handler", verb: str, query: Mapping[str, list[str]], body: bytes) -> None:
        broken = self._broken
        connection = http.client.HTTPSConnection("127.0.0.1", self._api.port, timeout=_TIMEOUT_S, context=self._context)
        try:
            headers = {k: v for k, v in handler.headers.items() if k.lower() not in _DROPPED}
            connection.request(handler.command, handler.path, body or None, headers)
            if verb == "watch":
                self._watches.append(connection.sock)
            response = connection.getresponse()
            self.log.append(Asked(verb, response.status, time.monotonic(), query, body))
            handler.begin(response.status, response.headers.get("Content-Type", ""))
            while True:
                chunk = response.read1(_READ_BYTES)
                if self.silent.is_set():
                    self._hang(handler, broken)
                    return
                if not chunk:
                    break
                handler.chunk(chunk)
            handler.end()
        finally:
            connection.close()

    def _hang(self, handler: "_Handler", broken: int) -> None:
        """Until the next :meth:`break_off` after the ``broken``-th: nobody hears of it."""
        handler.close_connection = True
        while self._broken == broken:
            time.sleep(_POLL_S)


class _Server(ThreadingHTTPServer):
    proxy: FaultProxy
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - the standard library's words
        """Clients of a faulty server hang up in all ways there are."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.proxy.serve(self)

    def do_PATCH(self) -> None:
        self.server.proxy.serve(self)

    def answer(self, status: int, headers: Mapping[str, str]) -> None:
        """A refusal in the words of the API."""
        body = json.dumps({"kind": "Status", "apiVersion": "v1", "code": status, "message": "by a test"}).encode()
        self.send_response(status)
        for name, text in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def begin(self, status: int, content_type: str) -> None:
        """An answer of unknown length."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        """More of it."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        """All of it."""
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Nothing: the proxy has its own log."""
