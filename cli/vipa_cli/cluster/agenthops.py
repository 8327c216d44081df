"""Next hops asked of agents over HTTP: no API server takes part, and they are as new as heartbeats."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPException
from queue import Queue
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import urlopen

from vipa_cli.cluster.errors import UnreachableError, UsageError
from vipa_cli.cluster.kubeconfig import Json

TIMEOUT_S: Final = 5.0
"""An agent answers in milliseconds, or it is away."""

WATCH_S: Final = 25.0
"""A watching agent says something every 10 s: one that misses two is gone."""

_RETRY_S: Final = 1.0


def base(url: str) -> str:
    """The address of an agent as a URL: ``w1:9117`` is http://w1:9117. UsageError for what is neither."""
    full = url if "://" in url else f"http://{url}"
    scheme, _, where = full.partition("://")
    if scheme not in ("http", "https") or not where.strip("/"):
        raise UsageError(f"--agent: {url} is no address of an agent's --metrics, such as w1:9117")
    return full.rstrip("/")


def entry(told: Sequence[Json | None]) -> Json | None:
    """Of what several agents say of one virtual IP what counts: the newest holding they know of; of one holding the
    holder's own words, who alone knows its adapters of both families. None: none of them knows it."""
    known = [(t.get("term", 0), t.get("self", False), len(t.get("nextHops") or ()), t) for t in told if t]
    held = [item for item in known if item[3].get("holder")]
    return max(held or known, key=lambda item: item[:3], default=(0, False, 0, None))[3]


def as_vip(told: Json) -> Json:
    """In the shape of a VirtualIP, as far as next hops go."""
    return {
        "metadata": {"name": told["name"]},
        "spec": {"addresses": told["addresses"]},
        "status": {"addresses": told["addresses"], "nextHops": told["nextHops"]},
    }


def once(agents: Sequence[str], wanted: str) -> Json:
    """The virtual IP ``wanted`` (name or address) by what all ``agents`` say now. UnreachableError when none answers,
    UsageError when none knows it."""
    told: list[Json] = []
    troubles: list[str] = []
    for agent in agents:
        try:
            with urlopen(f"{base(agent)}/nexthops", timeout=TIMEOUT_S) as answer:
                told.append(json.load(answer))
        except (OSError, HTTPException, ValueError) as error:
            troubles.append(f"{agent}: {_why(error)}")
    if not told:
        raise UnreachableError("; ".join(troubles))
    return _chosen(told, wanted)


def follow(agents: Sequence[str], wanted: str, tell: Callable[[Json], None], trouble: Callable[[str], None]) -> None:
    """``tell`` whenever it is different, until Ctrl-C; ``trouble`` when an agent is away, and "" when all are back."""
    news: Queue[tuple[str, Json | None, str]] = Queue()
    for agent in map(base, agents):
        threading.Thread(target=_watch, args=(agent, news), daemon=True).start()
    latest: dict[str, Json] = {}
    troubles: dict[str, str] = {}
    while True:
        agent, said, why = news.get()
        if said is None:
            latest.pop(agent, None)
            troubles[agent] = why
        else:
            latest[agent] = said
            troubles.pop(agent, None)
        if latest:
            tell(_chosen(list(latest.values()), wanted))
        trouble("; ".join(f"{name}: {text}" for name, text in sorted(troubles.items())))


def _watch(agent: str, news: "Queue[tuple[str, Json | None, str]]") -> None:
    while True:
        try:
            for said in _lines(agent):
                news.put((agent, said, ""))
            why = "it ended"
        except (OSError, HTTPException, ValueError) as error:
            why = _why(error)
        news.put((agent, None, why))
        time.sleep(_RETRY_S)


def _lines(agent: str) -> Iterator[Json]:
    with urlopen(f"{base(agent)}/nexthops?watch", timeout=WATCH_S) as answer:
        for line in answer:
            if line.strip():
                said: Json = json.loads(line)
                yield said


def _chosen(told: Sequence[Json], wanted: str) -> Json:
    names = {
        vip["name"]
        for each in told
        for vip in each.get("virtualIPs") or ()
        if wanted == vip["name"] or wanted in vip["addresses"]
    }
    if not names:
        raise UsageError(f"none of these agents has a virtual IP {wanted} in its plan")
    by_agent = [_of(each, next(iter(names))) for each in told]
    chosen = entry(by_agent)
    assert chosen is not None
    return as_vip(chosen)


def _of(told: Json, name: str) -> Json | None:
    vip: Any = next((v for v in told.get("virtualIPs") or () if v["name"] == name), None)
    return {**vip, "self": vip["holder"] == told.get("node")} if vip is not None else None


def _why(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"HTTP {error.code} {error.reason}"
    return str(getattr(error, "reason", "") or error) or type(error).__name__
