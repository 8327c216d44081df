"""One virtual IP as ``status`` shows it: judged from the object alone."""

from typing import Final, NamedTuple

from vipa_cli.cluster.kubeconfig import Json
from vipa_cli.cluster.objects import addresses, condition, name_of, status_of

NO_STATUS: Final = "NoStatus"
"""Not a word of the operator's: it is the one who has said nothing."""


class View(NamedTuple):
    """``wrong``: what is not good, for people; empty when all is. ``redundant``: a spare could take over."""

    name: str
    addresses: list[str]
    holder: str
    address: str
    since: str
    spares: int
    ready: bool
    redundant: bool
    reason: str
    move: str
    wrong: list[str]


def view(vip: Json) -> View:
    """What is to be said about ``vip`` as the API server has it."""
    status = status_of(vip)
    holder = status.get("holder") or {}
    ready, accepted = condition(vip, "Ready"), condition(vip, "Accepted")
    move = status.get("move") or {}
    known = bool(status.get("conditions"))
    return View(
        name=name_of(vip),
        addresses=addresses(vip),
        holder=str(holder.get("endpoint") or ""),
        address=str(holder.get("address") or ""),
        since=str(holder.get("since") or ""),
        spares=int(status.get("spares") or 0),
        ready=ready.get("status") == "True",
        redundant=condition(vip, "Redundant").get("status") == "True",
        reason=_reason(ready, accepted) if known else NO_STATUS,
        move=str(move.get("to") or "") if move.get("phase", "Asked") == "Asked" else "",
        wrong=list(_wrong(vip)),
    )


def _reason(ready: Json, accepted: Json) -> str:
    """Not being accepted is what has to be mended, also where the last good plan is still served."""
    return str((accepted if accepted.get("status") == "False" else ready).get("reason") or "")


def _wrong(vip: Json) -> list[str]:
    if not status_of(vip).get("conditions"):
        return ["nobody has looked at it yet: does the operator run? (kubectl vipa check)"]
    found: dict[str, str] = {}
    for kind, good in (("Accepted", "True"), ("Conflict", "False"), ("Ready", "True")):
        said = condition(vip, kind)
        if said.get("status") not in (good, None):
            # One cause is often told by several conditions: not accepted, hence not served.
            found.setdefault(
                said.get("reason") or kind, f"{said.get('message') or kind} [{said.get('reason') or kind}]"
            )
    if not condition(vip, "Ready"):
        found["Ready"] = "it is not said whether it is served"
    return list(found.values())
