"""Asking the wire: who has these addresses? ARP and neighbour solicitations on one interface, from this machine."""

import selectors
import socket
import time
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface
from typing import Any, Final, Self, cast

from pyroute2 import IPRoute

from vipa_cli.questions import Questions, nobody

# A question in flight is answered in well under this on any LAN; more often tells nothing more.
_PERIOD_S: Final = 0.05
_FRAME_MAX: Final = 2048


class AskError(Exception):
    """The wire cannot be asked; the message says why and what would help. ``usage``: the question was wrong."""

    def __init__(self, message: str, *, usage: bool = False) -> None:
        super().__init__(message)
        self.usage = usage


@dataclass(frozen=True, slots=True)
class Nic:
    """An interface to ask on; ``address`` is the one to ask from, and what is of the other IP version is asked for as
    nobody. ``addresses``: all of its own."""

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
        for entry in ipr.get_addr():
            address = entry.get_attr("IFA_LOCAL") or entry.get_attr("IFA_ADDRESS")  # IPv6 has the second alone
            own.setdefault(entry["index"], []).append(f"{address}/{entry['prefixlen']}")
    nics = [_nic(link, own.get(index, []), target) for index, link in links.items() if link.get_attr("IFLA_ADDRESS")]
    if interface:
        for nic in nics:
            if nic.name == interface:
                if not nic.has_carrier:
                    raise AskError(f"{interface} is down or has no cable: nothing can be asked on it")
                return nic
        names = ", ".join(nic.name for nic in nics if nic.name != "lo") or "none"
        raise AskError(f"there is no interface {interface!r}; there are: {names}", usage=True)
    on_lan = [nic for nic in nics if nic.address != nobody(target) and nic.name != "lo"]
    if not on_lan:
        raise AskError(f"no interface of this machine is on the LAN of {target}; say which to ask on with --interface")
    for nic in on_lan:
        if nic.has_carrier:
            return nic
    raise AskError(f"{', '.join(nic.name for nic in on_lan)} on the LAN of {target} is down or has no cable")


def ask(nic: Nic, targets: list[str], seconds: float) -> dict[str, Answers]:
    """Ask for each of ``targets`` again and again. AskError without the right to, or when the interface is down."""
    found = {target: Answers() for target in targets}
    try:
        with _Asking(nic, targets) as asking:
            end_s = time.monotonic() + seconds
            while (now_s := time.monotonic()) < end_s:
                asking.round(found, min(end_s, now_s + _PERIOD_S))
    except PermissionError as error:
        raise AskError("asking the wire needs CAP_NET_RAW: run as root") from error
    except OSError as error:
        raise AskError(f"cannot ask on {nic.name}: {error.strerror or error}") from error
    return found


class _Asking:
    """A socket for each IP version that is asked for."""

    def __init__(self, nic: Nic, targets: list[str]) -> None:
        self._mac = nic.mac
        self._sockets: dict[socket.socket, tuple[Questions, list[str]]] = {}
        self._selector = selectors.DefaultSelector()
        for version in (4, 6):
            wanted = [target for target in targets if ip_address(target).version == version]
            if wanted:
                own = ip_address(nic.address).version == version
                self._open(nic, Questions(nic.mac, nic.address if own else nobody(wanted[0])), wanted)

    def _open(self, nic: Nic, questions: Questions, targets: list[str]) -> None:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(questions.ethertype))
        self._sockets[sock] = (questions, targets)
        sock.bind((nic.name, questions.ethertype))
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        for sock in self._sockets:
            sock.close()

    def round(self, found: dict[str, Answers], until_s: float) -> None:
        """Each question once, and what is answered until then."""
        for sock, (questions, targets) in self._sockets.items():
            for target in targets:
                sock.send(questions.about(target))
                found[target].asked += 1
        this_time: dict[str, set[str]] = {target: set() for target in found}
        # Past the end what has come is still read: this thread may have stood still meanwhile.
        while ready := self._selector.select(max(0.0, until_s - time.monotonic())):
            for key, _ in ready:
                sock = cast(socket.socket, key.fileobj)
                self._take(self._sockets[sock][0].answer(sock.recv(_FRAME_MAX)), found, this_time)

    def _take(self, answer: tuple[str, str] | None, found: dict[str, Answers], this_time: dict[str, set[str]]) -> None:
        if answer is None or answer[0] not in found or answer[1] == self._mac:
            return
        target, mac = answer
        answers, macs = found[target], this_time[target]
        if mac not in macs:
            macs.add(mac)
            answers.macs[mac] = answers.macs.get(mac, 0) + 1
            answers.at_once += len(macs) == 2


def _nic(link: Any, own: list[str], target: str) -> Nic:  # noqa: ANN401 - pyroute2 is untyped
    wanted = ip_address(target)
    # A virtual IP bound here as /32 or /128 is no address to ask from.
    matching = [ip_interface(a) for a in own if wanted in ip_interface(a).network and ip_interface(a).ip != wanted]
    address = str(matching[0].ip) if matching else nobody(target)
    addresses = tuple(a.partition("/")[0] for a in own)
    has_carrier = bool(link.get_attr("IFLA_CARRIER"))
    return Nic(link.get_attr("IFLA_IFNAME"), link.get_attr("IFLA_ADDRESS"), address, addresses, has_carrier)
