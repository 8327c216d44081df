"""The program ``vipa`` (and ``kubectl-vipa``): its commands, each loaded when it is used, so that --help is fast."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vipa_cli import exits

app = typer.Typer(
    name="vipa",
    help="Virtual IPs that outlive the adapters and machines under them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Exit codes: 0 good, 1 the thing asked about is not good, 2 usage, 3 cannot tell.",
)
lab_app = typer.Typer(help="A LAN of network namespaces to play with.", no_args_is_help=True)
app.add_typer(lab_app, name="lab")

# What the agent uses when it is not told otherwise (vipa_agent.settings; importing it would cost 50 ms of --help).
_STATE_DIR = Path("/run/vipa")


class Output(StrEnum):
    """For people or for programs."""

    TABLE = "table"
    JSON = "json"


StateDir = Annotated[Path, typer.Option("--state-dir", help="Where the agent keeps its socket.")]
OutputOption = Annotated[Output, typer.Option("--output", "-o", help="For people or for programs.")]


@app.command()
def demo(
    figure: Annotated[int, typer.Option(help="Figure of the scenario: 2 or 3.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Only the result, for programs.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Lines instead of the live view.")] = False,
    timeline: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Write a picture of it all.")] = None,
    logs: Annotated[Path | None, typer.Option(metavar="DIR", help="Keep every program's log there.")] = None,
) -> None:
    """Watch one address outlive its adapters and machines."""
    from vipa_cli.demo.command import demo_command

    raise typer.Exit(demo_command(figure=figure, as_json=as_json, plain=plain, timeline=timeline, logs=logs))


@app.command()
def plan(
    files: Annotated[
        list[str] | None, typer.Option("--file", "-f", help="Manifest, folder of them, or - for standard input.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """What would happen with these manifests, offline."""
    from vipa_cli.plan import plan_command

    raise typer.Exit(plan_command(files or [], output.value))


@app.command()
def status(state_dir: StateDir = _STATE_DIR, output: OutputOption = Output.TABLE) -> None:
    """What the agent on this machine does now."""
    from vipa_cli.status import status_command

    raise typer.Exit(status_command(state_dir, output.value))


@app.command()
def observe(
    vip: Annotated[str, typer.Argument(help="A virtual IP, IPv4.")],
    interface: Annotated[str, typer.Option("--interface", help="Ask on this one; default: by the routes.")] = "",
    seconds: Annotated[float, typer.Option(min=0.1, max=3600, help="How long to ask.")] = 2.0,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Manifests that say who may answer.")] = None,
    state_dir: StateDir = _STATE_DIR,
    output: OutputOption = Output.TABLE,
) -> None:
    """Ask the wire who answers for a virtual IP."""
    from vipa_cli.observe import observe_command

    raise typer.Exit(observe_command(vip, interface, seconds, file, state_dir, output.value))


@app.command()
def check(output: OutputOption = Output.TABLE) -> None:
    """Pre-flight: can this machine run an agent?"""
    from vipa_cli.check.command import check_command

    raise typer.Exit(check_command(output.value))


@app.command()
def sim(
    seed: Annotated[int, typer.Option(help="The same seed gives the same run.")] = 0,
    trace: Annotated[int, typer.Option(min=0, help="Lines of timeline when a promise is broken.")] = 60,
) -> None:
    """One random world of the simulator, from its seed."""
    from vipa_cli.sim import sim_command

    raise typer.Exit(sim_command(seed, trace))


@lab_app.command("up")
def lab_up(
    scenario: Annotated[str, typer.Option(help="ibm-i: two machines, three adapters.")] = "ibm-i",
    failback: Annotated[str, typer.Option(help="Failback delay of the virtual IP.")] = "2s",
) -> None:
    """A lab with agents and a prompt; it reads commands from standard input."""
    from vipa_cli.lab.command import lab_command

    raise typer.Exit(lab_command(scenario, failback))


def main() -> None:
    """Console script."""
    try:
        app()
    except KeyboardInterrupt:
        raise SystemExit(exits.INTERRUPTED) from None
