"""What the operator is told on its command line."""

import argparse
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vipa_operator.logs import LogFormat

NAMESPACE: Final = "vipa-system"
LISTEN: Final = ":9118"
"""Beside the agents' example port 9117: operator and agent may run on one host."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Parsed and checked. ``kubeconfig`` is None in a Pod; ``listen`` is (address, port), port 0: any that is free."""

    kubeconfig: Path | None
    namespace: str
    name: str
    listen: tuple[str, int]
    log_format: LogFormat


def parser() -> argparse.ArgumentParser:
    """The command line of ``vipa-operator``."""
    top = argparse.ArgumentParser(
        prog="vipa-operator",
        description="Plans who may serve each virtual IP, in which order, and reports who does. Run two: one waits.",
    )
    top.add_argument("--kubeconfig", type=Path, metavar="F", help="outside of a cluster; default: the Pod's account")
    top.add_argument(
        "--namespace", default=NAMESPACE, metavar="NS", help="of the Lease vipa-operator, default: %(default)s"
    )
    top.add_argument("--name", default="", metavar="NAME", help="of this replica, unique; default: made up")
    top.add_argument(
        "--listen", default=LISTEN, metavar="ADDR:PORT", help="/healthz, /readyz, /metrics; default: %(default)s"
    )
    top.add_argument(
        "--standalone", action="store_true", help="without effect: replicas agree by the Lease, never by kopf's peering"
    )
    top.add_argument("--log-format", type=LogFormat, choices=list(LogFormat), default=LogFormat.JSON)
    return top


def parse(arguments: Sequence[str]) -> Settings:
    """Settings from command-line words. Exits with 2 for wrong usage."""
    top = parser()
    given = top.parse_args(arguments)
    try:
        listen = parse_listen(given.listen)
    except ValueError as error:
        top.error(f"--listen: {error}")
    # A restarted replica is another one: it must not believe that a lease from before is its own.
    name = given.name or f"{os.uname().nodename}-{secrets.token_hex(4)}"
    return Settings(given.kubeconfig, given.namespace, name, listen, given.log_format)


def parse_listen(text: str) -> tuple[str, int]:
    """ADDR:PORT, [ADDR]:PORT or :PORT (all addresses) as (address, port); ValueError with the form expected."""
    address, colon, port = text.rpartition(":")
    bare = address.removeprefix("[").removesuffix("]")
    if not colon or not port.isdecimal() or int(port) > 65535 or (":" in address and len(bare) != len(address) - 2):
        raise ValueError(f"{text!r} is not ADDR:PORT (like 127.0.0.1:9118, [::1]:9118 or :9118)")
    return bare, int(port)
