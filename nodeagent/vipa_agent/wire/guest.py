"""The packet sockets of one bridge: asks guests behind it, by ARP and neighbour discovery, and hears what they say."""

from contextlib import ExitStack, suppress
from typing import Final

from vipa import frames, frames6
from vipa_agent.wire import bpf
from vipa_agent.wire.nic import Nic, open_socket

READ_MAX: Final = 256
"""Frames read in one go, of each kind: what guests shout must not keep the loop from its timers."""


class GuestSocket:
    """Open sockets on the bridge ``nic``; another ifindex or MAC needs a new one. OSError as of
    :class:`vipa_agent.wire.nic.NicSocket`."""

    def __init__(self, nic: Nic) -> None:
        self.nic = nic
        mac = frames.pack_mac(nic.mac)
        with ExitStack() as undo:
            arp = bpf.arp_filter(nic.ifindex, mac)
            self._arp = undo.enter_context(open_socket(nic, frames.ETHERTYPE_ARP, arp))
            nd = bpf.nd_filter(nic.ifindex, mac)
            self._nd = undo.enter_context(open_socket(nic, frames6.ETHERTYPE_IPV6, nd))
            self._resources = undo.pop_all()

    def close(self) -> None:
        """Close the sockets."""
        self._resources.close()

    def filenos(self) -> tuple[int, int]:
        """File descriptors to wait on."""
        return self._arp.fileno(), self._nd.fileno()

    def ask(self, address: str, sender_address: str, mac: str = "") -> None:
        """Ask who has ``address``: everyone, or only ``mac``. What cannot be sent is an answer that does not come."""
        with suppress(OSError):
            if ":" in address:
                self._nd.send(frames6.solicitation(self.nic.mac, sender_address, address, mac))
            else:
                to = mac or frames.BROADCAST_MAC
                self._arp.send(frames.arp_request(self.nic.mac, sender_address, address, to))

    def heard(self) -> dict[str, str]:
        """Who said anything of itself since the last look: MAC by address."""
        found: dict[str, str] = {}
        for sock, parse in ((self._arp, frames.parse_arp), (self._nd, frames6.parse_nd)):
            for _ in range(READ_MAX):
                try:
                    frame = sock.recv(2048)
                except BlockingIOError:
                    break
                except OSError:
                    continue  # ENETDOWN, told once when the bridge goes down
                said = parse(frame)
                if said is not None and said.sender_address:
                    found[said.sender_address] = said.sender_mac
        return found
