"""bgpd's sessions, out of what it shows as JSON."""

import json
from collections.abc import Iterable
from typing import Any, Final

from vipa_agent.bgp.view import Session

ESTABLISHED: Final = "Established"
_FAMILIES: Final = ("ipv4", "ipv6")


def read(neighbours: str) -> list[Session]:
    """From ``show bgp neighbors json``. ValueError for what is no JSON: FRR says some things as plain text."""
    found: dict[str, Any] = json.loads(neighbours)
    return [_session(peer, about) for peer, about in sorted(found.items()) if isinstance(about, dict)]


def _session(peer: str, about: dict[str, Any]) -> Session:
    up = about.get("bgpState") == ESTABLISHED
    bfd = about.get("peerBfdInfo")
    return Session(
        peer,
        ESTABLISHED if up else str(about.get("bgpState", "")),
        str(bfd.get("status", "")) if isinstance(bfd, dict) else "",
        str(about.get("hostLocal", "")) if up else "",
    )


def questions(peer: str) -> Iterable[str]:
    """What to ask for the prefixes that were sent to one."""
    return [f"show bgp {family} unicast neighbors {peer} advertised-routes json" for family in _FAMILIES]


def advertised(answer: str) -> set[str]:
    """Prefixes of one such answer; none where FRR has no JSON to give (the family is not active there)."""
    try:
        found = json.loads(answer).get("advertisedRoutes")
    except (ValueError, AttributeError):
        return set()
    return set(found) if isinstance(found, dict) else set()
