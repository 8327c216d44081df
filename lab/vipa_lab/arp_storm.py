"""A station that fills the LAN with ARP: what a broken switch, a scanner, or somebody who wants the address sends.

``python -m vipa_lab.arp_storm --interface eth1 --kind others --per-second 1000 --vip 10.1.1.7``; SIGTERM ends it. It
keeps its rate by sending what is due in one go after it was held up, and says at its end how much it sent.
"""

import argparse
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Final

from vipa_lab import arp
from vipa_lab.host import Host
from vipa_lab.pacing import Stop
from vipa_lab.process import Process

READY: Final = "storming"
STRANGER: Final = "02:76:69:70:ff:01"
"""Sender MAC of what is forged with one MAC."""

# A frame each millisecond needs a wake-up each: every other millisecond is as even as a busy machine can keep.
_TICK_S: Final = 0.002
# Strangers in a subnet of their own: no kernel of the lab has entries for them, and none answers.
_FIRST_STRANGER: Final = int(IPv4Address("10.1.200.1"))
_STRANGERS: Final = 500


class Kind(StrEnum):
    """What it sends."""

    OTHERS = "others"
    """In turn: requests of strangers for strangers, replies between them, announcements of their own addresses."""
    FORGED = "forged"
    """Announcements of the virtual IP, both forms, from one MAC."""
    FORGED_MANY = "forged-many"
    """The same from hundreds of MACs."""


def frames(kind: Kind, vip: str) -> Iterator[bytes]:
    """Without end."""
    number = 0
    while True:
        which = number // 3 % _STRANGERS
        mac = STRANGER if kind is Kind.FORGED else _mac(which)
        stranger = str(IPv4Address(_FIRST_STRANGER + which))
        if kind is not Kind.OTHERS:
            yield arp.announcement(mac, vip, reply_form=bool(number % 2))
        elif number % 3 == 0:
            yield arp.who_has(mac, stranger, str(IPv4Address(_FIRST_STRANGER + (which + 1) % _STRANGERS)))
        else:
            yield arp.announcement(mac, stranger, reply_form=number % 3 == 1)
        number += 1


def senders() -> frozenset[str]:
    """Every MAC that forges."""
    return frozenset((STRANGER, *map(_mac, range(_STRANGERS))))


def _mac(which: int) -> str:
    return f"02:76:69:70:{0xF0 + which // 250:02x}:{which % 250:02x}"


def start(host: Host, kind: Kind, vip: str, *, per_second: int = 1000, nic: str = "eth1") -> Process:
    """Run it on ``host`` until it is terminated or killed."""
    words = ["--interface", nic, "--kind", kind, "--vip", vip, "--per-second", str(per_second)]
    storm = host.start([sys.executable, "-m", "vipa_lab.arp_storm", *words], "storm")
    storm.wait_output(READY, 20.0)
    return storm


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interface", required=True)
    parser.add_argument("--kind", type=Kind, choices=list(Kind), required=True)
    parser.add_argument("--vip", required=True)
    parser.add_argument("--per-second", type=int, default=1000)
    options = parser.parse_args()
    stop, sent = Stop(), 0
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((options.interface, 0))
        sys.stdout.write(READY + "\n")
        sys.stdout.flush()
        start_s = time.monotonic()
        for frame in frames(options.kind, options.vip):
            while not stop and sent >= (time.monotonic() - start_s) * options.per_second:
                time.sleep(_TICK_S)
            if stop:
                break
            with suppress(OSError):  # the own link is down: what the LAN does not see is part of the storm all the same
                sock.send(frame)
            sent += 1
    sys.stdout.write(f"sent {sent} in {time.monotonic() - start_s:.1f} s\n")


if __name__ == "__main__":
    main()
