"""Serves metrics and next hops over HTTP from threads of its own: a slow reader holds up neither the event loop nor the
others."""

import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from vipa_agent.hopboard import WATCHERS_MAX, HopBoard
from vipa_agent.hoppages import NEXTHOPS, serve

SCRAPERS_MAX: Final = 8 + WATCHERS_MAX
"""Requests at a time, a thread each; more are refused by closing. A node has one or two Prometheus servers; those
who wait for next hops are never all."""

SLOW_S: Final = 5.0
"""A scraper that takes no bytes for this long is given up: half of Prometheus' default scrape_timeout."""


_Request = socket.socket | tuple[bytes, socket.socket]


class ScrapeServer:
    """``/metrics``, and ``/nexthops`` where there is a ``board`` of them, on ADDR:PORT until :meth:`close`. OSError
    from the constructor when the address cannot be bound."""

    def __init__(self, address: str, port: int, registry: CollectorRegistry, board: HopBoard | None = None) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._board = board
        self._server = _Server(family, (address, port), registry, board)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        """The port in use: the kernel's choice when 0 was asked for."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop listening. Answers under way go on in their daemon threads. Takes up to 0.2 s."""
        if self._board is not None:
            self._board.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def parse_listen(text: str) -> tuple[str, int]:
    """ADDR:PORT, [ADDR]:PORT or :PORT (all addresses) as (address, port); ValueError with the form expected."""
    address, colon, port = text.rpartition(":")
    bare = address.removeprefix("[").removesuffix("]")
    bracketed = len(bare) == len(address) - 2
    if not colon or not port.isdecimal() or int(port) > 65535 or (":" in address and not bracketed):
        raise ValueError(f"{text!r} is not ADDR:PORT (like 127.0.0.1:9117, [::1]:9117 or :9117)")
    return bare, int(port)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """The standard library's threaded server with a limit, silent about scrapers that hang up. Not its HTTPServer:
    that asks DNS for the address's name before it listens."""

    allow_reuse_address = True
    daemon_threads = True
    # As many as are served at once may come at once: beyond the standard library's 5 the kernel drops the SYN, and a
    # scraper waits a second to send it again.
    request_queue_size = SCRAPERS_MAX

    def __init__(
        self, family: int, where: tuple[str, int], registry: CollectorRegistry, board: HopBoard | None
    ) -> None:
        self.address_family = family
        self.registry = registry
        self.board = board
        self._slots = threading.BoundedSemaphore(SCRAPERS_MAX)
        super().__init__(where, _Handler)

    def process_request(self, request: _Request, client_address: object) -> None:
        if self._slots.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: _Request, client_address: object) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: _Request, client_address: object) -> None:
        """A scraper that went away or stalled is its own business, and printing it could block."""


class _Handler(BaseHTTPRequestHandler):
    """GET /metrics, /nexthops, /nexthops/NAME."""

    server: _Server
    timeout = SLOW_S

    def do_GET(self) -> None:
        path = self.path.split("?", 1)[0]
        board = self.server.board
        if board is not None and (path == NEXTHOPS or path.startswith(f"{NEXTHOPS}/")):
            serve(self, board)
            return
        if path != "/metrics":
            self.send_error(404, f"Metrics are at /metrics{f', next hops at {NEXTHOPS}' if board else ''}")
            return
        encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        body = encode(self.server.registry)
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: scrapes are no news."""
