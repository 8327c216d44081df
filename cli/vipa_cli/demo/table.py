"""The table of the story, for every kind of output, and the sentence under it."""

from collections.abc import Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from vipa_cli.demo.acts import Act
from vipa_cli.demo.judge import Row, Verdict
from vipa_cli.demo.reached import told

_MARKS: Final = {
    Verdict.KEPT: ("✓", "green"),
    Verdict.SLOW: ("≈", "yellow"),
    Verdict.LATE: ("?", "yellow"),
    Verdict.BROKEN: ("✗", "bold red"),
}

# Shorter waits are the outage of the table, seen in steps of 20 ms.
_TOLD_MS: Final = 200.0


def final_rows(rows: Sequence[Row]) -> list[Row]:
    """One row per act: of a repeated one the second."""
    return list({row.key: row for row in rows}.values())


def build(acts: Sequence[Act], rows: Sequence[Row], playing: str = "") -> Table:
    """At most 80 columns. Acts not played yet have empty cells; ``playing`` is the key of the one under way."""
    by_key = {row.key: row for row in rows}
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("fault", no_wrap=True, min_width=24)
    table.add_column("took over", no_wrap=True, min_width=9)
    for header, width in (("outage", 7), ("lost", 4), ("answerers", 9)):
        table.add_column(header, no_wrap=True, justify="right", min_width=width)
    table.add_column("promise", no_wrap=True, min_width=18)
    table.add_column("", no_wrap=True, width=1)
    for act in acts:
        row = by_key.get(act.key)
        if row is None:
            name = Text(act.name, style="bold" if act.key == playing else "dim")
            table.add_row(name, "", "", "", "", Text(act.promise.text, style="dim"), "…" if act.key == playing else "")
        else:
            mark, style = _MARKS[row.verdict]
            table.add_row(
                row.fault,
                row.took_over or Text("nobody", style="bold red"),
                f"{row.outage_ms:.0f} ms",
                "" if act.cold else str(row.lost),
                Text(str(row.answerers), style="" if row.answerers == 1 else "bold red"),
                row.promise,
                Text(mark, style=style),
            )
    return table


def remarks(rows: Sequence[Row]) -> list[str]:
    """What is to be said besides the table: what broke and why, what was late, what the marks mean."""
    last = final_rows(rows)
    said = [f"✗ {row.fault}: {why}" for row in last if row.verdict is Verdict.BROKEN for why in row.why]
    said += [
        f"? {row.fault}: not judged, twice: {'; '.join(row.why)}; but {lateness(row)}"
        for row in last
        if row.verdict is Verdict.LATE
    ]
    remote = [f"  {row.fault}: {told(row.remote)}" for row in last if row.remote is not None]
    if remote:
        said += ["clients behind the router, who come by every healthy adapter of both machines:", *remote]
    waited = [f"{row.new_client_ms:.0f} ms ({row.fault})" for row in last if row.new_client_ms > _TOLD_MS]
    if waited:
        said.append(f"clients that asked anew had to wait: {', '.join(waited)}")
    again = [row.fault for row in last if row.repeated and row.verdict is not Verdict.LATE]
    if again:
        said.append(f"played again, for the machine had been too busy: {', '.join(again)}")
    if any(row.verdict is Verdict.SLOW for row in last):
        said.append("≈ slower than the figure in this one run; 'make bench-failover' plays many")
    return said


def lateness(row: Row) -> str:
    """How busy the machine was."""
    return f"the probe sent up to {row.late_ms:.0f} ms late and programs were woken up to {row.stall_ms:.0f} ms late"


def summary(rows: Sequence[Row], acts: Sequence[Act], seconds: float) -> str:
    """One sentence for the end."""
    last = final_rows(rows)
    broken = sum(row.verdict is Verdict.BROKEN for row in last)
    late = sum(row.verdict is Verdict.LATE for row in last)
    if len(last) < len(acts):
        return f"{len(last)} of {len(acts)} acts played in {seconds:.0f} s; {broken} promises broken so far"
    if broken:
        return f"{broken} of {len(acts)} promises BROKEN ({seconds:.0f} s)"
    if late:
        return f"none broken, but {late} of {len(acts)} could not be judged: the machine is too busy ({seconds:.0f} s)"
    return f"all {len(acts)} promises kept ({seconds:.0f} s)"
