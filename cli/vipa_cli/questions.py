"""One question to the wire, in either IP version: what is sent, and whose answer a frame is."""

from dataclasses import dataclass
from typing import Final

from vipa.frames import ETHERTYPE_ARP, arp_request, parse_arp
from vipa_lab import nd

# RFC 5227 section 2.1.1 and RFC 4862 section 5.4.2: a question from nobody in particular.
_NO_ADDRESS: Final = "0.0.0.0"


def nobody(target: str) -> str:
    """Whom to ask as when one has no address of the target's IP version: who is asked stores nothing."""
    return nd.NOBODY if ":" in target else _NO_ADDRESS


@dataclass(frozen=True, slots=True)
class Questions:
    """Questions of one IP version, from ``mac`` with ``source`` as own address."""

    mac: str
    source: str

    @property
    def ethertype(self) -> int:
        """Of the frames that answer."""
        return nd.ETH_P_IPV6 if ":" in self.source else ETHERTYPE_ARP

    def about(self, target: str) -> bytes:
        """ "Who has ``target``?", to the whole LAN."""
        if ":" not in target:
            return arp_request(self.mac, self.source, target)
        return nd.solicit(self.mac, self.source, target, "dad" if self.source == nd.NOBODY else "multicast")

    def answer(self, data: bytes) -> tuple[str, str] | None:
        """(address, MAC) when the frame answers one of these questions. Announcements are for everybody, and answer
        nobody's question; but so does the answer to nobody in IPv6, which cannot be told from one."""
        if self.ethertype == ETHERTYPE_ARP:
            arp = parse_arp(data)
            if arp is None or not arp.is_reply or arp.target_address != self.source:
                return None
            return arp.sender_address, arp.sender_mac
        frame = nd.parse(data)
        to = nd.ALL_NODES if self.source == nd.NOBODY else self.source
        if frame is None or frame.kind != "advertise" or frame.destination_ip != to:
            return None
        return frame.target, frame.mac
