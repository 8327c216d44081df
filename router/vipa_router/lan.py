"""The LANs with agents on them: what this router asks there, and what it hears."""

import socket
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Final

import structlog
from msgspec import structs

from vipa.election.actions import SendBeat
from vipa.election.config import Config
from vipa.election.events import BeatReceived, LocalInterface
from vipa.remote.talk import Ask, encode, named
from vipa_agent.kernel.links import Links
from vipa_agent.kernel.netlink import NetlinkSocket
from vipa_agent.wire.mux import Mux
from vipa_agent.wire.nic import EVERYONE, Nic, NicSocket

log = structlog.get_logger()

_TO: Final = {4: EVERYONE[0], 6: EVERYONE[1]}


class Lan:
    """``names``: the interfaces to listen on; none need be there yet. ``opened`` and ``closing`` as of :class:`Mux`."""

    def __init__(
        self,
        names: tuple[str, ...],
        port: int,
        route_socket: NetlinkSocket,
        opened: Callable[[NicSocket], None],
        closing: Callable[[NicSocket], None],
    ) -> None:
        self._names = names
        self._links = Links(route_socket)
        self._mux = Mux(port, opened, closing, neighbours=False)
        self._told: dict[str, str] = {}
        self._seq = 0
        self.interfaces: tuple[LocalInterface, ...] = ()
        """All of this router, as last read."""

    def sync(self) -> None:
        """Interfaces changed: sockets follow. What cannot be opened is told once."""
        self.interfaces = self._links.snapshot()
        indexes = self._links.indexes()
        nics = [
            Nic(i.name, indexes[i.name], i.mac, tuple(a.partition("/")[0] for a in i.addresses))
            for i in self.interfaces
            if i.name in self._names and i.up and i.name in indexes
        ]
        problems = self._mux.sync(nics)
        there = {interface.name for interface in self.interfaces}
        for name in set(self._names) - {nic.name for nic in nics}:
            what = "is down" if name in there else f"is not there; there are {', '.join(sorted(there)) or 'none'}"
            problems[name] = f"interface {name} {what}: waiting for it"
        for name, problem in problems.items():
            if self._told.get(name) != problem:
                log.warning("not listening", interface=name, detail=problem)
        self._told = problems

    def heard(self) -> list[BeatReceived]:
        """All that waits."""
        return [event for event in self._mux.drain() if isinstance(event, BeatReceived)]

    def ask(self, config: Config, hears: Iterable[int], *, leaving: bool = False) -> None:
        """Ask every agent on every LAN, by each address there."""
        self._seq += 1
        ask = Ask(config.incarnation, self._seq, config.node, named(tuple(hears), self._seq), leaving)
        for interface in self.interfaces:
            if interface.name in self._names:
                for address in interface.addresses:
                    own = address.partition("/")[0]
                    to = _TO[ip_address(own).version]
                    signed = structs.replace(ask, address=own, mac=interface.mac)
                    payload = encode(signed, config.accepted_keys[0], config.cluster_id)
                    self._mux.send_beat(SendBeat(interface.name, own, to, "", payload))

    def close(self) -> None:
        """Close the sockets."""
        self._mux.close()


def hash_policies() -> dict[str, int]:
    """``fib_multipath_hash_policy`` of each family: 0 spreads by addresses, 1 also by ports."""
    found: dict[str, int] = {}
    for family in ("ipv4", "ipv6") if socket.has_ipv6 else ("ipv4",):
        try:
            with open(f"/proc/sys/net/{family}/fib_multipath_hash_policy", encoding="ascii") as setting:
                found[family] = int(setting.read())
        except (OSError, ValueError):
            continue  # this kernel has no such family, or no multipath: nothing to say of it
    return found
