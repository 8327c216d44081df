"""IPv6 neighbour discovery frames as bytes (RFC 4861): build questions and advertisements, read what passes by."""

import struct
from ipaddress import IPv6Address
from typing import Final, Literal

import msgspec

ETH_P_IPV6: Final = 0x86DD  # include/uapi/linux/if_ether.h
ICMPV6: Final = 58  # RFC 4443
SOLICIT_TYPE: Final = 135  # RFC 4861 section 4.3
ADVERTISE_TYPE: Final = 136
ALL_NODES: Final = "ff02::1"
NOBODY: Final = "::"
"""The source of a question before one has the address: duplicate address detection (RFC 4862)."""

Form = Literal["multicast", "unicast", "dad"]
"""Ways to ask: resolution; verifying a neighbour that is known, at its MAC; and duplicate address detection."""

# Ethernet: destination, source, type. IPv6: version, length, next header, hop limit, source, destination. ICMPv6:
# type, code, checksum, flags, target.
_FRAME: Final = struct.Struct("!6s6sHIHBB16s16sBBHI16s")
_ETHERNET_LEN: Final = 14
_IPV6_LEN: Final = 40
_VERSION: Final = 6 << 28
_HOP_LIMIT: Final = 255  # RFC 4861 section 7.1: what a router passed on is not believed
_SOURCE_LINK: Final = 1  # options, RFC 4861 section 4.6
_TARGET_LINK: Final = 2
_ROUTER: Final = 1 << 31
_SOLICITED: Final = 1 << 30
_OVERRIDE: Final = 1 << 29


class Nd(msgspec.Struct, frozen=True, tag="nd"):
    """One neighbour solicitation or advertisement. MACs as "02:…" text, addresses as canonical text. ``source`` and
    ``destination`` are Ethernet's; ``link_address`` is the option that caches store, "" without one."""

    destination: str
    source: str
    source_ip: str
    destination_ip: str
    kind: Literal["solicit", "advertise"]
    target: str
    link_address: str = ""
    router: bool = False
    solicited: bool = False
    override: bool = False

    @property
    def mac(self) -> str:
        """Whose MAC it is about."""
        return self.link_address or self.source


def build(frame: Nd) -> bytes:
    """The frame as it goes onto the wire."""
    solicit = frame.kind == "solicit"
    option = b""
    if frame.link_address:
        option = struct.pack("!BB6s", _SOURCE_LINK if solicit else _TARGET_LINK, 1, _mac_bytes(frame.link_address))
    flags = frame.router * _ROUTER | frame.solicited * _SOLICITED | frame.override * _OVERRIDE
    message = struct.pack(
        "!BBHI16s", SOLICIT_TYPE if solicit else ADVERTISE_TYPE, 0, 0, flags, IPv6Address(frame.target).packed
    )
    message += option
    addresses = IPv6Address(frame.source_ip).packed + IPv6Address(frame.destination_ip).packed
    checksum = _checksum(addresses + struct.pack("!II", len(message), ICMPV6) + message)
    ethernet = _mac_bytes(frame.destination) + _mac_bytes(frame.source) + struct.pack("!H", ETH_P_IPV6)
    header = struct.pack("!IHBB", _VERSION, len(message), ICMPV6, _HOP_LIMIT)
    return ethernet + header + addresses + message[:2] + struct.pack("!H", checksum) + message[4:]


def parse(data: bytes) -> Nd | None:
    """None for anything but a neighbour solicitation or advertisement that a kernel would take."""
    if len(data) < _FRAME.size:
        return None
    destination, source, ethertype, version, length, header, hops, *rest = _FRAME.unpack_from(data)
    source_ip, destination_ip, kind, code, _, flags, target = rest
    if (ethertype, version >> 28, header, hops, code) != (ETH_P_IPV6, 6, ICMPV6, _HOP_LIMIT, 0):
        return None
    if kind not in (SOLICIT_TYPE, ADVERTISE_TYPE):
        return None
    wanted = _SOURCE_LINK if kind == SOLICIT_TYPE else _TARGET_LINK
    return Nd(
        _mac_text(destination),
        _mac_text(source),
        str(IPv6Address(source_ip)),
        str(IPv6Address(destination_ip)),
        "solicit" if kind == SOLICIT_TYPE else "advertise",
        str(IPv6Address(target)),
        _link_address(data[_FRAME.size : _ETHERNET_LEN + _IPV6_LEN + length], wanted),
        bool(flags & _ROUTER),
        bool(flags & _SOLICITED),
        bool(flags & _OVERRIDE),
    )


def solicit(mac: str, ip: str, target: str, form: Form = "multicast", to_mac: str = "") -> bytes:
    """The question "who has ``target``?" from ``mac``/``ip``. ``to_mac``: whom the unicast form asks. The DAD form has
    neither source address nor option (RFC 4862 section 5.4.2)."""
    group = IPv6Address(int(IPv6Address("ff02::1:ff00:0")) | int(IPv6Address(target)) & 0xFFFFFF)
    asked = target if form == "unicast" else str(group)
    source_ip, link = (NOBODY, "") if form == "dad" else (ip, mac)
    return build(Nd(to_mac or group_mac(asked), mac, source_ip, asked, "solicit", target, link))


def advertisement(mac: str, target: str, *, source_ip: str = "", router: bool = False) -> bytes:
    """Unsolicited, to all nodes: "``target`` is at ``mac``", as after a move."""
    source = source_ip or target
    return build(
        Nd(group_mac(ALL_NODES), mac, source, ALL_NODES, "advertise", target, mac, router=router, override=True)
    )


def group_mac(group: str) -> str:
    """The Ethernet address of a multicast group (RFC 2464 section 7)."""
    return _mac_text(b"\x33\x33" + IPv6Address(group).packed[-4:])


def _link_address(options: bytes, wanted: int) -> str:
    while len(options) >= 8 and options[1]:
        if options[0] == wanted:
            return _mac_text(options[2:8])
        options = options[options[1] * 8 :]
    return ""


def _checksum(data: bytes) -> int:
    """RFC 1071; never 0, which adding up to 0xFFFF would give."""
    even = data + b"\0" * (len(data) % 2)
    return -int.from_bytes(even, "big") % 0xFFFF or 0xFFFF


def _mac_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _mac_text(data: bytes) -> str:
    return data.hex(":")
