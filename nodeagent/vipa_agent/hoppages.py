"""``/nexthops`` and ``/nexthops/NAME`` over HTTP: once, as soon as it changes (``after=EDITION``), or every change as a
line (``watch``). docs/router.md has them for readers."""

import json
import time
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from vipa_agent.hopboard import WATCHERS_MAX, Drawn, HopBoard

NEXTHOPS: Final = "/nexthops"

WAIT_S: Final = 25.0
"""Longest wait of ``after``, and what is waited for unless told otherwise: proxies give up after 30 s and more."""

ALIVE_S: Final = 10.0
"""An empty line to a watcher at least so often: it tells a quiet agent from a dead one."""


def serve(request: BaseHTTPRequestHandler, board: HopBoard) -> None:
    """Answer one GET."""
    parts = urlsplit(request.path)
    name = unquote(parts.path.removeprefix(NEXTHOPS).strip("/"))
    query = parse_qs(parts.query, keep_blank_values=True)
    after = query.get("after", [""])[0]
    try:
        wait_s = min(float(query.get("wait", [str(WAIT_S)])[0]), WAIT_S)
    except ValueError:
        wait_s = float("nan")
    if not wait_s >= 0:  # float() knows "nan", and who waits so long never sleeps
        request.send_error(400, "wait is a number of seconds")
        return
    if not board.enter():
        request.send_error(503, f"{WATCHERS_MAX} readers of next hops wait already")
        return
    try:
        if "watch" in query:
            _watch(request, board, name)
        else:
            _once(request, board, name, after, wait_s if after else 0.0)
    finally:
        board.leave()


def _once(request: BaseHTTPRequestHandler, board: HopBoard, name: str, after: str, wait_s: float) -> None:
    drawn = board.read(after, wait_s)
    if _answerable(request, drawn, name):
        assert drawn is not None
        body = _line(drawn, name)
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


def _watch(request: BaseHTTPRequestHandler, board: HopBoard, name: str) -> None:
    drawn = board.read()
    if not _answerable(request, drawn, name):
        return
    request.send_response(200)
    request.send_header("Content-Type", "application/x-ndjson")
    request.end_headers()
    said: Any = None
    while drawn is not None:
        shown = _shown(drawn, name)
        if shown != said:
            request.wfile.write(_line(drawn, name))
            said = shown
        else:
            request.wfile.write(b"\n")
        until = time.monotonic() + ALIVE_S
        while drawn is not None and _shown(drawn, name) == said and time.monotonic() < until:
            drawn = board.read(drawn.edition, until - time.monotonic())


def _answerable(request: BaseHTTPRequestHandler, drawn: Drawn | None, name: str) -> bool:
    if drawn is None:
        request.send_error(503, "the agent ends, or stands still")
    elif name and name not in drawn.table:
        request.send_error(404, "this agent has no such virtual IP in its plan")
    else:
        return True
    return False


def _shown(drawn: Drawn, name: str) -> Any:  # noqa: ANN401 - JSON
    return drawn.table.get(name) if name else list(drawn.table.values())


def _line(drawn: Drawn, name: str) -> bytes:
    """One line of JSON. A virtual IP that has left the plan is told as ``null``."""
    shown = _shown(drawn, name)
    document = {
        "node": drawn.node,
        "edition": drawn.edition,
        **({"virtualIP": shown} if name else {"virtualIPs": shown}),
    }
    return json.dumps(document).encode() + b"\n"
