"""A UDP socket that nobody reads: it owns the heartbeat port, so that the kernel does not answer heartbeats.

Heartbeats are read from packet sockets, but the kernel's own IP layer sees them too. Without a socket on the port it
would send an ICMP "port unreachable" for each (rate-limited), and another program could take the port.
"""

import socket

from vipa_agent.wire import bpf


def open_sink(port: int) -> socket.socket:
    """Bind UDP ``port`` on all addresses with a filter that drops everything, so no buffer fills.

    During an upgrade two agents run for a moment: both may bind it. OSError when another program has the port.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bpf.attach(sock, bpf.drop_all())
        sock.bind(("", port))
    except OSError:
        sock.close()
        raise
    return sock
