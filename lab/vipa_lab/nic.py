"""A network adapter of a lab machine: name, MAC, addresses, and the switch port at the other end of its cable."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

from vipa_lab.errors import LabError

if TYPE_CHECKING:
    from vipa_lab.host import Host
    from vipa_lab.switch import Port

# include/uapi/linux/if_addr.h: no duplicate address detection, so an IPv6 address works at once.
_IFA_F_NODAD: Final = 0x02


class Nic:
    """``addresses`` are "10.1.1.4/24" style; ``port`` is where most faults are injected."""

    def __init__(self, host: Host, name: str, mac: str, addresses: tuple[str, ...], port: Port) -> None:
        self.host = host
        self.name = name
        self.mac = mac
        self.port = port
        self.index = 0
        self._addresses = list(addresses)

    @property
    def address(self) -> str:
        """The first address, without prefix length."""
        return self._first(self._addresses, "")

    @property
    def address6(self) -> str:
        """The first IPv6 address, without prefix length."""
        return self._first([address for address in self._addresses if ":" in address], "IPv6 ")

    def add_address(self, address: str, *, dad: bool = False) -> None:
        """Bind ``address`` ("10.1.1.7/32"); it comes back after a boot, as configured addresses do. ``dad``: an IPv6
        address is looked for on the LAN first, where the machine's ``accept_dad`` is on; after a boot it is not."""
        self._addresses.append(address)
        self._change_address("add", address, dad=dad)

    def remove_address(self, address: str) -> None:
        """Inverse of :meth:`add_address`."""
        self._addresses.remove(address)
        self._change_address("del", address)

    def set_admin(self, *, up: bool) -> None:
        """What ``ip link set <nic> up|down`` does on the machine itself; and as network managers do, its IPv6 addresses
        come back with it (the kernel drops them with the link)."""
        state = "up" if up else "down"
        self.host.namespace.netlink(lambda ipr: ipr.link("set", index=self.index, state=state))
        if up:
            for address in self._addresses:
                if ":" in address:
                    self._change_address("replace", address)

    def carrier(self) -> bool:
        """Whether the kernel of this machine sees a link."""
        links = self.host.namespace.netlink(lambda ipr: ipr.link("get", index=self.index))
        return bool(links[0].get_attr("IFLA_CARRIER"))

    def is_operational(self) -> bool:
        """Whether the kernel has finished bringing the link up (operstate; it may lag the carrier by a second)."""
        links = self.host.namespace.netlink(lambda ipr: ipr.link("get", index=self.index))
        return bool(links[0].get_attr("IFLA_OPERSTATE") == "UP")

    def send(self, frame: bytes) -> None:
        """Put a whole Ethernet frame onto the wire as it is: forged announcements, heartbeats, garbage."""

        def write() -> None:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
                sock.bind((self.name, 0))
                sock.send(frame)

        self.host.namespace.call(write)

    def delete(self) -> None:
        """The interface disappears from the machine, as when a driver is unloaded."""
        self.host.namespace.netlink(lambda ipr: ipr.link("del", index=self.index))
        self.port.unplug()

    def recreate(self, mac: str | None = None) -> None:
        """Inverse of :meth:`delete`: same name, port and addresses, a new ifindex, and a new MAC when one is given."""
        if mac is not None:
            self.mac = mac
        self.plug_in()

    def plug_in(self) -> None:
        """Make the interface and its cable, set it up and bind its addresses."""
        self.index = self.host.lab.next_index()
        self.port.switch.attach(self.port, self.index, self.mac, self.name, self.host.namespace.fd)
        self.host.configure_nic(self)
        self.host.namespace.netlink(lambda ipr: ipr.link("set", index=self.index, state="up"))
        for address in self._addresses:
            self._change_address("add", address)

    def _change_address(self, command: str, address: str, *, dad: bool = False) -> None:
        ip, _, length = address.partition("/")
        if not length:
            raise LabError(f"address {address!r} has no prefix length: write {ip}/32 or {ip}/24")
        more: dict[str, Any] = {"flags": _IFA_F_NODAD} if ":" in ip and command != "del" and not dad else {}
        self.host.namespace.netlink(
            lambda ipr: ipr.addr(command, index=self.index, address=ip, prefixlen=int(length), **more)
        )

    def _first(self, addresses: list[str], what: str) -> str:
        if not addresses:
            raise LabError(f"{self.host.name} {self.name} has no {what}address")
        return addresses[0].partition("/")[0]
