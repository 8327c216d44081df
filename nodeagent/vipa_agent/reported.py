"""Which interfaces a node reports: those that could be an endpoint, whether they work now or not.

The operator ranks by what is declared, never by what works this minute (rule 1), so a report must not follow flaps:
carrier and IFF_UP change nothing, and an interface whose addresses go stays for a while. Left out is what can be no
endpoint: what has no address of its own, no MAC to answer with, or belongs to the node's containers.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from vipa.election.events import LocalInterface
from vipa.reasons import Reason
from vipa.resources.node import InterfaceStatus

KEEP_S: Final = 60.0
"""A driver's reload, a DHCP client's or a network manager's restart take seconds: no reason to plan anew, twice."""

INNER: Final = re.compile(
    r"docker\d*|br-[0-9a-f]{12}|podman\d*|cni\d*|cni-podman\d*|nerdctl\d*|flannel\..*|cali.*|vxlan\.calico|tunl\d*|cilium_.*"
    r"|lxc.*|kube-.*|nodelocaldns|weave.*|antrea-gw\d*|ovn-.*|kindnet.*|virbr\d+|lxdbr\d+|incusbr\d+|veth.+"
)
"""Interfaces between a node and its containers and guests, by the names their makers give them; nothing else tells them
from a LAN. Their subnets are the same on every node or end at it. kube-ipvs0 has every Service address there is."""

_MAC: Final = re.compile(r"(?!00:00:00:00:00:00)([0-9a-f]{2}:){5}[0-9a-f]{2}")
_ONE_HOST: Final = ("/32", "/128")
"""An address without a subnet is on no LAN: other programs' virtual IPs, tunnels, routed hosts."""


class Reported:
    """Remembers what was there."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[float, InterfaceStatus]] = {}

    def look(
        self, interfaces: Iterable[LocalInterface], judged: dict[str, InterfaceStatus], now_s: float
    ) -> tuple[InterfaceStatus, ...]:
        """By name. ``judged``: what the election says of the interfaces it uses; the others are healthy as far as their
        own link goes."""
        present = {i.name: _status(i, judged.get(i.name)) for i in interfaces if _is_endpoint(i)}
        taken = {address.partition("/")[0] for status in present.values() for address in status.addresses}
        for name, (seen_s, status) in list(self._last.items()):
            elsewhere = any(address.partition("/")[0] in taken for address in status.addresses)
            if name not in present and (elsewhere or now_s - seen_s >= KEEP_S):
                del self._last[name]
        self._last |= {name: (now_s, status) for name, status in present.items()}
        gone = {
            name: msgspec.structs.replace(status, healthy=False, reason=Reason.INTERFACE_MISSING)
            for name, (_, status) in self._last.items()
            if name not in present
        }
        return tuple(status for _, status in sorted((present | gone).items()))


def _is_endpoint(interface: LocalInterface) -> bool:
    return bool(
        any(not address.endswith(_ONE_HOST) for address in interface.addresses)
        and _MAC.fullmatch(interface.mac)
        and not INNER.fullmatch(interface.name)
    )


def _status(interface: LocalInterface, judged: InterfaceStatus | None) -> InterfaceStatus:
    own = tuple(address for address in interface.addresses if not address.endswith(_ONE_HOST))
    if judged is not None:
        healthy, reason = judged.healthy, judged.reason
    else:
        healthy = interface.up and interface.carrier
        down = Reason.LINK_DOWN if interface.up else Reason.INTERFACE_DOWN
        reason = Reason.HEALTHY if healthy else down
    return InterfaceStatus(interface.name, own, interface.mac, healthy, reason)
