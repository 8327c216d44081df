"""The cold client: asks "who has the virtual IP?" each N ms and notes who answers, and when (:mod:`vipa_lab.asker`).

``python -m vipa_lab.arp_asker --interface eth1 --ip 10.1.1.1 --target 10.1.1.7``; SIGTERM ends it.
"""

from vipa_lab import arp
from vipa_lab.asker import arguments, ask, open_raw


def main() -> None:
    """Entry point."""
    options = arguments(__doc__).parse_args()
    sock, mac = open_raw(options.interface, arp.ETH_P_ARP)

    def answer(data: bytes) -> str | None:
        frame = arp.parse(data)
        if frame is None or (frame.operation, frame.sender_ip) != (arp.REPLY, options.target):
            return None
        # Announcements in reply form are broadcast: they answer nobody's question.
        return frame.sender_mac if frame.destination == mac else None

    ask(options, "arp", sock, arp.who_has(mac, options.ip, options.target), answer)


if __name__ == "__main__":
    main()
