"""Does one machine reach another? An echo request by a raw socket, for both IP versions."""

import socket
from typing import Final

from vipa_lab.host import Host
from vipa_lab.within import within

ECHO_REQUEST: Final = bytes.fromhex("0800f7ff00000000")
"""ICMP type 8, code 0, checksum, identifier 0, sequence 0 (RFC 792)."""
_ECHO_REQUEST6: Final = bytes.fromhex("8000000000000000")
"""ICMPv6 type 128 (RFC 4443 section 4.1); the kernel fills in the checksum."""
_ECHO_REPLY6: Final = b"\x81"
_TRIES: Final = 6
_WAIT_S: Final = 0.5


def reaches(host: Host, target: str, source: str = "") -> bool:
    """Whether a cold host gets an echo back; several tries, since the first pays for ARP or neighbour discovery."""
    host.flush_neighbours()
    six = ":" in target
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if six else (socket.AF_INET, socket.IPPROTO_ICMP)
    question, at, answer = (_ECHO_REQUEST6, 0, _ECHO_REPLY6) if six else (ECHO_REQUEST, 20, b"\0")
    with within(host, lambda: socket.socket(family, socket.SOCK_RAW, protocol)) as icmp:
        icmp.bind((source, 0))
        icmp.settimeout(_WAIT_S)
        for _ in range(_TRIES):
            try:
                icmp.sendto(question, (target, 0))
                while True:  # an IPv6 socket is shown neighbour discovery too
                    data, sender = icmp.recvfrom(100)
                    if data[at : at + 1] == answer and sender[0] == target:
                        return True
            except (TimeoutError, OSError):
                continue
    return False
