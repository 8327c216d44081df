"""Clients behind a router, beside the one on the LAN: what is promised to them in an act, and what they got. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec


@dataclass(frozen=True, slots=True)
class RemotePromise:
    """``by``: the machines that answer them in the end, each of them. ``figure_ms``, ``bound_ms``: as in a Promise, of
    the flow that fared worst; without them nothing may be lost."""

    by: frozenset[str]
    figure_ms: float | None = None
    bound_ms: float | None = None


class Reached(msgspec.Struct, frozen=True):
    """One act. ``outage_ms``: of the flow that fared worst; ``lost`` of ``sent``: datagrams of all; ``by``: of many new
    flows in the end, how many each machine answered ("" for nobody); ``late``: a probe was held up."""

    outage_ms: float
    lost: int
    sent: int
    by: Mapping[str, int]
    late: bool = False


def missed(promise: RemotePromise, reached: Reached) -> list[str]:
    """What no busy machine excuses."""
    if reached.by.keys() == promise.by:
        return []
    return [f"remote clients are answered by {_names(reached.by)}, and should be by {_names(promise.by)}"]


def exceeded(promise: RemotePromise, reached: Reached) -> tuple[list[str], bool]:
    """What is beyond its bound, and whether anything is beyond its figure."""
    if promise.bound_ms is None:
        lost = reached.lost
        return ([f"{lost} of {reached.sent} datagrams of remote clients were lost; none may be"] if lost else []), False
    beyond = promise.figure_ms is not None and reached.outage_ms > promise.figure_ms
    if reached.outage_ms <= promise.bound_ms:
        return [], beyond
    return [
        f"a remote client's outage lasted {reached.outage_ms:.0f} ms; at most {promise.bound_ms:.0f} ms may pass, "
        "even on a busy machine"
    ], beyond


def unharmed(reached: Reached) -> Reached:
    """The same where nobody served before, so that what was lost is no figure."""
    return msgspec.structs.replace(reached, outage_ms=0.0, lost=0)


def told(reached: Reached) -> str:
    """In a line: "longest outage 20 ms, 3 lost; answered by w1 64 %, w2 36 %"."""
    count = sum(reached.by.values())
    by = ", ".join(f"{name or 'nobody'} {100 * flows / count:.0f} %" for name, flows in sorted(reached.by.items()))
    return f"longest outage {reached.outage_ms:.0f} ms, {reached.lost} lost; answered by {by or 'nobody'}"


def _names(machines: Mapping[str, int] | frozenset[str]) -> str:
    return " and ".join(name or "nobody" for name in sorted(machines))
