"""``vipa status``: what the agent on this machine does now, from its socket."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vipa_agent.status import StatusError, read_status
from vipa_cli import exits
from vipa_cli.age import age

_ROLE_STYLES: Final = {"Holder": "bold green", "Claiming": "yellow", "Excluded": "red"}

# A pipe has no width of its own; names are at most 63 characters each and mostly short.
_PIPE_WIDTH: Final = 200


def status_command(state_dir: Path, output: str, names: Sequence[str] = ()) -> int:
    """Print it; of virtual IPs those with these names or addresses, all without any. 0: every one is well; 1: one is
    not (:func:`wrongs`); 2: there is no such one; 3: no agent answers."""
    try:
        document = read_status(state_dir)
    except StatusError as error:
        sys.stderr.write(f"vipa status: {error}\n")
        return exits.CANNOT_TELL
    if unknown := [n for n in names if not any(_meant(vip, [n]) for vip in document.get("vips", ()))]:
        sys.stderr.write(f"vipa status: the agent on {document['node']} knows no virtual IP {', '.join(unknown)}\n")
        return exits.USAGE
    if names:
        document = {**document, "vips": [vip for vip in document.get("vips", ()) if _meant(vip, names)]}
    wrong = wrongs(document)
    if output == "json":
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        console = Console()
        if not console.is_terminal:
            console = Console(width=_PIPE_WIDTH)
        _print(console, document)
        for line in wrong:
            console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
    return exits.NOT_GOOD if wrong else exits.GOOD


def _meant(vip: Mapping[str, Any], names: Sequence[str]) -> bool:
    return vip["name"] in names or any(address in names for address in vip["addresses"])


def wrongs(document: Mapping[str, Any]) -> list[str]:
    """What is not well, for people: a virtual IP without holder, in conflict, or with a failing health check; a refused
    object."""
    found = []
    for vip in document.get("vips", ()):
        name = f"{vip['name']} {' '.join(vip['addresses'])}"
        if vip.get("conflict"):
            found.append(f"{name}: a foreign machine answers for it, MAC {vip['conflict']}")
        elif vip["role"] != "Holder" and not vip.get("holder"):
            found.append(f"{name}: no holder is known ({vip['reason']})")
        if vip.get("failing"):
            found.append(f"{name}: health checks fail on this node: {', '.join(vip['failing'])}")
    return found + [
        f"{refusal['kind']} {refusal['name']} is refused: {refusal['message']} [{refusal['reason']}]"
        for refusal in document.get("refusals", ())
    ]


def _print(console: Console, document: Mapping[str, Any]) -> None:
    console.print(f"node {document['node']}, epoch {document['epoch']}", highlight=False)
    vips = _table("VIRTUAL IP", "ADDRESS", "ROLE", "HOLDER", "ON", "REASON", "FOR")
    for vip in document.get("vips", ()):
        role = Text(vip["role"], style=_ROLE_STYLES.get(vip["role"], ""))
        on = vip["interface"] or ("(its copy)" if vip.get("copy") else "")
        cells = (vip.get("holder", ""), on, vip["reason"], age(vip["since"], datetime.now(UTC)))
        vips.add_row(vip["name"], " ".join(vip["addresses"]), role, *cells)
    interfaces = _table("INTERFACE", "ADDRESS", "MAC", "HEALTH")
    for interface in document.get("interfaces", ()):
        health = Text(interface["reason"], style="green" if interface["healthy"] else "red")
        interfaces.add_row(interface["name"], " ".join(interface["addresses"]), interface["mac"], health)
    peers = _table("PEER", "BY", "PATH", "LOSS")
    for peer in document.get("peers", ()):
        for path in peer["paths"]:
            state = Text(path["state"], style="green" if path["state"] == "Up" else "red")
            peers.add_row(peer["node"], path["interface"], state, f"{path.get('lossPermille', 0) / 10:g} %")
    for table in (vips, interfaces, peers):
        if table.row_count:
            console.print()
            console.print(table)


def _table(*headers: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for header in headers:
        table.add_column(header, no_wrap=True)
    return table
