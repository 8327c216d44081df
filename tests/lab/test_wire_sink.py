"""The socket that keeps the kernel from answering heartbeats with "port unreachable"."""

import socket
from pathlib import Path

import pytest

from vipa_agent.wire import open_sink
from vipa_lab.host import Host
from vipa_lab.until import until
from vipa_lab.wire_rig import PORT, Wire, after_marker, beat
from vipa_lab.within import inside


def unreachables(where: Host) -> int:
    with inside(where):
        lines = Path("/proc/thread-self/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in lines if line.startswith("Icmp:"))
    return int(values[names.index("OutDestUnreachs")])


def test_the_sink_keeps_the_kernel_from_answering_beats(wire: Wire) -> None:
    b, raw = wire.open_b(), wire.raw_a()
    with inside(wire.b), open_sink(PORT):  # a second one: two agents, during an upgrade
        raw.send(beat())
        assert len(after_marker(b, raw)) == 1
        assert unreachables(wire.b) == 0
    wire.sinks[wire.b, PORT].close()
    raw.send(beat())
    until(lambda: unreachables(wire.b) > 0)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_port_in_other_hands_is_an_error(wire: Wire, family: socket.AddressFamily) -> None:
    wire.sinks[wire.b, PORT].close()
    with inside(wire.b), socket.socket(family, socket.SOCK_DGRAM) as other:
        other.bind(("", PORT))
        with pytest.raises(OSError, match="in use"):
            open_sink(PORT)
