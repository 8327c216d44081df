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
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=_TIMEOUT_S, context=self._context)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": content_type})
            response = connection.getresponse()
            answer = response.read().decode()
            is_json = response.headers.get_content_type() == "application/json"
            return response.status, json.loads(answer) if is_json else answer
        finally:
            connection.close()
