"""``timeline``: what happened to a virtual IP, oldest first: its moves, and what the operator told about it."""

import json
import sys
from datetime import UTC, datetime
from typing import Final, NamedTuple
from urllib.parse import quote

from vipa_cli import exits
from vipa_cli.age import age
from vipa_cli.cluster.client import Client
from vipa_cli.cluster.errors import ForbiddenError
from vipa_cli.cluster.kubeconfig import Json
from vipa_cli.cluster.objects import EVENTS, name_of, one_vip, status_of
from vipa_cli.cluster.table import Cell, Column, Paper
from vipa_cli.cluster.words import words_for

COLUMNS: Final = (Column("TIME"), Column("AGO", 1), Column("REASON"), Column("GAP", 2), Column("WHAT", wrap=True))


class Entry(NamedTuple):
    """``kind``: Move, Normal or Warning. ``times``: how often an event was told. ``gap``: an estimate, "87ms"."""

    time: str
    kind: str
    what: str
    reason: str
    gap: str = ""
    times: int = 1


def timeline_command(client: Client, wanted: str, output: str) -> int:
    """0, also when nothing has happened yet."""
    vip = one_vip(client, wanted)
    question = quote(f"involvedObject.kind=VirtualIP,involvedObject.name={name_of(vip)}")
    try:
        events: list[Json] | None = client.get(f"{EVENTS}?fieldSelector={question}").get("items") or []
    except ForbiddenError:
        events = None
    entries = merge(vip, events or [])
    if output == "json":
        document = {"name": name_of(vip), "entries": [each._asdict() for each in entries], "events": events is not None}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return exits.GOOD
    paper = Paper()
    show(entries, paper, datetime.now(UTC))
    if events is None:
        paper.line("(moves only: you may not list events of namespace default)", "dim")
    return exits.GOOD


def merge(vip: Json, events: list[Json]) -> list[Entry]:
    """Moves and events, oldest first. An event that tells of a move that is known anyway is left out."""
    uid = vip["metadata"].get("uid")
    moves = [_move(each) for each in status_of(vip).get("lastTransitions") or ()]
    known = {(each.reason, each.what) for each in moves}
    told = [_event(each) for each in events if each["involvedObject"].get("uid") in (uid, "", None)]
    fresh = [each for each in told if (each.reason, each.what.partition(", about ")[0]) not in known]
    return sorted([*moves, *fresh], key=_instant)


def show(entries: list[Entry], paper: Paper, now: datetime) -> None:
    """A line each."""
    if not entries:
        paper.line("nothing has happened to it yet")
        return
    styles = {"Warning": "warn", "Move": "", "Normal": "dim"}
    rows = [
        [
            Cell(_seconds(each.time), "dim"),
            Cell(age(each.time, now), "dim"),
            Cell(each.reason),
            Cell(each.gap),
            Cell(each.what + (f" ({each.times} times)" if each.times > 1 else ""), styles.get(each.kind, "")),
        ]
        for each in entries
    ]
    paper.table(COLUMNS, rows)
    for reason in dict.fromkeys(each.reason for each in entries):
        if words := words_for(reason):
            paper.line(f"{reason}: {words}", "dim", hang=2)


def _move(transition: Json) -> Entry:
    before, to = transition.get("from", ""), transition.get("to", "")
    what = f"moved from {before} to {to}" if before else f"served by {to}"
    return Entry(
        transition.get("time", ""), "Move", what, transition.get("reason", ""), transition.get("gapEstimate", "")
    )


def _event(event: Json) -> Entry:
    series = event.get("series") or {}
    time = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return Entry(
        time or event["metadata"].get("creationTimestamp") or "",
        event.get("type") or "Normal",
        event.get("message") or "",
        event.get("reason") or "",
        times=int(series.get("count") or event.get("count") or 1),
    )


def _instant(entry: Entry) -> datetime:
    try:
        return datetime.fromisoformat(entry.time)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _seconds(time: str) -> str:
    """Without fractions, in UTC: sub-seconds are -o json's."""
    try:
        return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        return time
