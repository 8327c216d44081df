"""What the agent is told on its command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vipa.errors import ConfigError
from vipa.heartbeat.keys import Key, parse_keys
from vipa_agent.logs import LogFormat
from vipa_agent.scrape import parse_listen

DEFAULT_PORT: Final = 7117
DEFAULT_STATE_DIR: Final = Path("/run/vipa")


@dataclass(frozen=True, slots=True)
class Settings:
    """Parsed and checked. ``metrics`` is (address, port) or None; ``keys`` is empty with --insecure."""

    node: str
    manifests: Path
    state_dir: Path
    keys: tuple[Key, ...]
    insecure: bool
    cluster: str
    port: int
    metrics: tuple[str, int] | None
    log_format: LogFormat


def parser() -> argparse.ArgumentParser:
    """The command line of ``vipa-agent``."""
    top = argparse.ArgumentParser(
        prog="vipa-agent",
        description="Binds virtual IPs, answers ARP for them on one adapter, and takes over when another fails.",
        epilog="Also: 'vipa-agent status' shows a running agent, 'vipa-agent cleanup' removes all of vipa from a node.",
    )
    top.add_argument("--node", required=True, metavar="NAME", help="this node's name, unique in the cluster")
    top.add_argument(
        "--manifests", required=True, type=Path, metavar="DIR", help="folder of *.yaml and *.json, followed"
    )
    top.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR, metavar="DIR", help="default: %(default)s")
    top.add_argument("--key-file", type=Path, metavar="F", help="heartbeat keys, one per line: ID:SECRET or SECRET")
    top.add_argument(
        "--insecure", action="store_true", help="heartbeats without a key: anyone on the LAN can forge them"
    )
    top.add_argument(
        "--cluster", default="", metavar="NAME", help="tells two clusters on a LAN apart (default: the key)"
    )
    top.add_argument("--port", type=int, default=DEFAULT_PORT, metavar="PORT", help="UDP, default: %(default)s")
    top.add_argument("--metrics", metavar="ADDR:PORT", help="serve Prometheus metrics there")
    top.add_argument("--log-format", type=LogFormat, choices=list(LogFormat), default=LogFormat.JSON)
    return top


def parse(arguments: Sequence[str]) -> Settings:
    """Settings from command-line words. Exits with 2 for wrong usage; raises ConfigError for wrong files."""
    top = parser()
    given = top.parse_args(arguments)
    if not 1 <= given.port <= 65535:
        top.error(f"--port: {given.port} is not a UDP port (1-65535)")
    if not given.manifests.is_dir():
        raise ConfigError(f"--manifests: {given.manifests} is not a folder; make it and put VirtualIP files into it")
    if given.key_file is not None and given.insecure:
        top.error("--key-file and --insecure exclude each other")
    try:
        metrics = parse_listen(given.metrics) if given.metrics else None
    except ValueError as error:
        top.error(f"--metrics: {error}")
    return Settings(
        node=given.node,
        manifests=given.manifests,
        state_dir=given.state_dir,
        keys=read_keys(given.key_file) if given.key_file is not None else (),
        insecure=given.insecure,
        cluster=given.cluster,
        port=given.port,
        metrics=metrics,
        log_format=given.log_format,
    )


def read_keys(path: Path) -> tuple[Key, ...]:
    """Keys of a file; ConfigError with what is wrong."""
    try:
        return parse_keys(path.read_text(), str(path))
    except OSError as error:
        raise ConfigError(f"--key-file: cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--key-file: {path} is not text; write one line with a secret, or ID:SECRET") from error
