"""Entry point of ``vipa-agent``: run, ``status``, ``ready``, ``cleanup``."""

import argparse
import asyncio
import gc
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from vipa.errors import VipaError
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.kernel.errors import KernelError
from vipa_agent.keyfile import KeyFile
from vipa_agent.logs import LogWriter, configure
from vipa_agent.service import Service
from vipa_agent.settings import DEFAULT_STATE_DIR, Settings, parse
from vipa_agent.status import StatusError, pid_namespace, read_status

if TYPE_CHECKING:
    from vipa_agent.bgp.advertiser import Advertiser
    from vipa_agent.hookprocess import HookProcess
    from vipa_agent.metrics import Metrics
    from vipa_agent.sources.source import Source

STOP_S: Final = 2.7
"""From SIGTERM on hooks have until then: the agent is to be gone after 3 s."""
HOOKS_S_MIN: Final = 0.2
"""What they have anyway, for the last event, when a hand-over took all that time."""

EXIT_GOOD, EXIT_BAD, EXIT_USAGE, EXIT_CANNOT_TELL = range(4)


def main() -> None:
    """Console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Exit code for these command-line words: 0 good, 1 not good, 2 usage, 3 cannot tell."""
    match list(arguments):
        case ["status", *rest]:
            return _status(rest)
        case ["ready", *rest]:
            return _ready(rest)
        case ["cleanup", *rest]:
            return _cleanup(rest)
    try:
        return _serve(parse(arguments))
    except (VipaError, KernelError, OSError) as error:
        sys.stderr.write(f"vipa-agent: {error}\n")
        return EXIT_USAGE if isinstance(error, VipaError) else EXIT_BAD


def _serve(settings: Settings) -> int:
    writer = LogWriter(sys.stdout.fileno(), settings.log_format)
    configure(writer)
    keys, service = KeyFile(settings.key_file, settings.keys), Service()
    try:
        while asyncio.run(_run(settings, keys, service)):
            gc.unfreeze()  # nothing of the agent that retired is needed by the one that begins
    except asyncio.CancelledError:
        pass  # asked to stop before it served anything
    except (KernelError, OSError):
        service.hold()
        raise
    finally:
        writer.close()
    return EXIT_GOOD


async def _run(settings: Settings, keys: KeyFile, service: Service) -> bool:
    """One agent's life. Whether to begin another: the successor that this one retired for is gone."""
    from vipa_agent.agent import Agent, Ending
    from vipa_agent.metrics import Metrics
    from vipa_agent.surroundings import Surroundings
    from vipa_agent.tenure import Tenure

    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):  # process 1 of a container has no default for them
        loop.add_signal_handler(number, task.cancel)
    loop.add_signal_handler(signal.SIGHUP, keys.look)
    metrics = Metrics()
    source = _source(settings, metrics)
    # before the agent that may still serve is asked to yield: with 2,000 VIPs this takes half a second
    first = source.first()
    # what is loaded by now stays: a collection of it would stop the loop for tens of milliseconds
    gc.collect()
    gc.freeze()
    pings = asyncio.create_task(service.pings())
    hooks = _hooks(settings, metrics)
    bgp = _bgp(settings)
    tenure = Tenure(settings.state_dir)
    await tenure.acquire()
    agent = Agent(settings, Surroundings(keys, tenure, hooks, bgp, service), source, metrics, first)
    retired = await agent.run() is Ending.RETIRED
    if bgp is not None:
        await (bgp.leave() if retired else bgp.finish())
    if hooks is not None and retired:
        hooks.leave(settings.hooks.timeout_s)
    elif hooks is not None:
        asked_s = agent.elector.node.stopping_since or boottime_s()
        await hooks.close(max(asked_s + STOP_S - boottime_s(), HOOKS_S_MIN))
    again = retired and await tenure.free()
    pings.cancel()
    return again


def _hooks(settings: Settings, metrics: "Metrics") -> "HookProcess | None":
    """Before anything is served: starting a program takes milliseconds of the loop."""
    if not settings.hooks:
        return None
    from vipa_agent.hookprocess import HookProcess

    return HookProcess(settings.hooks, metrics)


