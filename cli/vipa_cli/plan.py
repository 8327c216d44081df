"""``vipa plan -f FILE``: what would happen, offline. The same planner and the same reading as the agent's."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from vipa.plan import Plan, PlannedVip
from vipa.planner import groups, plan, world_of
from vipa.resources.assigned import binding_of
from vipa_agent.sources.folder import Loaded, load_files
from vipa_agent.sources.manifests import FileProblem

GOOD: Final = 0
REFUSED: Final = 1
USAGE: Final = 2
OUTPUTS: Final = ("table", "json")


def plan_command(files: Sequence[str], output: str = "table") -> int:
    """Print the plan of ``files`` together: manifest files, folders of them, ``-`` for standard input.

    ``output`` is "table" or "json". Returns the exit code: 0 all accepted, 1 something refused, 2 usage.
    """
    if output not in OUTPUTS:
        return _usage(f"output {output} is unknown; use {' or '.join(OUTPUTS)}")
    if not files:
        return _usage("no file given; write: vipa plan -f FILE")
    missing = [f for f in files if f != "-" and not Path(f).exists()]
    if missing:
        return _usage(f"there is no file {', '.join(missing)}")
    loaded = _load(files)
    planned = plan(world_of(loaded.objects, loaded.refused))
    if output == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(as_json(planned, loaded.problems)), indent=2).decode())
        sys.stdout.write("\n")
    else:
        _print_tables(planned, loaded.problems)
    return REFUSED if planned.refusals or loaded.problems else GOOD


def as_json(planned: Plan, problems: Sequence[FileProblem]) -> dict[str, object]:
    """The plan for programs: ``epoch``, ``vips``, ``refusals``, ``problems``."""
    group_of = {name: group for group, names in groups(planned).items() for name in names}
    return {
        "epoch": planned.epoch,
        "vips": [
            {
                "name": vip.name,
                "addresses": vip.addresses,
                "group": group_of[vip.name],
                "policy": vip.policy,
                "healthChecks": vip.checks,
                "binding": binding_of(vip),
                "succession": vip.succession,
            }
            for vip in planned.vips
        ],
        "refusals": planned.refusals,
        "problems": [
            {
                "file": p.file,
                "line": p.line,
                "kind": p.kind,
                "name": p.name,
                "field": p.problem.field,
                "value": p.problem.value,
                "message": p.problem.message,
                "reason": p.problem.reason,
            }
            for p in problems
        ],
    }


def _usage(message: str) -> int:
    sys.stderr.write(f"vipa plan: {message}\n")
    return USAGE


def _load(files: Sequence[str]) -> Loaded:
    # One set for all: an object that two files define is reported, and the first one counts, as in a folder.
    return load_files([Path(f) for f in files if f != "-"], sys.stdin.read() if "-" in files else None)


def _print_tables(planned: Plan, problems: Sequence[FileProblem]) -> None:
    console = Console()
    if planned.vips:
        table = Table(box=None, pad_edge=False)
        for header in ("VIRTUAL IP", "ADDRESS", "BOUND ON", "SUCCESSION", "TIMING", "FAILBACK"):
            table.add_column(header, no_wrap=True)
        for vip in planned.vips:
            table.add_row(*_row(vip))
        console.print(table)
    else:
        console.print("no virtual IP is accepted")
    # Problems with file and line say more than the refusals made of them.
    told = {(p.kind, p.name) for p in problems}
    for problem in problems:
        console.print(
            f"{problem} [{problem.problem.reason}]", style="red", markup=False, highlight=False, soft_wrap=True
        )
    for refusal in planned.refusals:
        if (refusal.kind, refusal.name) not in told:
            _print_bad(console, f"{refusal.kind} {refusal.name} is refused: {refusal.message} [{refusal.reason}]")


def _row(vip: PlannedVip) -> tuple[str, ...]:
    order = "\n".join(
        f"{i}. {e.address}" + (f"  {e.node}/{e.interface}" if e.node else "") for i, e in enumerate(vip.succession, 1)
    )
    policy = vip.policy
    delay = f" {policy.failback_delay_s:g}s" if policy.failback == "Delayed" else ""
    paused = " (paused)" if policy.paused else ""
    bound = f"a guest behind {vip.bridge}" if vip.bridge else "every candidate" if vip.everywhere else "the holder"
    moves = policy.timing.value, f"{policy.failback.value}{delay}"
    return vip.name + paused, "\n".join(vip.addresses), bound, order, *moves


def _print_bad(console: Console, line: str) -> None:
    console.print(line, style="red", markup=False, highlight=False, soft_wrap=True)
