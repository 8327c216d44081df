"""The cluster commands' words and options, and how each is run. Modules are loaded when a command is."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vipa_cli.cluster.errors import ClusterError

if TYPE_CHECKING:
    from vipa_cli.cluster.client import Client

Run = Callable[[argparse.Namespace], int]
Add = Callable[..., argparse.ArgumentParser]
NAMESPACE: Final = "vipa-system"
"""What the chart installs into unless it is told otherwise."""
FORMATS: Final = ("plain", "json", "iproute2", "ipvsadm", "haproxy")
_PORT_MAX: Final = 65535


def adder(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> Add:
    """``add(name, run, help, output=True)``: a command, with -o unless it has nothing to print in two ways."""

    def add(name: str, run: Run, text: str, *, output: bool = True) -> argparse.ArgumentParser:
        parser = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        parser.set_defaults(run=run, command=name)
        if output:
            parser.add_argument(
                "-o", "--output", choices=("table", "json"), default="table", help="for people or for programs"
            )
        return parser

    return add


def cluster_options(parser: argparse.ArgumentParser) -> None:
    """Which cluster, and where vipa is in it."""
    group = parser.add_argument_group("cluster")
    group.add_argument("--kubeconfig", metavar="FILE", type=Path, help="default: $KUBECONFIG, else ~/.kube/config")
    group.add_argument("--context", metavar="NAME", default="", help="default: the kubeconfig's current one")
    group.add_argument(
        "-n", "--namespace", metavar="NAME", default=NAMESPACE, help=f"where vipa is installed; default: {NAMESPACE}"
    )


def client_of(arguments: argparse.Namespace) -> "Client":
    """Who talks to the cluster that was named."""
    from vipa_cli.cluster.client import Client
    from vipa_cli.cluster.kubeconfig import find_access

    return Client(find_access(arguments.kubeconfig, arguments.context))


def said(run: Run) -> Run:
    """``run``, with what ends it early said in a line, as an exit code."""

    def wrapped(arguments: argparse.Namespace) -> int:
        try:
            return run(arguments)
        except ClusterError as error:
            sys.stderr.write(f"vipa {arguments.command}: {error}\n")
            return error.code

    return wrapped


def add_status(add: Add, run: Run) -> argparse.ArgumentParser:
    """``status``; ``run`` decides whom to ask."""
    parser = add("status", run, "Who holds each virtual IP, and what is not good.")
    parser.add_argument("vip", metavar="VIP", nargs="*", help="name or address; default: all")
    cluster_options(parser)
    return parser


def add_check(add: Add, run: Run) -> argparse.ArgumentParser:
    """``check``; ``run`` decides what to look at."""
    parser = add("check", run, "Is all of vipa there and well?")
    cluster_options(parser)
    return parser


def add_others(add: Add) -> None:
    """The commands that only a cluster can answer."""
    explain = add("explain", said(_explain), "Who serves a virtual IP, why, why not each other, and what happens next.")
    timeline = add("timeline", said(_timeline), "What happened to a virtual IP.")
    move = add("move", said(_move), "Move a virtual IP to another node or interface, without a gap.")
    drain = add("drain", said(_drain), "Let a node hand over what it holds, and serve nothing until --undo.")
    hops = add("nexthops", said(_nexthops), "Where a load balancer in front sends traffic for a virtual IP.")
    bundle = add("support-bundle", said(_bundle), "All that helps to understand it from afar, in one file; no secrets.")
    for parser in (explain, timeline, move, hops):
        parser.add_argument("vip", metavar="VIP", help="name or address")
    move.add_argument("--to", metavar="NODE[/IF]", required=True, help="such as w2 or w2/eth1")
    drain.add_argument("node", metavar="NODE", help="name of a Kubernetes Node")
    undo = drain.add_mutually_exclusive_group()
    undo.add_argument("--undo", action="store_true", help="let it serve again")
    for parser, group in ((move, move), (drain, undo)):
        group.add_argument("--wait", action="store_true", help="until it is done, or says why not")
        parser.add_argument("--timeout", metavar="SECONDS", type=positive, help="how long --wait waits")
    hops.add_argument("--format", choices=FORMATS, default="", help="in whose words; default: an address a line")
    hops.add_argument("--port", type=port, default=0, help="ipvsadm, haproxy: the service's; default: all")
    hops.add_argument(
        "--agent",
        metavar="HOST:PORT",
        action="append",
        default=[],
        help="ask this agent (its --metrics), not the API server; repeatable",
    )
    hops.add_argument("--watch", "-w", action="store_true", help="print them again whenever they change")
    bundle.add_argument("--file", "-f", metavar="FILE.tar.gz", type=Path, help="default: vipa-support-TIME.tar.gz")
    for parser in (explain, timeline, move, drain, hops, bundle):
        cluster_options(parser)


def cluster_status(arguments: argparse.Namespace) -> int:
    """``status`` of the cluster."""
    from vipa_cli.cluster.status import status_command

    return status_command(client_of(arguments), arguments.vip, arguments.namespace, arguments.output)


def cluster_check(arguments: argparse.Namespace) -> int:
    """``check`` of the cluster."""
    from vipa_cli.cluster.checks import cluster_check_command

    return cluster_check_command(client_of(arguments), arguments.namespace, arguments.output)


def _explain(arguments: argparse.Namespace) -> int:
    from vipa_cli.cluster.explain import explain_command

    return explain_command(client_of(arguments), arguments.vip, arguments.namespace, arguments.output)


def _timeline(arguments: argparse.Namespace) -> int:
    from vipa_cli.cluster.timeline import timeline_command

    return timeline_command(client_of(arguments), arguments.vip, arguments.output)


def _move(arguments: argparse.Namespace) -> int:
    from vipa_cli.cluster.move import TIMEOUT_S, move_command

    timeout_s = arguments.timeout or TIMEOUT_S
    return move_command(
        client_of(arguments), arguments.vip, arguments.to, arguments.output, wait=arguments.wait, timeout_s=timeout_s
    )


def _drain(arguments: argparse.Namespace) -> int:
    from vipa_cli.cluster.drain import TIMEOUT_S, drain_command

    return drain_command(
        client_of(arguments),
        arguments.node,
        arguments.output,
        undo=arguments.undo,
        wait=arguments.wait,
        timeout_s=arguments.timeout or TIMEOUT_S,
    )


def _nexthops(arguments: argparse.Namespace) -> int:
    from vipa_cli.cluster.nexthops import agents_nexthops_command, nexthops_command

    form = arguments.format or ("json" if arguments.output == "json" else "plain")
    if arguments.agent:
        return agents_nexthops_command(arguments.agent, arguments.vip, form, arguments.port, watch=arguments.watch)
    return nexthops_command(client_of(arguments), arguments.vip, form, arguments.port, watch=arguments.watch)


def _bundle(arguments: argparse.Namespace) -> int:
    from vipa_cli.cluster.bundle import bundle_command

    return bundle_command(client_of(arguments), arguments.namespace, arguments.file, arguments.output)


def positive(text: str) -> float:
    """A number of seconds above 0."""
    number = float(text)
    if not 0 < number <= 86400:
        raise argparse.ArgumentTypeError(f"{text}: write a number of seconds above 0, a day at most")
    return number


def port(text: str) -> int:
    """A TCP port."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text}: write a port from 1 to {_PORT_MAX}")
    return int(text)
