"""``explain``: who serves a virtual IP and why, why not each other, and what happens when the holder fails."""

import json
import sys
from datetime import UTC, datetime
from typing import Final

from vipa_cli import exits
from vipa_cli.age import age
from vipa_cli.cluster.client import Client, escaped
from vipa_cli.cluster.errors import ForbiddenError, NotFoundError
from vipa_cli.cluster.foresee import Next, failback, foresee
from vipa_cli.cluster.kubeconfig import Json
from vipa_cli.cluster.objects import AGENTS, LISTS, NODES, if_allowed, name_of, one_vip, spec_of, status_of
from vipa_cli.cluster.pulse import Pulse, pulse
from vipa_cli.cluster.strangers import excluded, strangers
from vipa_cli.cluster.table import Cell, Column, Paper
from vipa_cli.cluster.view import NO_STATUS, View, view
from vipa_cli.cluster.words import words_for

# A line for people; -o json has all names.
_NAMES_SHOWN: Final = 5
_EVERYWHERE: Final = "EveryCandidate"
COLUMNS: Final = (
    Column("#", 1),
    Column("CANDIDATE"),
    Column("ADDRESS", 2),
    Column("STATE"),
    Column("REASON"),
    Column("WHICH MEANS", 3, wrap=True),
)


def explain_command(client: Client, wanted: str, namespace: str, output: str) -> int:
    """0: it is good; 1: it is not."""
    vip = one_vip(client, wanted)
    seen = view(vip)
    document = gather(client, vip, seen, pulse(client, namespace))
    if output == "json":
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        show(vip, seen, document, Paper(), datetime.now(UTC))
    return exits.NOT_GOOD if seen.wrong else exits.GOOD


def gather(client: Client, vip: Json, seen: View, heart: Pulse) -> Json:
    """Everything there is to say, for programs."""
    nodes, agents = if_allowed(client, NODES), if_allowed(client, AGENTS)
    pil = _list(client, str(spec_of(vip).get("preferredInterfaceList") or ""))
    unasked = {name_of(node): why for node in nodes or () if (why := excluded(node))}
    known = nodes is not None and agents is not None
    return {
        **seen._asdict(),
        "operator": heart._asdict(),
        "holding": status_of(vip).get("holder"),
        "binding": spec_of(vip).get("binding") or "Holder",
        "candidates": [_candidate(vip, c, unasked) for c in status_of(vip).get("succession") or ()],
        "noCandidates": strangers(vip, nodes or (), agents or (), pil) if known else None,
        "next": [each._asdict() for each in foresee(vip)],
        "failback": failback(vip),
        "nextHops": list(status_of(vip).get("nextHops") or ()),
    }


def _list(client: Client, name: str) -> Json | None:
    if not name:
        return None
    try:
        return client.get(f"{LISTS}/{escaped(name)}")
    except (NotFoundError, ForbiddenError):
        return None  # that it is missing stands in the conditions


def _candidate(vip: Json, candidate: Json, unasked: dict[str, str]) -> Json:
    holder = status_of(vip).get("holder") or {}
    node, interface = candidate.get("node", ""), candidate.get("interface", "")
    serves = (node, interface) == (holder.get("node"), holder.get("interface"))
    failing = list(candidate.get("failing") or ())
    means = f"its health checks fail: {', '.join(failing)}" if failing else words_for(candidate.get("reason", ""))
    if node in unasked:
        means = f"its node is {unasked[node]}" + ("; it hands over as soon as another can serve" if serves else "")
    return {
        "node": node,
        "interface": interface,
        "address": candidate.get("address", ""),
        "state": "serves" if serves else "spare" if candidate.get("healthy") else "cannot",
        "reason": candidate.get("reason", ""),
        "means": means,
    }


def show(vip: Json, seen: View, document: Json, paper: Paper, now: datetime) -> None:
    """The same for people."""
    paper.line(f"{seen.name}  {' '.join(seen.addresses)}", "bold")
    _who(vip, seen, document, paper, now)
    paper.line()
    _why(document, paper)
    if document["next"]:
        paper.line()
        paper.line("WHAT HAPPENS NEXT", "dim")
        for each in document["next"]:
            _next(Next(**each), paper)
        paper.line(f"failback: {document['failback']}", indent=2, hang=4)


def _who(vip: Json, seen: View, document: Json, paper: Paper, now: datetime) -> None:
    holder = document["holding"] or {}
    if holder:
        details = ", ".join(filter(None, (holder.get("address"), holder.get("mac") and f"MAC {holder['mac']}")))
        since = f" for {age(seen.since, now)}" if seen.since else ""
        paper.line(f"served by {seen.holder} ({details}){since}, term {holder.get('term', 0)}", "good", 2, 2)
    else:
        paper.line("served by nobody", "bad", 2)
    reason = next((c["reason"] for c in document["candidates"] if c["state"] == "serves"), seen.reason)
    if reason and reason != NO_STATUS:
        paper.line(f"{reason}: {words_for(reason) or 'a word of another version'}", indent=2, hang=2)
    for wrong in seen.wrong:
        paper.line(wrong, "bad", 2, 2)
    if document["binding"] == _EVERYWHERE:
        paper.line(_everywhere(document), indent=2, hang=2)
    if spec_of(vip).get("paused"):
        paper.line("spec.paused is set: whoever holds it keeps it, nothing moves", "warn", 2, 2)
    if seen.move:
        paper.line(f"a move to {seen.move} was asked for and is under way", "warn", 2, 2)
    if document["operator"]["alive"] is False:
        paper.line(f"{document['operator']['says']}; what is shown may be old", "warn", 2, 2)


def _everywhere(document: Json) -> str:
    hops = document["nextHops"]
    taken = f"remote clients can be sent to {', '.join(hops)}" if hops else "no adapter takes remote clients now"
    return f"spec.binding is {_EVERYWHERE}: each candidate's node has the address, one answers ARP; {taken}"


def _why(document: Json, paper: Paper) -> None:
    styles = {"serves": "good", "spare": "", "cannot": "bad"}
    rows = [
        [
            Cell(str(i)),
            Cell(f"{c['node']}/{c['interface']}" if c["node"] else c["address"], "bold"),
            Cell(c["address"]),
            Cell(c["state"], styles[c["state"]]),
            Cell(c["reason"]),
            Cell(c["means"]),
        ]
        for i, c in enumerate(document["candidates"], 1)
    ]
    if rows:
        paper.table(COLUMNS, rows)
    else:
        paper.line("no candidates", "bad")
    if document["noCandidates"] is None:
        paper.line(
            "(why other nodes are no candidates cannot be told: you may not list Nodes or VirtualIPNodes)", "dim"
        )
        return
    for why, names in sorted(document["noCandidates"].items()):
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        paper.line(f"no candidate: {', '.join(names[:_NAMES_SHOWN])}{more}: {why}", hang=2)


def _next(each: Next, paper: Paper) -> None:
    who = each.successor or "nobody"
    paper.line(f"when {each.fault}: {who}", "" if each.successor else "bad", 2, 4)
    paper.line(each.how, indent=6)
