"""Health checks of a VirtualIP, as they are written, judged and planned (docs/design/0007-health-checks.md)."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from vipa.plan import CheckKind
from vipa.plan import HealthCheck as PlannedCheck
from vipa.resources.durations import DurationError, parse_duration_s
from vipa.resources.meta import Wire
from vipa.resources.problems import Path, Problem, shown
from vipa.resources.texts import PATH_MAX, Duration

CHECKS_MAX: Final = 16
"""Per virtual IP: more are better asked behind one address of the program that knows."""

TURNS_MAX: Final = 10
"""Of rise and fall: the kubelet's users hardly ever set more than 3 (its default failureThreshold)."""

INTERVAL_S: Final = (0.1, 3600.0)
TIMEOUT_S: Final = (0.01, 60.0)
"""Shortest and longest. A question every 100 ms costs a node about 0.3 % of a core; an answer of a program on the same
node takes less than a millisecond, and who must wait for more than a minute has no answer."""

PATH: Final = re.compile(r"/[!-~]*")
"""What may stand in a request line (RFC 9112 §3.2): no blanks, no control characters, ASCII alone."""

Port = Annotated[int, Meta(ge=1, le=65535, description="TCP port")]
HttpPath = Annotated[str, Meta(max_length=PATH_MAX, description="What to GET")]
Interval = Annotated[Duration, Meta(description='From one question to the next, "2s"')]
Timeout = Annotated[Duration, Meta(description='How long an answer may take, "1s"')]
Rise = Annotated[
    int, Meta(ge=1, le=TURNS_MAX, description="Passes in a row after which a failing node is a candidate again")
]
Fall = Annotated[
    int, Meta(ge=1, le=TURNS_MAX, description="Failures in a row after which a node is no candidate any more")
]


class Scheme(StrEnum):
    """Scheme of an HTTP health check."""

    HTTP = "HTTP"
    HTTPS = "HTTPS"


class AskedAt(StrEnum):
    """Which address of the node itself is asked."""

    INTERFACE = "Interface"
    LOOPBACK = "Loopback"


At = Annotated[
    AskedAt, Meta(description="Interface: the node's own address on the virtual IP's LAN; Loopback: 127.0.0.1 or ::1")
]


class TcpCheck(Wire, frozen=True):
    """Healthy while a TCP connection is accepted."""

    port: Port


class HttpCheck(Wire, frozen=True):
    """Healthy while a GET is answered with 2xx or 3xx. The certificate of HTTPS is not verified."""

    port: Port
    path: HttpPath = "/"
    scheme: Scheme = Scheme.HTTP


class HealthCheck(Wire, frozen=True):
    """Exactly one of ``tcp`` and ``http``. The defaults are HAProxy's (inter, rise, fall) and the kubelet's
    (timeoutSeconds)."""

    tcp: TcpCheck | None = None
    http: HttpCheck | None = None
    at: At = AskedAt.INTERFACE
    interval: Interval = "2s"
    timeout: Timeout = "1s"
    rise: Rise = 2
    fall: Fall = 3


class AssignedCheck(Wire, frozen=True):
    """A health check in a node's share. A type of its own: there may be 10,000 × 16, and a rule for each would cost the
    API server more than it allows."""

    kind: CheckKind
    port: Port
    path: HttpPath = ""
    at: At = AskedAt.INTERFACE
    interval: Interval = "2s"
    timeout: Timeout = "1s"
    rise: Rise = 2
    fall: Fall = 3


def judge_health_check(check: HealthCheck, path: Path) -> Iterator[Problem]:
    """What the types alone cannot say."""
    if (check.tcp is None) == (check.http is None):
        yield Problem(path, "", "must have exactly one of tcp: {port: 443} and http: {port: 80, path: /}")
    if check.http is not None:
        yield from _path(check.http.path, (*path, "http", "path"))
    yield from _duration(check.interval, INTERVAL_S, (*path, "interval"))
    yield from _duration(check.timeout, TIMEOUT_S, (*path, "timeout"))


def _path(text: str, path: Path) -> Iterator[Problem]:
    if not text.startswith("/"):
        yield Problem(path, shown(text), "must start with /, such as /healthz")
    elif not PATH.fullmatch(text):
        yield Problem(path, shown(text), "has a character that no path has; write it as %20 for a blank, for instance")


def _duration(text: str, bounds_s: tuple[float, float], path: Path) -> Iterator[Problem]:
    try:
        seconds = parse_duration_s(text)
    except DurationError as error:
        yield Problem(path, shown(text), str(error))
        return
    if not bounds_s[0] <= seconds <= bounds_s[1]:
        yield Problem(path, shown(text), f"must be from {bounds_s[0]:g}s to {bounds_s[1]:g}s")


def planned_check(check: HealthCheck) -> PlannedCheck:
    """``check``, which is valid, as the planner gives it to the agents."""
    kind, port, path = CheckKind.TCP, 0, ""
    if check.tcp is not None:
        port = check.tcp.port
    elif check.http is not None:
        kind = CheckKind.HTTPS if check.http.scheme is Scheme.HTTPS else CheckKind.HTTP
        port, path = check.http.port, check.http.path
    return PlannedCheck(
        kind,
        port,
        path,
        loopback=check.at is AskedAt.LOOPBACK,
        interval_s=parse_duration_s(check.interval),
        timeout_s=parse_duration_s(check.timeout),
        rise=check.rise,
        fall=check.fall,
    )


def assigned_check(check: PlannedCheck, interval: str, timeout: str) -> AssignedCheck:
    """``check`` for the wire; ``interval`` and ``timeout``: its durations as text."""
    at = AskedAt.LOOPBACK if check.loopback else AskedAt.INTERFACE
    return AssignedCheck(check.kind, check.port, check.path, at, interval, timeout, check.rise, check.fall)


def check_in(assigned: AssignedCheck) -> HealthCheck:
    """The same as somebody would have written it in a VirtualIP, to be judged and planned."""
    tcp = assigned.kind is CheckKind.TCP
    scheme = Scheme.HTTPS if assigned.kind is CheckKind.HTTPS else Scheme.HTTP
    return HealthCheck(
        tcp=TcpCheck(assigned.port) if tcp else None,
        http=None if tcp else HttpCheck(assigned.port, assigned.path, scheme),
        at=assigned.at,
        interval=assigned.interval,
        timeout=assigned.timeout,
        rise=assigned.rise,
        fall=assigned.fall,
    )
