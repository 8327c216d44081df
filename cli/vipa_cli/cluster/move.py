"""``move VIP --to NODE[/IF]``: asks the operator for a planned move, and waits for it when told to."""

import json
import sys
from typing import Any, Final
from urllib.parse import quote

from vipa_cli import exits
from vipa_cli.cluster.client import Client, escaped
from vipa_cli.cluster.errors import ForbiddenError, NotGoodError, UsageError
from vipa_cli.cluster.kubeconfig import Json
from vipa_cli.cluster.objects import EVENTS, MOVE_TO, VIPS, endpoint_text, name_of, one_vip, spec_of, status_of
from vipa_cli.cluster.waiting import wait_until
from vipa_cli.cluster.words import words_for

TIMEOUT_S: Final = 70.0
"""The operator gives a move up after 60 s (vipa_operator.reconcile.moving) and says why; this waits for its words."""


def move_command(client: Client, wanted: str, to: str, output: str, *, wait: bool, timeout_s: float = TIMEOUT_S) -> int:
    """0: asked for (with ``wait``: done); 1: it cannot be done, or was not."""
    vip = one_vip(client, wanted)
    judge(vip, to)
    name = name_of(vip)
    path = f"{VIPS}/{escaped(name)}"
    before = _endpoint(vip)
    asked = client.patch(path, {"metadata": {"annotations": {MOVE_TO: to}}})
    if not wait:
        return _tell(output, exits.GOOD, f"asked for: {name} to {to}; see kubectl vipa status {name}", name, to, before)
    if output == "table" and sys.stdout.isatty():
        sys.stdout.write(f"asked for: {name} from {before or 'nobody'} to {to}\n")
    now, done = wait_until(lambda: client.get(path), lambda found: _settled(found, to), timeout_s)
    after = _endpoint(now)
    if done and is_at(now, to):
        return _tell(output, exits.GOOD, f"{name} is served by {after}", name, to, after)
    why = _said(client, asked) or (
        f"nobody has taken the request up within {timeout_s:g} s: does the operator run? (kubectl vipa check)"
        if not done
        else "the operator gave it up"
    )
    return _tell(output, exits.NOT_GOOD, f"{name} was not moved: {why}", name, to, after)


def judge(vip: Json, to: str) -> None:
    """Refuses what the operator would refuse, and what cannot be served anyway. Raises ClusterError."""
    node, slash, interface = to.partition("/")
    if not node or (slash and not interface):
        raise UsageError(f"--to {to!r}: write NODE or NODE/INTERFACE, such as w2 or w2/eth1")
    name = name_of(vip)
    if spec_of(vip).get("paused"):
        raise NotGoodError(f"{name} is paused, so nothing moves; remove spec.paused first")
    candidates = status_of(vip).get("succession") or []
    there = [c for c in candidates if c.get("node") == node and interface in ("", c.get("interface"))]
    if not there:
        known = ", ".join(endpoint_text(c) for c in candidates) or "there are none"
        raise UsageError(f"{to} is no candidate for {name}; candidates: {known}")
    if not any(c.get("healthy") for c in there):
        why = "; ".join(
            f"{endpoint_text(c)}: {c.get('reason')}"
            + (f", {words}" if (words := words_for(c.get("reason", ""))) else "")
            for c in there
        )
        raise NotGoodError(f"{to} cannot serve {name} now ({why}); nothing was asked for")


def is_at(vip: Json, to: str) -> bool:
    """Whether ``to`` holds it."""
    node, _, interface = to.partition("/")
    holder = status_of(vip).get("holder") or {}
    return holder.get("node") == node and interface in ("", holder.get("interface"))


def _settled(vip: Json, to: str) -> bool:
    """The operator takes the annotation away when the move is done, and when it gives up."""
    return MOVE_TO not in (vip["metadata"].get("annotations") or {})


def _endpoint(vip: Json) -> str:
    return str((status_of(vip).get("holder") or {}).get("endpoint") or "")


def _said(client: Client, asked: Json) -> str:
    """What the operator has told about this move."""
    about = quote(f"involvedObject.kind=VirtualIP,involvedObject.name={name_of(asked)}")
    try:
        events = client.get(f"{EVENTS}?fieldSelector={about}").get("items") or []
    except ForbiddenError:
        return ""
    told = [e for e in events if e.get("reason") in ("MoveRefused", "MoveTimedOut")]
    told.sort(
        key=lambda e: e.get("lastTimestamp") or e.get("eventTime") or e["metadata"].get("creationTimestamp") or ""
    )
    return str(told[-1]["message"]) if told else ""


def _tell(output: str, code: int, message: str, name: str, to: str, holder: str) -> int:
    if output == "json":
        document: dict[str, Any] = {"name": name, "to": to, "holder": holder, "ok": code == exits.GOOD}
        sys.stdout.write(json.dumps(document | {"message": message}) + "\n")
    elif code == exits.GOOD:
        sys.stdout.write(f"{message}\n")
    else:
        sys.stderr.write(f"vipa move: {message}\n")
    return code
