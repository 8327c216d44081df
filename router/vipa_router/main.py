"""Entry point of ``vipa-router``: run, ``status``, ``cleanup``."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from vipa.errors import VipaError
from vipa_agent.kernel.errors import KernelError
from vipa_agent.kernel.netlink import NETLINK_ROUTE, NetlinkSocket
from vipa_agent.keyfile import KeyFile
from vipa_agent.logs import LogWriter, configure
from vipa_agent.service import Service
from vipa_agent.status import StatusError, read_status
from vipa_cli.cluster.errors import ClusterError
from vipa_router.routes import Routes
from vipa_router.settings import DEFAULT_STATE_DIR, Settings, parse

EXIT_GOOD, EXIT_BAD, EXIT_USAGE, EXIT_CANNOT_TELL = range(4)
PROGRAM: Final = "vipa-router"


def main() -> None:
    """Console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Exit code for these command-line words: 0 good, 1 not good, 2 usage, 3 cannot tell."""
    match list(arguments):
        case ["status", *rest]:
            return _status(rest)
        case ["cleanup", *rest]:
            return _cleanup(rest)
    try:
        return _serve(parse(arguments))
    except (VipaError, ClusterError, KernelError, OSError) as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return EXIT_USAGE if isinstance(error, VipaError) else EXIT_BAD


def _serve(settings: Settings) -> int:
    writer = LogWriter(sys.stdout.fileno(), settings.log_format)
    configure(writer)
    service = Service()
    try:
        asyncio.run(_run(settings, service))
    except (KernelError, ClusterError, OSError):
        service.hold()
        raise
    finally:
        writer.close()
    return EXIT_GOOD


async def _run(settings: Settings, service: Service) -> None:
    from vipa_router.daemon import Daemon

    keys = KeyFile(settings.key_file, settings.keys)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, keys.look)
    await Daemon(settings, keys, service).run()


def _state_dir(top: argparse.ArgumentParser) -> argparse.ArgumentParser:
    top.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR, metavar="DIR", help="default: %(default)s")
    return top


def _status(arguments: Sequence[str]) -> int:
    top = _state_dir(argparse.ArgumentParser(prog=f"{PROGRAM} status", description="What a running router does now."))
    top.add_argument("-o", "--output", choices=["text", "json"], default="text")
    given = top.parse_args(arguments)
    try:
        document = read_status(given.state_dir, program=PROGRAM)
    except StatusError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return EXIT_CANNOT_TELL
    without = [vip for vip in document["virtualIPs"] if not isinstance(vip["to"], list)]
    if given.output == "json":
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    else:
        for vip in document["virtualIPs"]:
            to = "no adapter: " + vip["to"] if vip in without else ", ".join(vip["to"])
            sys.stdout.write(f"{vip['address']} → {to}\n")
        sys.stdout.write(f"agents heard: {', '.join(document['nodes']) or 'none'}\n")
        if document["trouble"]:
            sys.stdout.write(f"the kernel refused: {document['trouble']}\n")
    return EXIT_BAD if without or document["trouble"] else EXIT_GOOD


def _cleanup(arguments: Sequence[str]) -> int:
    text = "Remove all routes and next hops of vipa-router from this machine; no others."
    given = _state_dir(argparse.ArgumentParser(prog=f"{PROGRAM} cleanup", description=text)).parse_args(arguments)
    try:
        read_status(given.state_dir, program=PROGRAM)
    except StatusError:
        pass  # none runs, as it should be
    else:
        sys.stderr.write(f"{PROGRAM}: one runs with state dir {given.state_dir}: stop it first\n")
        return EXIT_BAD
    try:
        with NetlinkSocket(NETLINK_ROUTE) as route_socket:
            count = Routes(route_socket).remove_all()
    except KernelError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        return EXIT_BAD
    sys.stdout.write(f"{count} routes removed\n")
    return EXIT_GOOD


if __name__ == "__main__":
    main()
