"""vipa-router's own objects and routes: what is read as such in a kernel that others use too."""

import socket
import struct

import pytest

from vipa.remote.hearing import End
from vipa_agent.kernel.netlink import NETLINK_ROUTE, NetlinkSocket, attribute, attribute_u32
from vipa_agent.kernel.rtnl import RTA_DST, RTMSG
from vipa_router.routes import METRIC, PROTOCOL, Routes

UNREACHABLE = 7


def route(address: str, length: int = 32, metric: int | None = METRIC, protocol: int = PROTOCOL) -> bytes:
    head = RTMSG.pack(socket.AF_INET, length, 0, 0, 254, protocol, 0, UNREACHABLE, 0)
    to = attribute(RTA_DST, socket.inet_aton(address)) if address else b""
    return head + to + (attribute_u32(6, metric) if metric is not None else b"")


class Kernel(NetlinkSocket):
    """Has these routes and nothing else."""

    def __init__(self, *routes: bytes) -> None:
        super().__init__(NETLINK_ROUTE)
        self._routes = list(routes)

    def dump(self, kind: int, body: bytes, what: str, *, fine: object = ()) -> list[bytes]:
        (family,) = struct.unpack_from("=B", body)
        return self._routes if family == socket.AF_INET else []


@pytest.mark.parametrize(
    "foreign",
    [
        route("", 0),
        route("", 0, None),
        route("10.1.1.0", 24),
        route("10.1.1.7", metric=5),
        route("10.1.1.7", metric=None),
        route("10.1.1.7", protocol=4),
    ],
    ids=["default", "bare-default", "prefix", "metric", "no-metric", "protocol"],
)
def test_routes_of_others_are_nobodys_business(foreign: bytes) -> None:
    with Kernel(foreign, route("10.1.1.8")) as kernel:
        assert Routes(kernel).read().routes == {"10.1.1.8": End.REFUSED}
