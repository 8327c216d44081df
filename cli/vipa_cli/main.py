"""The program ``vipa`` (and ``kubectl-vipa``): its commands, each loaded when it is used, so that --help is fast."""

import argparse
import sys
from pathlib import Path

from vipa_cli.cluster.arguments import (
    Add,
    add_check,
    add_others,
    add_status,
    adder,
    cluster_check,
    cluster_options,
    cluster_status,
    said,
)
from vipa_cli.program import new_parser, run
from vipa_cli.whom import STATE_DIR, asks_cluster


def main() -> None:
    """Console script."""
    plugin = Path(sys.argv[0]).name.startswith("kubectl")
    parser, commands = new_parser("kubectl vipa" if plugin else "vipa")
    parser.set_defaults(plugin=plugin)
    add = adder(commands)
    _agent_options(add_status(add, said(_status)))
    add_others(add)
    _observe_options(add("observe", said(_observe), "Ask the wire who answers for a virtual IP."))
    check = add_check(add, said(_check))
    where = check.add_mutually_exclusive_group()
    where.add_argument("--cluster", action="store_true", help="the cluster; what kubectl vipa does by itself")
    where.add_argument(
        "--node", action="store_true", help="this machine: can it run an agent? What vipa does by itself"
    )
    _check_options(check)
    _add_local(add)
    _add_lab(commands)
    run(parser)


def _agent_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("agent")
    group.add_argument("--agent", action="store_true", help="ask the agent on this machine, not the cluster")
    group.add_argument("--state-dir", metavar="DIR", type=Path, help=f"the same, and where its socket is; {STATE_DIR}")


def _observe_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("vip", metavar="VIP", help="IPv4 address; with a cluster a name will do")
    parser.add_argument("--interface", metavar="IF", default="", help="ask on this one; default: by the routes")
    parser.add_argument("--seconds", type=_seconds, default=2.0, help="how long to ask; default: 2")
    parser.add_argument("--file", "-f", metavar="FILE", type=Path, help="manifests that say who may answer")
    cluster_options(parser)
    _agent_options(parser)


def _check_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("this machine")
    group.add_argument(
        *("--manifests", "-f"), metavar="DIR", type=Path, help="what is to be served here; asks the LAN for it too"
    )
    group.add_argument("--state-dir", metavar="DIR", type=Path, default=STATE_DIR, help=f"the agent's; {STATE_DIR}")
    group.add_argument("--key-file", metavar="FILE", type=Path, help="the agent's; default: /etc/vipa/key, if there")
    group.add_argument(
        "--root", metavar="DIR", type=Path, default=Path("/"), help="where its /etc is; in a container, where mounted"
    )


def _add_local(add: Add) -> None:
    demo = add("demo", _demo, "Watch one address outlive its adapters and machines.")
    demo.add_argument(
        "--figure",
        type=int,
        default=2,
        help="figure of the scenario: 1 (remote clients), 2 (clients on the LAN), 3 (both)",
    )
    demo.add_argument("--json", dest="as_json", action="store_true", help="only the result, for programs")
    demo.add_argument("--plain", action="store_true", help="lines instead of the live view")
    demo.add_argument("--timeline", metavar="FILE.svg", type=Path, help="write a picture of it all")
    demo.add_argument("--logs", metavar="DIR", type=Path, help="keep every program's log there")
    plan = add("plan", _plan, "What would happen with these manifests, offline.")
    plan.add_argument(
        *("--file", "-f"), metavar="FILE", action="append", default=[], help="manifest, folder of them, or - for stdin"
    )
    guests = add("guests", _guests, "Manifests of guests behind a bridge, from ranges of addresses.", output=False)
    guests.add_argument("ranges", metavar="RANGE", nargs="+", help="10.1.1.21-10.1.1.36, 10.1.1.32/28, or an address")
    guests.add_argument("--bridge", metavar="IF", required=True, help="the guests are behind it")
    guests.add_argument("--list", metavar="NAME", required=True, help="PreferredInterfaceList of all of them")
    guests.add_argument("--prefix", metavar="NAME", default="guest", help="their names begin so; default: guest")
    sim = add("sim", _sim, "One random world of the simulator, from its seed.", output=False)
    sim.add_argument("--seed", type=int, default=0, help="the same seed gives the same run")
    sim.add_argument("--trace", type=_count, default=60, help="lines of timeline when a promise is broken")


def _add_lab(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    text = "A LAN of network namespaces to play with."
    lab = commands.add_parser("lab", help=text, description=text, allow_abbrev=False)
    up = adder(lab.add_subparsers(metavar="COMMAND", title="commands", required=True))(
        "up", _lab_up, "A lab with agents and a prompt; it reads commands from standard input.", output=False
    )
    up.add_argument("--scenario", default="ibm-i", help="ibm-i: two machines, three adapters")
    up.add_argument("--failback", default="2s", help="failback delay of the virtual IP")


def _status(arguments: argparse.Namespace) -> int:
    if asks_cluster(arguments, plugin=arguments.plugin):
        return cluster_status(arguments)
    from vipa_cli.status import status_command

    return status_command(arguments.state_dir or STATE_DIR, arguments.output, arguments.vip)


def _check(arguments: argparse.Namespace) -> int:
    named = arguments.cluster or arguments.kubeconfig is not None or arguments.context
    if named or (arguments.plugin and not arguments.node):
        return cluster_check(arguments)
    from vipa_cli.check.command import Options, check_command

    options = Options(arguments.manifests, arguments.state_dir, arguments.key_file, arguments.root)
    return check_command(arguments.output, options)


def _observe(arguments: argparse.Namespace) -> int:
    from vipa_cli.observe import observe_command

    by_cluster = arguments.file is None and asks_cluster(arguments, plugin=arguments.plugin)
    return observe_command(
        arguments.vip,
        arguments.interface,
        arguments.seconds,
        arguments.file,
        arguments.state_dir or STATE_DIR,
        arguments.output,
        cluster=arguments if by_cluster else None,
    )


def _demo(arguments: argparse.Namespace) -> int:
    from vipa_cli.demo.command import demo_command

    return demo_command(
        figure=arguments.figure,
        as_json=arguments.as_json or arguments.output == "json",
        plain=arguments.plain,
        timeline=arguments.timeline,
        logs=arguments.logs,
    )


def _plan(arguments: argparse.Namespace) -> int:
    from vipa_cli.plan import plan_command

    return plan_command(arguments.file, arguments.output)


def _guests(arguments: argparse.Namespace) -> int:
    from vipa_cli.guests import guests_command

    return guests_command(arguments.ranges, arguments.bridge, arguments.list, arguments.prefix)


def _sim(arguments: argparse.Namespace) -> int:
    from vipa_cli.sim import sim_command

    return sim_command(arguments.seed, arguments.trace)


def _lab_up(arguments: argparse.Namespace) -> int:
    from vipa_cli.lab.command import lab_command

    return lab_command(arguments.scenario, arguments.failback)


def _seconds(text: str) -> float:
    number = float(text)
    if not 0.1 <= number <= 3600:
        raise argparse.ArgumentTypeError(f"{text}: write a number from 0.1 to 3600")
    return number


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text}: write a whole number from 0 on")
    return int(text)
