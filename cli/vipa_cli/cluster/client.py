"""A thin client of the API server: one connection that is kept, JSON in and out, errors for people.

Measured on two busy cores: starting kubectl alone costs 180 ms or more, this one 40 ms from import to answer.
"""

import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Final
from urllib.parse import quote, urlsplit

from vipa import __version__
from vipa_cli.cluster.answers import error_of, why_unreachable
from vipa_cli.cluster.connect import connect
from vipa_cli.cluster.errors import ClusterError, UnreachableError
from vipa_cli.cluster.kubeconfig import Access, Json
from vipa_cli.cluster.login import log_in

TIMEOUT_S: Final = 10.0
"""A list of ten thousand objects takes two seconds; somebody waits in front of this."""
WATCH_TIMEOUT_S: Final = 60.0
"""A watch is ended by the server after this, so that a connection that died silently is noticed soon after."""
MERGE_PATCH: Final = "application/merge-patch+json"
FIELD_MANAGER: Final = "vipa-cli"


class Client:
    """Talks to the server of ``access``. All methods raise ClusterError."""

    def __init__(self, access: Access, timeout_s: float = TIMEOUT_S) -> None:
        self._given = access
        self._access, self._headers = log_in(access)
        self._prefix = urlsplit(access.server).path
        self._timeout_s = timeout_s
        self._connection: HTTPConnection | None = None

    @property
    def server(self) -> str:
        """Its URL."""
        return self._access.server

    def get(self, path: str, accept: str = "application/json") -> Json:
        """The object or list at ``path``."""
        return _json(self._ask("GET", path, accept=accept))

    def text(self, path: str) -> str:
        """What is at ``path``, as text: a log."""
        return self._ask("GET", path, accept="*/*").decode(errors="replace")

    def patch(self, path: str, change: Json) -> Json:
        """Merge ``change`` (RFC 7386) into the object at ``path``."""
        return _json(self._ask("PATCH", f"{path}?fieldManager={FIELD_MANAGER}", json.dumps(change), MERGE_PATCH))

    def watch(self, path: str, since: str) -> Iterator[Json]:
        """The events of ``path`` (a collection, maybe with a question) after the resourceVersion ``since``, until the
        server ends it. GoneError when that is too long ago."""
        joint = "&" if "?" in path else "?"
        question = f"watch=1&allowWatchBookmarks=true&resourceVersion={since}&timeoutSeconds={WATCH_TIMEOUT_S:.0f}"
        watching = Client(self._given, WATCH_TIMEOUT_S + self._timeout_s)
        try:
            response = watching._send("GET", f"{path}{joint}{question}", None, "application/json", "")
            for line in response:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise error_of(self._access, event["object"].get("code", 500), json.dumps(event["object"]), path)
                yield event
        except (OSError, HTTPException, ValueError) as error:
            raise UnreachableError(f"the connection to {self.server} broke: {error}") from None
        finally:
            watching.close()

    def close(self) -> None:
        """Safe to repeat."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(
        self, method: str, path: str, body: str | None = None, kind: str = "", accept: str = "application/json"
    ) -> bytes:
        try:
            return self._send(method, path, body, accept, kind).read()
        except (OSError, HTTPException) as error:
            self.close()
            raise UnreachableError(f"the connection to {self.server} broke: {error}") from None

    def _send(self, method: str, path: str, body: str | None, accept: str, kind: str) -> HTTPResponse:
        """A response that says success."""
        deadline, renewed = time.monotonic() + self._timeout_s, False
        while True:
            response = self._once(method, path, body, accept, kind)
            if response.status < 300:
                return response
            said = response.read().decode(errors="replace")
            pause_s = _pause_s(response)
            if response.status == 401 and not renewed:
                # Tokens end while a watch goes on; files and plugins have newer ones.
                self.close()
                self._access, self._headers = log_in(self._given)
                renewed = True
            elif pause_s is not None and time.monotonic() + pause_s < deadline:
                time.sleep(pause_s)
            else:
                raise error_of(self._access, response.status, said, path)

    def _once(self, method: str, path: str, body: str | None, accept: str, kind: str) -> HTTPResponse:
        headers = self._headers | {"Accept": accept, "User-Agent": f"vipa-cli/{__version__}"}
        if kind:
            headers["Content-Type"] = kind
        try:
            if self._connection is None:
                self._connection = connect(self._access, self._timeout_s)
            self._connection.request(method, self._prefix + path, body, headers)
            return self._connection.getresponse()
        except (OSError, HTTPException) as error:
            self.close()
            raise UnreachableError(why_unreachable(self._access, error, self._timeout_s)) from None


def _pause_s(response: HTTPResponse) -> float | None:
    """How long a server that has too much to do, or has just started, wants to be left alone. It has done nothing."""
    text = response.headers.get("Retry-After", "")
    return float(text) if response.status in (429, 503) and text.isascii() and text.isdigit() else None


def _json(body: bytes) -> Json:
    try:
        found: Json = json.loads(body)
    except ValueError:
        raise ClusterError("the server's answer is not JSON; does the kubeconfig name an API server?") from None
    return found


def escaped(name: str) -> str:
    """``name`` as one part of a path."""
    return quote(name, safe="")
