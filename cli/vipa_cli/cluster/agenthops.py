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
_UNKNOWN: Final = "none of these agents has a virtual IP {} in its plan"


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
    """``tell`` whenever it is different, until Ctrl-C; ``trouble`` when an agent is away or none knows it, and "" when
    all is well. UsageError when all answer at the start and none of them knows it."""
    news: Queue[tuple[str, Json | None, str]] = Queue()
    bases = list(dict.fromkeys(map(base, agents)))
    for agent in bases:
        threading.Thread(target=_watch, args=(agent, news), daemon=True).start()
    followed = Followed(bases, wanted)
    while True:
        vip = followed.take(*news.get())
        if vip is not None:
            tell(vip)
        trouble(followed.trouble)


class Followed:
    """What is known of the virtual IP ``wanted`` from what each of ``agents`` said last."""

    def __init__(self, agents: Sequence[str], wanted: str) -> None:
        self._wanted = wanted
        self._unheard = set(agents)
        self._latest: dict[str, Json] = {}
        self._troubles: dict[str, str] = {}
        self._known = False

    @property
    def trouble(self) -> str:
        """What is wrong now, in a line; "": nothing."""
        told = [f"{agent}: {why}" for agent, why in sorted(self._troubles.items())]
        if self._latest and not self._unheard and self._chosen() is None:
            told.append(_UNKNOWN.format(self._wanted))
        return "; ".join(told)

    def take(self, agent: str, said: Json | None, why: str) -> Json | None:
        """``agent`` said something, or is away (None) for the reason ``why``; what is known then. One agent that does
        not know it says nothing against others that do. UsageError: none knows it, and never has."""
        self._unheard.discard(agent)
        self._latest.pop(agent, None)
        self._troubles.pop(agent, None)
        if said is None:
            self._troubles[agent] = why
        else:
            self._latest[agent] = said
        vip = self._chosen()
        self._known |= vip is not None
        if not (self._known or self._unheard or self._troubles):
            raise UsageError(_UNKNOWN.format(self._wanted))
        return vip

    def _chosen(self) -> Json | None:
        told = list(self._latest.values())
        return _chosen(told, self._wanted) if _names(told, self._wanted) else None


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
    names = _names(told, wanted)
    if not names:
        raise UsageError(_UNKNOWN.format(wanted))
    by_agent = [_of(each, min(names)) for each in told]
    chosen = entry(by_agent)
    assert chosen is not None
    return as_vip(chosen)


def _names(told: Sequence[Json], wanted: str) -> set[str]:
    """Names of the virtual IP ``wanted`` (name or address) in these agents' plans."""
    vips = (vip for each in told for vip in each.get("virtualIPs") or ())
    return {vip["name"] for vip in vips if wanted == vip["name"] or wanted in vip["addresses"]}


def _of(told: Json, name: str) -> Json | None:
    vip: Any = next((v for v in told.get("virtualIPs") or () if v["name"] == name), None)
    return {**vip, "self": vip["holder"] == told.get("node")} if vip is not None else None


def _why(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"HTTP {error.code} {error.reason}"
    return str(getattr(error, "reason", "") or error) or type(error).__name__
