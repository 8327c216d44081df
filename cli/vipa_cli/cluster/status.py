"""``status``: every virtual IP of the cluster in a line, and what is not good about them."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from vipa_cli import exits
from vipa_cli.age import age
from vipa_cli.cluster.client import Client
from vipa_cli.cluster.objects import some_vips
from vipa_cli.cluster.pulse import Pulse, pulse
from vipa_cli.cluster.table import Cell, Column, Paper
from vipa_cli.cluster.view import View, view

COLUMNS: Final = (
    Column("VIRTUAL IP"),
    Column("ADDRESS", 6),
    Column("HOLDER", 5),
    Column("SPARES", 2),
    Column("READY"),
    Column("REASON", 3),
    Column("FOR", 1),
)


def status_command(client: Client, names: Sequence[str], namespace: str, output: str) -> int:
    """0: all of them are good; 1: one is not, or there is none."""
    views = [view(vip) for vip in some_vips(client, names)]
    heart = pulse(client, namespace)
    if output == "json":
        document = {"operator": heart._asdict(), "virtualIPs": [each._asdict() for each in views]}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        show(views, heart, Paper(), datetime.now(UTC))
    return exits.NOT_GOOD if any(each.wrong for each in views) else exits.GOOD


def show(views: Sequence[View], heart: Pulse, paper: Paper, now: datetime) -> None:
    """The table, and a line for each thing that is wrong."""
    if not views:
        paper.line("there is no virtual IP yet: kubectl apply a VirtualIP")
    else:
        paper.table(COLUMNS, [_row(each, now) for each in views])
    for each in views:
        for wrong in each.wrong:
            paper.line(f"{each.name}: {wrong}", "bad", hang=2)
        if each.move:
            paper.line(f"{each.name}: a move to {each.move} was asked for and is under way", "warn", hang=2)
    if heart.alive is False:
        paper.line(
            f"{heart.says}; what is shown may be old. Addresses are served and fail over without it.", "warn", hang=2
        )


def _row(each: View, now: datetime) -> list[Cell]:
    ready = Cell("yes", "good") if each.ready else Cell("NO", "bad")
    return [
        Cell(each.name, "bold"),
        Cell(" ".join(each.addresses)),
        Cell(each.holder or "-"),
        Cell(str(each.spares), "" if each.redundant else "warn"),
        ready,
        Cell(each.reason, "bad" if each.wrong else ""),
        Cell(age(each.since, now)),
    ]
