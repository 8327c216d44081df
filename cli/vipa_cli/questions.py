"""One question to the wire, in either IP version: what is sent, and whose answer a frame is."""

from dataclasses import dataclass
from typing import Final

from vipa.frames import ETHERTYPE_ARP, arp_request, parse_arp
from vipa.frames6 import ALL_NODES, ETHERTYPE_IPV6, UNSPECIFIED, parse_nd, solicitation

# RFC 5227 section 2.1.1: a question from nobody in particular.
_NO_ADDRESS: Final = "0.0.0.0"


def nobody(target: str) -> str:
    """Whom to ask as when one has no address of the target's IP version: who is asked stores nothing."""
    return UNSPECIFIED if ":" in target else _NO_ADDRESS


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions of one IP version, from ``mac`` with ``source`` as own address."""

    mac: str
    source: str

    @property
    def ethertype(self) -> int:
        """Of the frames that answer."""
        return ETHERTYPE_IPV6 if ":" in self.source else ETHERTYPE_ARP

    def about(self, target: str) -> bytes:
        """ "Who has ``target``?", to the whole LAN."""
        return (solicitation if ":" in target else arp_request)(self.mac, self.source, target)

    def answer(self, data: bytes) -> tuple[str, str] | None:
        """(address, MAC) when the frame answers one of these questions. Announcements are for everybody, and answer
        nobody's question; but so does the answer to nobody in IPv6, which cannot be told from one."""
        frame = parse_nd(data) if ":" in self.source else parse_arp(data)
        to = ALL_NODES if self.source == UNSPECIFIED else self.source
        if frame is None or not frame.is_reply or frame.target_address != to:
            return None
        return frame.sender_address, frame.sender_mac
