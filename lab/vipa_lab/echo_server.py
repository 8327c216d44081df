"""The service on a node: echoes UDP and TCP on every address, and says which node it is.

UDP: the datagram comes back with the node's name appended, from the address it was sent to (the virtual IP), whatever
the routing table would prefer. TCP: the node's name and a newline as greeting; then every line comes back with the
name and a blank before it. IPv4 and IPv6.
"""

import argparse
import asyncio
import socket
import struct
from typing import Final

from vipa_lab.pacing import ECHO_PORT, Stop, prepare

# include/uapi/linux/in6.h; Python's socket module has the constants but not the struct: address, ifindex.
_PKTINFO: Final = struct.Struct("=16sI")
READY: Final = "ready"
_RECEIVE_MAX: Final = 2048
_STOP_POLL_S: Final = 0.05


def open_udp(port: int) -> socket.socket:
    """A socket for both IP versions that tells the address each datagram was sent to."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    sock.setblocking(False)
    sock.bind(("::", port))
    return sock


def answer_udp(sock: socket.socket, node: bytes) -> None:
    """Answer all datagrams that wait."""
    while True:
        try:
            data, control, _, sender = sock.recvmsg(_RECEIVE_MAX, socket.CMSG_SPACE(_PKTINFO.size))
        except BlockingIOError:
            return
        except OSError:
            continue  # an ICMP error about an earlier reply
        source = [
            # ifindex 0: which interface the reply takes is the node's routing, which is under test.
            (level, kind, _PKTINFO.pack(_PKTINFO.unpack(value)[0], 0))
            for level, kind, value in control
            if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO)
        ]
        try:
            sock.sendmsg([data + node], source, 0, sender)
        except OSError:
            continue  # the address has just moved away or there is no way back: the client sees it as loss


async def answer_tcp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, node: bytes) -> None:
    """Greet, then echo lines until the client goes."""
    try:
        writer.write(node + b"\n")
        while line := await reader.readline():
            writer.write(node + b" " + line)
            await writer.drain()
    except ConnectionError:
        return  # the client reset it, which is its right
    finally:
        writer.close()


async def serve(port: int, node: bytes) -> None:
    """Until SIGTERM."""
    stop = Stop()
    udp = open_udp(port)
    asyncio.get_running_loop().add_reader(udp, answer_udp, udp, node)
    tcp = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, reuse_port=False)

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_tcp(reader, writer, node)

    await asyncio.start_server(greet, sock=tcp)
    print(READY, flush=True)
    while not stop:
        await asyncio.sleep(_STOP_POLL_S)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--node", required=True)
    parser.add_argument("--port", type=int, default=ECHO_PORT)
    options = parser.parse_args()
    prepare()
    asyncio.run(serve(options.port, options.node.encode()))


if __name__ == "__main__":
    main()
