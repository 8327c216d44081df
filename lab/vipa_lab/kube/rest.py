"""Plain requests to an API server as its admin: milliseconds each, where kubectl takes a tenth of a second."""

import http.client
import json
import ssl
import time
from pathlib import Path
from typing import Any, Final

_TIMEOUT_S: Final = 30.0
# kube-apiserver ends a connection after 90 s without a request: one that it may be ending just now is not used.
_KEPT_S: Final = 30.0
# A server, and a kind it has just got, ask for patience at first; kubectl has it too.
_PATIENCE_S: Final = 30.0
_POLL_S: Final = 0.1


class Rest:
    """To 127.0.0.1:``port``, by client certificate, from any thread. Connections are kept for later requests, until
    :meth:`close`; afterwards each request has its own."""

    def __init__(self, port: int, ca: Path, certificate: Path, key: Path) -> None:
        self._port = port
        self._context = ssl.create_default_context(cafile=ca)
        self._context.load_cert_chain(certificate, key)
        # Connections without a request under way, and since when (CLOCK_MONOTONIC).
        self._idle: list[tuple[http.client.HTTPSConnection, float]] = []
        self._keeps = True

    def ask(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        """Status code, and the answer as JSON (a str when it is none). OSError or HTTPException without an answer.

        429 is waited out.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            status, kind, text = self._ask(method, path, body, content_type)
            if status != http.client.TOO_MANY_REQUESTS or time.monotonic() >= deadline:
                return status, json.loads(text) if kind == "application/json" else text
            time.sleep(_POLL_S)

    def watch(self, path: str, since: str, timeout_s: int = 1) -> list[Any]:
        """The events of a collection from the resourceVersion ``since`` on, as soon as there are any: those that come
        within ``timeout_s`` seconds. [] when none come."""
        question = f"{path}?watch=1&resourceVersion={since}&timeoutSeconds={timeout_s}"
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            status, _, text = self._ask("GET", question)
            # A server that is short of processors may let the second pass before it tells what it knows.
            if (status == http.client.OK and text) or time.monotonic() >= deadline:
                return [json.loads(line) for line in text.splitlines()]
            time.sleep(_POLL_S)

    def close(self) -> None:
        """End the connections that are kept, and keep none any more. Safe to repeat."""
        self._keeps = False
        while self._idle:
            self._idle.pop()[0].close()

    def _ask(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> tuple[int, str, str]:
        connection = self._connection()
        answered = False
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": content_type})
            response = connection.getresponse()
            answer = response.status, response.headers.get_content_type(), response.read().decode()
            answered = True
            return answer
        finally:
            self._give_back(connection, answered)

    def _connection(self) -> http.client.HTTPSConnection:
        while self._idle:
            try:
                connection, since_s = self._idle.pop()
            except IndexError:  # another thread took the last one
                break
            if time.monotonic() - since_s < _KEPT_S:
                return connection
            connection.close()
        return http.client.HTTPSConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S, context=self._context)

    def _give_back(self, connection: http.client.HTTPSConnection, answered: bool) -> None:
        if answered and self._keeps and connection.sock is not None:
            self._idle.append((connection, time.monotonic()))
            if self._keeps:
                return
        connection.close()
