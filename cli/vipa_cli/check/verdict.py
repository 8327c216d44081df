"""What rules do with a packet of which we know only so much. Pure.

Every condition is true, false or unknown (None), so that the answer is DROPPED or PASSED only where it is certain.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from vipa_cli.check.ruleset import Chain, Ruleset

_DEPTH_MAX: Final = 16
"""include/net/netfilter/nf_tables.h, NFT_JUMP_STACK_SIZE: deeper than that no jump goes."""


class Fate(StrEnum):
    """Of a packet."""

    PASSED = "passed"
    DROPPED = "dropped"
    EITHER = "either"
    """It depends on what we do not know."""


_End = Fate | Literal["return"] | None
"""What a verdict leads to with certainty: a fate, the end of this chain, or nothing yet."""


@dataclass(frozen=True, slots=True)
class Packet:
    """``protocols``: those that it has. ``facts``: what is known, by "meta.iifname" or "icmpv6.type", each in all the
    ways that nft writes it."""

    protocols: frozenset[str]
    facts: Mapping[str, tuple[object, ...]]


@dataclass(slots=True)
class _Walk:
    rules: Ruleset
    packet: Packet
    may: set[Fate]
    """Fates that rules whose conditions are unknown may have led to."""


def fate(rules: Ruleset, chain: Chain, packet: Packet) -> Fate:
    """What ``chain`` and those it leads to do with ``packet``."""
    walk = _Walk(rules, packet, set())
    end = _through(walk, chain, 0) or (Fate.DROPPED if chain.policy == "drop" else Fate.PASSED)
    return end if not walk.may - {end} else Fate.EITHER


def _through(walk: _Walk, chain: Chain, depth: int) -> Fate | None:
    """The certain end in this chain, None when the packet gets to its end."""
    for rule in chain.rules:
        holds: bool | None = True
        for expression in rule:
            for certain, verdict in _verdicts(expression, walk.packet):
                sure = holds is True and certain
                end = _apply(walk, chain, verdict, depth, sure=sure)
                if sure and end is not None:
                    return None if end == "return" else end
            met = _met(expression, walk.packet)
            if met is False:
                holds = False
                break
            if met is None:
                holds = None
    return None


def _apply(walk: _Walk, chain: Chain, verdict: Mapping[str, Any], depth: int, *, sure: bool) -> _End:
    """The certain end a verdict leads to, or None; what is not ``sure`` is only noted."""
    if "return" in verdict:
        if not sure:
            walk.may.update((Fate.PASSED, Fate.DROPPED))
        return "return" if sure else None
    end: Fate | None
    if "accept" in verdict or "drop" in verdict or "reject" in verdict:
        end = Fate.PASSED if "accept" in verdict else Fate.DROPPED
    else:
        jump = verdict.get("jump") or verdict.get("goto")
        target = walk.rules.chains.get((chain.family, chain.table, jump["target"])) if jump else None
        if target is None or depth >= _DEPTH_MAX:
            return None
        end = _through(walk, target, depth + 1)
        if sure and end is None and "goto" in verdict:
            return "return"
    if end is not None and not sure:
        walk.may.add(end)
    return end if sure else None


def _verdicts(expression: Mapping[str, Any], packet: Packet) -> Iterator[tuple[bool, Mapping[str, Any]]]:
    """(certain, verdict) of one expression; none for conditions and statements that change nothing here."""
    if "vmap" in expression:
        yield from _mapped(expression["vmap"], packet)
    elif expression.get("xt", {}).get("name") in ("REJECT", "DROP"):
        yield True, {"drop": None}
    elif any(word in expression for word in ("accept", "drop", "reject", "return", "jump", "goto")):
        yield True, expression


def _mapped(vmap: Mapping[str, Any], packet: Packet) -> Iterator[tuple[bool, Mapping[str, Any]]]:
    data = vmap.get("data")
    elements = data.get("set", ()) if isinstance(data, dict) else ()
    if not elements:  # a named map, whose elements were not read
        yield False, {"return": None}
    for key, verdict in elements:
        met = _compare(vmap["key"], "==", key, packet)
        if met is not False:
            yield met is True, verdict


def _met(expression: Mapping[str, Any], packet: Packet) -> bool | None:
    if "match" in expression:
        match = expression["match"]
        return _compare(match["left"], match.get("op", "=="), match["right"], packet)
    if "limit" in expression or expression.get("xt", {}).get("type") == "match":
        return None
    return True


def _compare(left: Any, operator: str, right: Any, packet: Packet) -> bool | None:  # noqa: ANN401 - JSON
    if not isinstance(left, dict) or operator not in ("==", "!=", "in"):
        return None
    if payload := left.get("payload"):
        if payload.get("protocol", "") not in packet.protocols:
            return False if "protocol" in payload else None
        name = f"{payload['protocol']}.{payload.get('field')}"
    elif len(left) == 1 and (kind := next(iter(left))) in ("meta", "ct"):
        name = f"{kind}.{left[kind].get('key')}"
    else:
        return None
    known = packet.facts.get(name)
    if known is None:
        return None
    met = _among(known, right)
    return None if met is None else met == (operator != "!=")


def _among(known: Sequence[object], right: Any) -> bool | None:  # noqa: ANN401 - JSON
    """Whether a value, given in all ways of writing it, is ``right`` or one of it."""
    if isinstance(right, dict):
        if "set" not in right:
            return None
        right = right["set"]
    if isinstance(right, list):
        results = [_among(known, each) for each in right]
        return True if True in results else None if None in results else False
    if isinstance(right, str) and right.startswith("@"):
        return None
    if isinstance(right, str) and right.endswith("*"):
        return any(fnmatchcase(str(each), right) for each in known)
    return right in known
