"""The thin client against a server that answers as it is told: patience, paths, and what answers mean."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from vipa_cli.cluster.client import MERGE_PATCH, Client
from vipa_cli.cluster.errors import (
    ClusterError,
    ForbiddenError,
    GoneError,
    NotFoundError,
    NoTypesError,
    UnauthorizedError,
    UnreachableError,
)
from vipa_cli.cluster.kubeconfig import Access

Answer = tuple[int, dict[str, str], str]


class Told(BaseHTTPRequestHandler):
    """Gives ``answers`` one after the other, the last one for ever; remembers what was ``asked``."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[list[Answer]] = []
    asked: ClassVar[list[tuple[str, str, dict[str, str], str]]] = []

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.asked.append((self.command, self.path, dict(self.headers), body))
        code, headers, text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.send_response(code)
        for name, value in ({"Content-Length": str(len(text))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_PATCH = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Told.answers.clear()
    Told.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Told) as made:
        made.daemon_threads = True
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


Make = Callable[..., Client]


@pytest.fixture
def client() -> Iterator[Make]:
    """Makes clients: ``client(url, timeout_s=10.0, token="t")``."""
    with ExitStack() as stack:

        def make(url: str, timeout_s: float = 10.0, **user: str) -> Client:
            made = Client(Access(url, "context lab of config", user=dict(user)), timeout_s)
            stack.callback(made.close)
            return made

        yield make


def failure(code: int, message: str, **details: str) -> Answer:
    return code, {}, json.dumps({"kind": "Status", "message": message, "code": code, "details": details})


def test_a_server_that_asks_for_patience_gets_it(server: str, client: Make) -> None:
    Told.answers[:] = [(429, {"Retry-After": "0"}, "busy"), (503, {"Retry-After": "0"}, ""), (200, {}, '{"a": 1}')]
    assert client(server).get("/x") == {"a": 1}
    assert len(Told.asked) == 3


def test_but_not_for_ever(server: str, client: Make) -> None:
    Told.answers[:] = [(429, {"Retry-After": "60"}, "busy")]
    with pytest.raises(ClusterError, match="answers 429 to /x: busy"):
        client(server, timeout_s=0.5).get("/x")
    Told.answers[:] = [(503, {}, "no word of when")]
    with pytest.raises(ClusterError, match="503"):
        client(server).get("/x")


def test_a_prefix_of_the_server_is_kept_and_who_asks_is_said(server: str, client: Make) -> None:
    Told.answers[:] = [(200, {}, "{}")]
    client(f"{server}/clusters/a", token="t").patch("/api/x", {"spec": None})
    ((method, path, headers, body),) = Told.asked
    assert (method, path, body) == ("PATCH", "/clusters/a/api/x?fieldManager=vipa-cli", '{"spec": null}')
    assert (headers["Authorization"], headers["Content-Type"]) == ("Bearer t", MERGE_PATCH)
    assert headers["User-Agent"].startswith("vipa-cli/")


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (failure(401, "Unauthorized"), UnauthorizedError, "does not know you"),
        (failure(403, "nodes is forbidden"), ForbiddenError, "not allowed: nodes is forbidden"),
        (failure(404, 'virtualips "a" not found', name="a"), NotFoundError, 'virtualips "a" not found'),
        ((404, {}, "404 page not found"), NoTypesError, "is vipa installed there"),
        (failure(404, "the server could not find the requested resource"), NoTypesError, "is vipa installed there"),
        (failure(410, "too old resource version"), GoneError, "too old"),
        ((500, {}, "<html>"), ClusterError, "answers 500 to /apis/vipa.dev/v1alpha1/virtualips/a: <html>"),
        ((200, {}, "<html>"), ClusterError, "does the kubeconfig name an API server"),
    ],
)
def test_what_answers_mean(answer: Answer, error: type[ClusterError], says: str, server: str, client: Make) -> None:
    Told.answers[:] = [answer]
    with pytest.raises(error) as raised:
        client(server).get("/apis/vipa.dev/v1alpha1/virtualips/a")
    assert type(raised.value) is error
    assert says in str(raised.value)


def test_a_connection_that_breaks_in_the_middle(server: str, client: Make) -> None:
    Told.answers[:] = [(200, {"Content-Length": "100"}, '{"half": ')]
    with pytest.raises(UnreachableError):
        client(server, timeout_s=0.5).get("/x")


def test_a_watch_gives_events_and_says_when_it_is_too_late(server: str, client: Make) -> None:
    lines = [
        {"type": "MODIFIED", "object": {"a": 1}},
        {"type": "BOOKMARK", "object": {}},
        {"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}},
    ]
    Told.answers[:] = [(200, {}, "".join(json.dumps(line) + "\n" for line in lines))]
    events = client(server).watch("/x?fieldSelector=a", "7")
    assert [next(events)["type"], next(events)["type"]] == ["MODIFIED", "BOOKMARK"]
    with pytest.raises(GoneError):
        next(events)
    assert "/x?fieldSelector=a&watch=1&allowWatchBookmarks=true&resourceVersion=7" in Told.asked[0][1]
