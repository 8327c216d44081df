"""``drain NODE``: the node is no candidate any more and hands over what it holds, without a gap; ``--undo``."""

import json
import sys
from typing import Final

from vipa_cli import exits
from vipa_cli.cluster.client import Client, escaped
from vipa_cli.cluster.kubeconfig import Json
from vipa_cli.cluster.objects import AGENTS, DRAIN, NODES, VIPS, if_allowed, listed, name_of, one_node, status_of
from vipa_cli.cluster.strangers import excluded
from vipa_cli.cluster.waiting import wait_until

TIMEOUT_S: Final = 60.0
"""A hand-over takes a second; this lets the operator be moved to another node meanwhile."""


def drain_command(
    client: Client, name: str, output: str, *, undo: bool, wait: bool, timeout_s: float = TIMEOUT_S
) -> int:
    """0: asked for (with ``wait``: it holds nothing any more); 1: it still holds some, or is still excluded."""
    one_node(client, name)
    changed = client.patch(f"{NODES}/{escaped(name)}", {"metadata": {"annotations": {DRAIN: None if undo else "true"}}})
    if undo:
        why = excluded(changed)
        message = f"{name} may serve again; failback decides what comes back"
        if why:
            message = f"{name} is not drained any more, but it is still {why}"
        return _tell(output, name, [], exits.NOT_GOOD if why else exits.GOOD, message)
    held = held_by(client, name)
    if not wait:
        what = f"it hands over {', '.join(held)}" if held else "it holds nothing"
        return _tell(output, name, held, exits.GOOD, f"{name} is drained; {what}")
    held, done = wait_until(lambda: held_by(client, name), lambda names: not names, timeout_s)
    if done:
        return _tell(output, name, [], exits.GOOD, f"{name} is drained and holds nothing")
    stuck = _why_stuck(client, name, held)
    return _tell(output, name, held, exits.NOT_GOOD, f"{name} still holds after {timeout_s:g} s: {stuck}")


def held_by(client: Client, node: str) -> list[str]:
    """Names of the virtual IPs on ``node``: by the operator's word, and by the agent's own where it may be read."""
    names = {name_of(v) for v in listed(client, VIPS) if (status_of(v).get("holder") or {}).get("node") == node}
    for agent in if_allowed(client, AGENTS) or ():
        if name_of(agent) == node:
            names |= set(status_of(agent).get("held") or ())
    return sorted(names)


def _why_stuck(client: Client, node: str, held: list[str]) -> str:
    vips: dict[str, Json] = {name_of(v): v for v in listed(client, VIPS)}
    found = []
    for name in held:
        others = [c for c in status_of(vips.get(name, {})).get("succession") or () if c.get("node") != node]
        if not any(c.get("healthy") for c in others):
            found.append(f"{name} (no other node can serve it, so it stays rather than fall silent)")
        else:
            found.append(f"{name} (see kubectl vipa explain {name})")
    return ", ".join(found)


def _tell(output: str, node: str, held: list[str], code: int, message: str) -> int:
    if output == "json":
        document = {"node": node, "held": held, "ok": code == exits.GOOD, "message": message}
        sys.stdout.write(json.dumps(document) + "\n")
    elif code == exits.GOOD:
        sys.stdout.write(f"{message}\n")
    else:
        sys.stderr.write(f"vipa drain: {message}\n")
    return code
