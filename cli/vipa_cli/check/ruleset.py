"""Everybody's nftables rules, as libnftables tells them in JSON (libnftables-json(5)); iptables-nft's are among them.

What belongs to iptables' own modules ("xt") is named there but not told in full.
"""

import ctypes
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from vipa_agent.kernel.errors import NetlinkRefused
from vipa_agent.kernel.nfnl import NFPROTO_INET, NftSocket
from vipa_agent.kernel.sets import TABLE

_SONAME: Final = "libnftables.so.1"
# nftables/libnftables.h: JSON, and no elements of named sets, of which a node may have many thousands.
_JSON, _TERSE = 1 << 4, 1 << 11
_DEVICES: Final = re.compile(r'chain (\S+) \{\s*type filter hook \w+ device(?:s = \{([^}]*)\}| "([^"]*)")')
_TABLE: Final = re.compile(r"^table netdev (\S+) \{", re.MULTILINE)


class NotRead(Exception):
    """The rules cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain with its rules, each a list of expressions. ``hook`` is "" unless the kernel calls it; ``devices``: of a
    netdev chain, where known."""

    family: str
    table: str
    name: str
    hook: str = ""
    policy: str = "accept"
    devices: tuple[str, ...] = ()
    rules: list[Sequence[Mapping[str, Any]]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.family} {self.table} {self.name}"


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The chains of all but vipa's tables, by (family, table, name)."""

    chains: Mapping[tuple[str, str, str], Chain]

    def hooked(self, families: Sequence[str], hooks: Sequence[str]) -> Iterator[Chain]:
        """Chains that the kernel calls there."""
        return (chain for chain in self.chains.values() if chain.family in families and chain.hook in hooks)


def read() -> Ruleset:
    """Of the network namespace of this thread. NotRead when it cannot be had."""
    _may_ask()
    listed = _ask("list ruleset", _JSON | _TERSE)
    devices = _ask("list chains netdev", 0) if '"netdev"' in listed else ""
    try:
        return parse(listed, devices)
    except ValueError as error:
        raise NotRead(f"libnftables does not speak JSON here: {error}") from error


def parse(listed: str, netdev: str = "") -> Ruleset:
    """``listed``: JSON of the rules; ``netdev``: text of the netdev chains, since nft 1.0.6 leaves their devices out of
    JSON."""
    chains: dict[tuple[str, str, str], Chain] = {}
    devices = dict(_devices(netdev))
    for each in json.loads(listed)["nftables"]:
        if chain := each.get("chain"):
            family, table, name = key = (chain["family"], chain["table"], chain["name"])
            if table != TABLE:
                policy = chain.get("policy", "accept")
                on = devices.get((table, name), ()) if family == "netdev" else ()
                chains[key] = Chain(family, table, name, chain.get("hook", ""), policy, on)
        elif rule := each.get("rule"):
            owner = chains.get((rule["family"], rule["table"], rule["chain"]))
            if owner is not None:
                owner.rules.append(rule["expr"])
    return Ruleset(chains)


def _may_ask() -> None:
    """libnftables would say to this process's standard error that it may not; the kernel is asked first."""
    sock = NftSocket()
    try:
        sock.has_table(NFPROTO_INET, TABLE)
    except NetlinkRefused as error:
        raise NotRead(os.strerror(error.code)) from error
    finally:
        sock.close()


def _devices(text: str) -> Iterator[tuple[tuple[str, str], tuple[str, ...]]]:
    parts = _TABLE.split(text)
    for table, body in zip(parts[1::2], parts[2::2], strict=True):
        for chain, several, one in _DEVICES.findall(body):
            yield (table, chain), tuple(word.strip(' "\t') for word in (several or one).split(","))


def _ask(command: str, flags: int) -> str:
    try:
        library = ctypes.CDLL(_SONAME)
    except OSError as error:
        raise NotRead(f"{_SONAME} cannot be loaded: {error}") from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).restype = ctypes.c_char_p
    context = ctypes.c_void_p(library.nft_ctx_new(ctypes.c_uint32(0)))
    if not context:
        raise NotRead("libnftables made no context")
    try:
        library.nft_ctx_buffer_output(context)
        library.nft_ctx_buffer_error(context)
        library.nft_ctx_output_set_flags(context, ctypes.c_uint(flags))
        if library.nft_run_cmd_from_buffer(context, command.encode()) != 0:
            said = (library.nft_ctx_get_error_buffer(context) or b"").decode(errors="replace").strip()
            raise NotRead(said.splitlines()[0] if said else "nftables says nothing")
        return (library.nft_ctx_get_output_buffer(context) or b"").decode(errors="replace")
    finally:
        library.nft_ctx_free(context)