def _bgp(settings: Settings) -> "Advertiser | None":
    """Before anything is served, as hooks are."""
    if settings.bgp.directory is None:
        return None
    from vipa_agent.bgp.advertiser import Advertiser

    return Advertiser(settings.bgp.directory, settings.state_dir)


def _source(settings: Settings, metrics: "Metrics") -> "Source":
    if settings.api is None:
        from vipa_agent.sources.planned import FolderSource

        assert settings.manifests is not None
        return FolderSource(settings.manifests)
    from vipa_agent.sources.api.source import ApiSource

    return ApiSource(settings.api, settings.node, settings.state_dir, metrics.api_heard)


def _status(arguments: Sequence[str]) -> int:
    top = argparse.ArgumentParser(prog="vipa-agent status", description="What a running agent does now.")
    top.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR, metavar="DIR", help="default: %(default)s")
    top.add_argument("-o", "--output", choices=["text", "json"], default="text")
    given = top.parse_args(arguments)
    try:
        document = read_status(given.state_dir)
    except StatusError as error:
        sys.stderr.write(f"vipa-agent: {error}\n")
        return EXIT_CANNOT_TELL
    if given.output == "json":
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
        return EXIT_GOOD
    for vip in document["vips"]:
        at = f" on {vip['interface']}" if vip["interface"] else ""
        holder = f", held by {vip['holder']}" if vip["holder"] and vip["role"] != "Holder" else ""
        sys.stdout.write(f"{vip['name']} {' '.join(vip['addresses'])}: {vip['role']}{at} ({vip['reason']}){holder}\n")
        if failing := vip.get("failing"):
            sys.stdout.write(f"{vip['name']}: health checks fail: {', '.join(failing)}\n")
    for session in document.get("bgp", ()):
        bfd = f", BFD {session['bfd']}" if session["bfd"] else ""
        sys.stdout.write(f"bgp {session['peer']}: {session['state']}{bfd}, {session['advertised']} advertised\n")
    if message := document.get("frrMessage"):
        sys.stdout.write(f"bgp: {document['frr']}: {message}\n")
    for interface in document["interfaces"]:
        sys.stdout.write(f"{interface['name']} {' '.join(interface['addresses'])}: {interface['reason']}\n")
    for refusal in document["refusals"]:
        sys.stdout.write(f"{refusal['kind']} {refusal['name']} refused: {refusal['reason']}: {refusal['message']}\n")
    if keys := document["agent"].get("keys", {}).get("accepted"):  # none of an older agent
        sys.stdout.write(f"keys: {' '.join(keys)} (the first signs)\n")
    return EXIT_GOOD


def _ready(arguments: Sequence[str]) -> int:
    top = argparse.ArgumentParser(
        prog="vipa-agent ready",
        description="For a readiness probe: whether the agent of this very container serves the node. "
        "In a rolling update two share a state dir, and the other one answers 'vipa-agent status' too.",
    )
    top.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR, metavar="DIR", help="default: %(default)s")
    given = top.parse_args(arguments)
    try:
        own = read_status(given.state_dir)["agent"]["pidNamespace"] == pid_namespace()
    except (StatusError, KeyError) as error:
        sys.stderr.write(f"vipa-agent: {error}\n")
        return EXIT_CANNOT_TELL
    if not own:
        sys.stderr.write("vipa-agent: another agent serves this node\n")
    return EXIT_GOOD if own else EXIT_BAD


def _cleanup(arguments: Sequence[str]) -> int:
    top = argparse.ArgumentParser(
        prog="vipa-agent cleanup",
        description="Remove all of vipa from this machine: addresses, nftables, rules, routes; settings as they were.",
    )
    top.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR, metavar="DIR", help="default: %(default)s")
    given = top.parse_args(arguments)
    from vipa_agent.cleanup import AgentRunsError, clean_up

    try:
        clean_up(given.state_dir)
    except (AgentRunsError, KernelError) as error:
        sys.stderr.write(f"vipa-agent: {error}\n")
        return EXIT_BAD
    return EXIT_GOOD


if __name__ == "__main__":
    main()
