"""Asking the wire: who has these addresses? Plain ARP on one interface, from this machine."""

import selectors
import socket
import time
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_interface
from typing import Any, Final

from pyroute2 import IPRoute

from vipa.frames import ETHERTYPE_ARP, arp_request, parse_arp

# A question in flight is answered in well under this on any LAN; more often tells nothing more.
_PERIOD_S: Final = 0.05
_FRAME_MAX: Final = 2048
# RFC 5227 section 2.1.1: a question from nobody in particular.
_NO_ADDRESS: Final = "0.0.0.0"


class AskError(Exception):
    """The wire cannot be asked; the message says why and what would help. ``usage``: the question was wrong."""

    def __init__(self, message: str, *, usage: bool = False) -> None:
        super().__init__(message)
        self.usage = usage


@dataclass(frozen=True, slots=True)
class Nic:
    """An interface to ask on; ``address`` is the one to ask from. ``addresses``: all of its own."""

    name: str
    mac: str
    address: str
    addresses: tuple[str, ...]
    has_carrier: bool


@dataclass(slots=True)
class Answers:
    """``asked``: questions per address. ``macs``: MACs that answered, in order of first answer, with how often.
    ``at_once``: questions for it that more than one MAC answered."""

    asked: int = 0
    macs: dict[str, int] = field(default_factory=dict)
    at_once: int = 0


def find_nic(target: str, interface: str = "") -> Nic:
    """``interface``, or without one the one whose network holds ``target``. AskError when there is none."""
    with IPRoute() as ipr:
        links = {link["index"]: link for link in ipr.get_links()}
        own: dict[int, list[str]] = {}
        for entry in ipr.get_addr(family=socket.AF_INET):
            own.setdefault(entry["index"], []).append(f"{entry.get_attr('IFA_LOCAL')}/{entry['prefixlen']}")
    nics = [_nic(link, own.get(index, []), target) for index, link in links.items() if link.get_attr("IFLA_ADDRESS")]
    if interface:
        for nic in nics:
            if nic.name == interface:
                if not nic.has_carrier:
                    raise AskError(f"{interface} is down or has no cable: nothing can be asked on it")
                return nic
        names = ", ".join(nic.name for nic in nics if nic.name != "lo") or "none"
        raise AskError(f"there is no interface {interface!r}; there are: {names}", usage=True)
    on_lan = [nic for nic in nics if nic.address != _NO_ADDRESS and nic.name != "lo"]
    if not on_lan:
        raise AskError(f"no interface of this machine is on the LAN of {target}; say which to ask on with --interface")
    for nic in on_lan:
        if nic.has_carrier:
            return nic
    raise AskError(f"{', '.join(nic.name for nic in on_lan)} on the LAN of {target} is down or has no cable")


def ask(nic: Nic, targets: list[str], seconds: float) -> dict[str, Answers]:
    """Ask for each of ``targets`` again and again. AskError without the right to, or when the interface is down."""
    found = {target: Answers() for target in targets}
    this_time: dict[str, set[str]] = {}
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE_ARP)) as sock:
            sock.bind((nic.name, ETHERTYPE_ARP))
            sock.setblocking(False)
            end_s = time.monotonic() + seconds
            while (now_s := time.monotonic()) < end_s:
                this_time = {target: set() for target in targets}
                for target in targets:
                    sock.send(arp_request(nic.mac, nic.address, target))
                    found[target].asked += 1
                _listen(sock, min(end_s, now_s + _PERIOD_S), nic, found, this_time)
    except PermissionError as error:
        raise AskError("asking the wire needs CAP_NET_RAW: run as root") from error
    except OSError as error:
        raise AskError(f"cannot ask on {nic.name}: {error.strerror or error}") from error
    return found


def _listen(
    sock: socket.socket, until_s: float, nic: Nic, found: dict[str, Answers], this_time: dict[str, set[str]]
) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(sock, selectors.EVENT_READ)
        # Past the end what has come is still read: this thread may have stood still meanwhile.
        while selector.select(max(0.0, until_s - time.monotonic())):
            frame = parse_arp(sock.recv(_FRAME_MAX))
            # Announcements in reply form are broadcast: they answer nobody's question.
            if frame is None or not frame.is_reply or frame.sender_address not in found:
                continue
            if frame.target_address != nic.address or frame.sender_mac == nic.mac:
                continue
            answers, macs = found[frame.sender_address], this_time[frame.sender_address]
            if frame.sender_mac not in macs:
                macs.add(frame.sender_mac)
                answers.macs[frame.sender_mac] = answers.macs.get(frame.sender_mac, 0) + 1
                answers.at_once += len(macs) == 2


def _nic(link: Any, own: list[str], target: str) -> Nic:  # noqa: ANN401 - pyroute2 is untyped
    wanted = IPv4Address(target)
    # A virtual IP bound here as /32 is no address to ask from.
    matching = [ip_interface(a) for a in own if wanted in ip_interface(a).network and ip_interface(a).ip != wanted]
    address = str(matching[0].ip) if matching else _NO_ADDRESS
    addresses = tuple(a.partition("/")[0] for a in own)
    has_carrier = bool(link.get_attr("IFLA_CARRIER"))
    return Nic(link.get_attr("IFLA_IFNAME"), link.get_attr("IFLA_ADDRESS"), address, addresses, has_carrier)
