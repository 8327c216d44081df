"""What the agent is told on its command line."""

import argparse
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vipa.errors import ConfigError
from vipa.heartbeat.keys import Key
from vipa_agent.bgp.settings import DEFAULT_DIR, BgpSettings
from vipa_agent.hooksettings import TIMEOUT_RANGE_S, TIMEOUT_S, HookSettings
from vipa_agent.keyfile import read_keys
from vipa_agent.logs import LogFormat
from vipa_agent.scrape import parse_listen
from vipa_agent.sources.api.config import ApiConfig, from_kubeconfig, in_cluster

DEFAULT_PORT: Final = 7117
DEFAULT_STATE_DIR: Final = Path("/run/vipa")


@dataclass(frozen=True, slots=True)
class Settings:
    """Parsed and checked. Exactly one of ``manifests`` and ``api`` is there. ``metrics`` is (address, port) or None;
    ``keys`` is empty with --insecure."""

    node: str
    manifests: Path | None
    api: ApiConfig | None
    state_dir: Path
    keys: tuple[Key, ...]
    key_file: Path | None
    insecure: bool
    cluster: str
    port: int
    metrics: tuple[str, int] | None
    log_format: LogFormat
    hooks: HookSettings
    bgp: BgpSettings

    @property
    def source(self) -> str:
        """Where plans come from, for people."""
        return self.api.server if self.api is not None else str(self.manifests)


def parser() -> argparse.ArgumentParser:
    """The command line of ``vipa-agent``."""
    top = argparse.ArgumentParser(
        prog="vipa-agent",
        description="Binds virtual IPs, answers ARP for them on one adapter, and takes over when another fails.",
        epilog="Also: 'vipa-agent status' shows a running agent, 'vipa-agent ready' tells whether it is this "
        "container's, 'vipa-agent cleanup' removes all of vipa from a node.",
    )
    top.add_argument("--node", required=True, metavar="NAME", help="this node's name, unique in the cluster")
    source = top.add_argument_group("where plans come from: one of these")
    one = source.add_mutually_exclusive_group(required=True)
    one.add_argument("--manifests", type=Path, metavar="DIR", help="folder of *.yaml and *.json, followed")
    one.add_argument("--api", action="store_true", help="this node's VirtualIPNode, as the pod's service account")
    source.add_argument(
        "--kubeconfig", type=Path, metavar="F", help="with --api, outside of a pod: its current context"
    )
    top.add_argument("--state-dir", type=Path, default=DEFAULT_STATE_DIR, metavar="DIR", help="default: %(default)s")
    top.add_argument(
        "--key-file", type=Path, metavar="F", help="heartbeat keys, one per line: ID:SECRET or SECRET; followed"
    )
    top.add_argument(
        "--insecure", action="store_true", help="heartbeats without a key: anyone on the LAN can forge them"
    )
    top.add_argument(
        "--cluster", default="", metavar="NAME", help="tells two clusters on a LAN apart (default: the key)"
    )
    top.add_argument("--port", type=int, default=DEFAULT_PORT, metavar="PORT", help="UDP, default: %(default)s")
    top.add_argument("--metrics", metavar="ADDR:PORT", help="serve Prometheus metrics there")
    top.add_argument("--log-format", type=LogFormat, choices=list(LogFormat), default=LogFormat.JSON)
    hooks = top.add_argument_group("whom to tell of each change of role; never waited for, docs/standalone.md")
    hooks.add_argument("--notify", action="append", default=[], metavar="PROGRAM", help="by absolute path; repeatable")
    hooks.add_argument("--notify-url", action="append", default=[], metavar="URL", help="POST there; repeatable")
    hooks.add_argument(
        "--notify-timeout", type=float, default=TIMEOUT_S, metavar="S", help="of each call, default: %(default)g s"
    )
    bgp = top.add_argument_group("routers that speak BGP, docs/bgp.md")
    bgp.add_argument("--bgp", choices=["frr"], help="have this node's FRR advertise what the node serves")
    bgp.add_argument(
        "--bgp-dir", type=Path, metavar="DIR", help=f"with --bgp: folder of FRR's sockets, default: {DEFAULT_DIR}"
    )
    return top


def parse(arguments: Sequence[str]) -> Settings:
    """Settings from command-line words. Exits with 2 for wrong usage; raises ConfigError for wrong files."""
    top = parser()
    given = top.parse_args(arguments)
    if not 1 <= given.port <= 65535:
        top.error(f"--port: {given.port} is not a UDP port (1-65535)")
    if given.manifests is not None and not given.manifests.is_dir():
        raise ConfigError(f"--manifests: {given.manifests} is not a folder; make it and put VirtualIP files into it")
    if given.key_file is not None and given.insecure:
        top.error("--key-file and --insecure exclude each other")
    if given.kubeconfig is not None and not given.api:
        top.error("--kubeconfig goes with --api")
    if given.api and given.key_file is None and not given.insecure:
        top.error("--api: heartbeats need a key: --key-file F (the same on every node), or --insecure")
    if given.bgp_dir is not None and not given.bgp:
        top.error("--bgp-dir goes with --bgp frr")
    try:
        metrics = parse_listen(given.metrics) if given.metrics else None
    except ValueError as error:
        top.error(f"--metrics: {error}")
    return Settings(
        node=given.node,
        manifests=given.manifests,
        api=_api(given.kubeconfig) if given.api else None,
        state_dir=given.state_dir,
        keys=read_keys(given.key_file) if given.key_file is not None else (),
        key_file=given.key_file,
        insecure=given.insecure,
        cluster=given.cluster,
        port=given.port,
        metrics=metrics,
        log_format=given.log_format,
        hooks=_hooks(top, given),
        bgp=BgpSettings((given.bgp_dir or DEFAULT_DIR) if given.bgp else None),
    )


def _hooks(top: argparse.ArgumentParser, given: argparse.Namespace) -> HookSettings:
    for program in given.notify:
        if not program.startswith("/"):
            top.error(f"--notify: {program!r} is not an absolute path; wrap a program with arguments in a script")
    for url in given.notify_url:
        if not _is_url(url):
            top.error(f"--notify-url: {url!r} is no http:// or https:// URL with a host")
    low, high = TIMEOUT_RANGE_S
    if not low <= given.notify_timeout <= high:
        top.error(f"--notify-timeout: {given.notify_timeout:g} is not between {low:g} and {high:g} seconds")
    return HookSettings(tuple(given.notify), tuple(given.notify_url), given.notify_timeout)


def _is_url(text: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        return False


def _api(kubeconfig: Path | None) -> ApiConfig:
    return in_cluster() if kubeconfig is None else from_kubeconfig(kubeconfig)
