"""What ``vipa-router`` is told on its command line."""

import argparse
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vipa.heartbeat.keys import Key
from vipa_agent.keyfile import read_keys
from vipa_agent.logs import LogFormat
from vipa_agent.scrape import parse_listen

DEFAULT_PORT: Final = 7117
"""The agents' default."""

DEFAULT_KEY_FILE: Final = Path("/etc/vipa/key")
"""Where the agents' service unit has it. It is looked for only where it is needed: a router that follows the API server
alone has none."""

DEFAULT_STATE_DIR: Final = Path("/run/vipa-router")


@dataclass(frozen=True, slots=True)
class Settings:
    """Parsed and checked. There is an interface, or a kubeconfig, or both."""

    name: str
    interfaces: tuple[str, ...]
    kubeconfig: Path | None
    state_dir: Path
    keys: tuple[Key, ...]
    key_file: Path | None
    cluster: str
    port: int
    metrics: tuple[str, int] | None
    log_format: LogFormat


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="vipa-router",
        description="Routes of virtual IPs to the healthy adapters of their holders, on a Linux router.",
        epilog="Also: 'vipa-router status' shows a running one, 'vipa-router cleanup' removes its routes. "
        "Routes stay when it ends, so that it can be restarted.",
    )
    source = top.add_argument_group("whom to listen to: one of these, or both")
    source.add_argument(
        "--interface", action="append", default=[], metavar="IF", help="the LAN with the agents; repeatable"
    )
    source.add_argument("--kubeconfig", type=Path, metavar="F", help="the API server; slower than the agents")
    top.add_argument(
        "--key-file", type=Path, metavar="F", help=f"the agents' heartbeat keys; followed; default: {DEFAULT_KEY_FILE}"
    )
    top.add_argument("--insecure", action="store_true", help="without a key: anyone on the LAN can divert clients")
    top.add_argument("--cluster", default="", metavar="NAME", help="as the agents' --cluster (default: the key)")
    top.add_argument("--port", type=int, default=DEFAULT_PORT, metavar="PORT", help="the agents'; default: %(default)s")
    top.add_argument("--name", default=socket.gethostname(), metavar="NAME", help="default: the host's name")
    top.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR, metavar="DIR", help="default: %(default)s")
    top.add_argument("--metrics", metavar="ADDR:PORT", help="serve Prometheus metrics there")
    top.add_argument("--log-format", type=LogFormat, choices=list(LogFormat), default=LogFormat.TEXT)
    return top


def parse(arguments: Sequence[str], key_file: Path = DEFAULT_KEY_FILE) -> Settings:
    """Settings from command-line words. Exits with 2 for wrong usage; raises ConfigError for wrong files. Interfaces
    need not be there yet. ``key_file`` is the one that agents are listened to with when none is named."""
    top = parser()
    given = top.parse_args(arguments)
    if not given.interface and given.kubeconfig is None:
        top.error("say whom to listen to: --interface IF for the agents on a LAN, --kubeconfig F for the API server")
    if given.interface and given.key_file is None and not given.insecure:
        if not key_file.exists():
            needed = f"reports need a key, and there is no {key_file}"
            top.error(f"--interface: {needed}; give --key-file F (the same as the agents'), or --insecure")
        given.key_file = key_file
    if given.key_file is not None and given.insecure:
        top.error("--key-file and --insecure exclude each other")
    if not 1 <= given.port <= 65535:
        top.error(f"--port: {given.port} is not a UDP port (1-65535)")
    try:
        metrics = parse_listen(given.metrics) if given.metrics else None
    except ValueError as error:
        top.error(f"--metrics: {error}")
    return Settings(
        name=given.name,
        interfaces=tuple(dict.fromkeys(given.interface)),
        kubeconfig=given.kubeconfig,
        state_dir=given.state_dir,
        keys=read_keys(given.key_file) if given.key_file is not None else (),
        key_file=given.key_file,
        cluster=given.cluster,
        port=given.port,
        metrics=metrics,
        log_format=given.log_format,
    )
