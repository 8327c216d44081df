"""The cold client of IPv6: a neighbour solicitation for the virtual IP each N ms; who answers, and when
(:mod:`vipa_lab.asker`).

``python -m vipa_lab.nd_asker --interface eth1 --ip fd00:a01:1::1 --target fd00:a01:1::7``; SIGTERM ends it. ``--form``
unicast asks one MAC as a client does that verifies a neighbour it knows, dad as a host does before it takes an address.
The answer to dad goes to all nodes, as an announcement does: whoever announces meanwhile counts as answering.
"""

from typing import get_args

from vipa_lab import nd
from vipa_lab.asker import arguments, ask, open_raw


def main() -> None:
    """Entry point."""
    parser = arguments(__doc__)
    parser.add_argument("--form", choices=get_args(nd.Form), default="multicast")
    parser.add_argument("--to-mac", default="", help="whom the unicast form asks")
    options = parser.parse_args()
    sock, mac = open_raw(options.interface, nd.ETH_P_IPV6)
    receiver = nd.group_mac(nd.ALL_NODES) if options.form == "dad" else mac

    def answer(data: bytes) -> str | None:
        frame = nd.parse(data)
        if frame is None or (frame.kind, frame.target, frame.destination) != ("advertise", options.target, receiver):
            return None
        return frame.mac

    ask(options, "nd", sock, nd.solicit(mac, options.ip, options.target, options.form, options.to_mac), answer)


if __name__ == "__main__":
    main()
