"""Plain requests to an API server as its admin: milliseconds each, where kubectl takes a tenth of a second."""

import http.client
import json
import ssl
from pathlib import Path
from typing import Any, Final

_TIMEOUT_S: Final = 30.0


class Rest:
    """To 127.0.0.1:``port``, by client certificate."""

    def __init__(self, port: int, ca: Path, certificate: Path, key: Path) -> None:
        self._port = port
        self._context = ssl.create_default_context(cafile=ca)
        self._context.load_cert_chain(certificate, key)

    def ask(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> tuple[int, Any]:
        """Status code, and the answer as JSON (a str when it is none). OSError or HTTPException without an answer."""
        status, kind, text = self._ask(method, path, body, content_type)
        return status, json.loads(text) if kind == "application/json" else text

    def watch(self, path: str, since: str, timeout_s: int = 1) -> list[Any]:
        """All events of a collection that come within ``timeout_s`` from the resourceVersion ``since`` on."""
        question = f"{path}?watch=1&resourceVersion={since}&timeoutSeconds={timeout_s}"
        return [json.loads(line) for line in self._ask("GET", question)[2].splitlines()]

    def _ask(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> tuple[int, str, str]:
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S, context=self._context)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": content_type})
            response = connection.getresponse()
            return response.status, response.headers.get_content_type(), response.read().decode()
        finally:
            connection.close()
