"""What captured frames say of addresses: claims for the verdict, and leaks. Pure."""

from collections.abc import Collection, Iterable
from math import inf

from vipa_lab import arp, nd
from vipa_lab.capture import Frame
from vipa_lab.verdict import Claim, Kind


def to_claims(frames: Iterable[Frame]) -> list[Claim]:
    """Asks, answers and announcements, as their receivers got them; ``frames`` by time. A unicast answer that a switch
    floods (it has not learnt the port yet) counts only at the port where its receiver was last heard."""
    claims = []
    home: dict[str, str] = {}
    for frame in frames:
        packet = frame.packet
        if frame.way == "in":
            home[packet.source] = frame.port
            if asked := _asked(packet):
                claims.append(Claim(frame.at_s, "ask", asked, frame.port, packet.source))
            continue
        elsewhere = home.get(packet.destination, frame.port) != frame.port
        if (said := _said(packet)) and (_is_group(packet.destination) or not elsewhere):
            kind, address, mac = said
            claims.append(Claim(frame.at_s, kind, address, frame.port, mac))
    return claims


def leaks(
    frames: Iterable[Frame], vip: str, elected: Collection[str], since_s: float = 0.0, until_s: float = inf
) -> list[Frame]:
    """Frames that speak for ``vip`` and came in by a port that is not one of ``elected``, between two CLOCK_MONOTONIC
    seconds: ARP with it as sender, an advertisement of it, or a solicitation *from* it. Nobody need have got them."""
    return [
        frame
        for frame in frames
        if frame.way == "in" and frame.port not in elected and since_s <= frame.at_s <= until_s
        if vip in _spoken_for(frame.packet)
    ]


def _asked(packet: arp.Arp | nd.Nd) -> str:
    if isinstance(packet, nd.Nd):
        return packet.target if packet.kind == "solicit" else ""
    return packet.target_ip if packet.operation == arp.REQUEST and packet.sender_ip != packet.target_ip else ""


def _said(packet: arp.Arp | nd.Nd) -> tuple[Kind, str, str] | None:
    """What whoever gets it may store: an address and its MAC. The answer to duplicate address detection goes to all,
    and so counts as announcement."""
    to_all = _is_group(packet.destination)
    if isinstance(packet, arp.Arp):
        return (
            "answer" if packet.operation == arp.REPLY and not to_all else "announce",
            packet.sender_ip,
            packet.sender_mac,
        )
    if packet.kind == "advertise":
        return "answer" if packet.solicited and not to_all else "announce", packet.target, packet.mac
    # A question tells the asked who asks (RFC 4861 section 7.2.3), unless it is duplicate address detection.
    return ("announce", packet.source_ip, packet.link_address) if packet.link_address else None


def _spoken_for(packet: arp.Arp | nd.Nd) -> tuple[str, ...]:
    if isinstance(packet, arp.Arp):
        return (packet.sender_ip,)
    return (packet.source_ip,) if packet.kind == "solicit" else (packet.target, packet.source_ip)


def _is_group(mac: str) -> bool:
    return bool(int(mac[:2], 16) & 1)  # IEEE 802: the group bit is the first on the wire
