"""vipa-router's own objects and routes: what is read as such in a kernel that others use too."""

import errno
import socket
import struct
from collections.abc import Sequence

import pytest

from vipa.remote.groups import GROUP_BASE, HOP_BASE, Table, plan
from vipa.remote.hearing import End, Hop, Way
from vipa_agent.kernel.netlink import NETLINK_ROUTE, NetlinkSocket, attribute, attribute_u32
from vipa_agent.kernel.rtnl import RTA_DST, RTM_NEWROUTE, RTMSG
from vipa_router.routes import METRIC, PROTOCOL, RTM_DELNEXTHOP, RTM_NEWNEXTHOP, Routes

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
        self.asked: list[tuple[int, int, bytes]] = []

    def requests(self, wanted: Sequence[tuple[int, int, bytes]]) -> list[int]:
        self.asked += wanted
        return [self.answer(kind, body) for kind, _, body in wanted]

    def answer(self, kind: int, body: bytes) -> int:
        """What it says to one request: 0, or errno."""
        return 0

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


A, B, GONE = Hop("10.1.1.4", "lo"), Hop("10.1.1.5", "lo"), Hop("10.1.1.6", "gone0")
WAYS: dict[str, Way | None] = {"10.1.1.7": (A, B), "10.1.1.8": (A, GONE), "10.1.1.9": End.REFUSED}


class Picky(Kernel):
    """Refuses what has these bytes in it."""

    def __init__(self, *refused: bytes, code: int = errno.EINVAL) -> None:
        super().__init__()
        self._refused, self._code = refused, code

    def answer(self, kind: int, body: bytes) -> int:
        return self._code if any(part in body for part in self._refused) else 0

    def count(self, kind: int) -> int:
        """Requests of this kind."""
        return [asked for asked, _, _ in self.asked].count(kind)


def test_a_next_hop_that_is_refused_holds_up_only_what_leads_to_it() -> None:
    steps, after = plan(Table(), WAYS)
    with Picky() as kernel:
        applied = Routes(kernel).apply(steps, Table(), after)
        assert applied.refused.keys() == {GONE}
        assert "10.1.1.6 by gone0" in applied.refused[GONE]
        assert (kernel.count(RTM_NEWNEXTHOP), kernel.count(RTM_NEWROUTE)) == (3, 2), "two hops, one group; two routes"


def test_a_route_that_is_refused_holds_up_no_other_and_nothing_is_removed_meanwhile() -> None:
    _, there = plan(Table(), {"10.1.1.7": (B,)})
    steps, after = plan(there, {"10.1.1.7": End.REFUSED, "10.1.1.8": (A,)})
    assert steps.drop
    with Picky(socket.inet_aton("10.1.1.7"), code=errno.ENOMEM) as kernel:
        assert Routes(kernel).apply(steps, there, after).refused.keys() == {"10.1.1.7"}
        assert (kernel.count(RTM_NEWROUTE), kernel.count(RTM_DELNEXTHOP)) == (2, 0)


RESILIENT = attribute(3, struct.pack("=H", 1))
ID = attribute_u32(1, GROUP_BASE + 1)


def test_a_kernel_without_resilient_groups_gets_plain_ones() -> None:
    steps, after = plan(Table(), {"10.1.1.7": (A,)})
    with Picky(RESILIENT) as kernel:
        routes = Routes(kernel)
        assert not routes.apply(steps, Table(), after).refused
        assert not routes.resilient


def test_one_group_that_is_refused_says_nothing_of_others() -> None:
    steps, after = plan(Table(), {"10.1.1.7": (A,), "10.1.1.8": (B,)})
    with Picky(ID) as kernel:
        routes = Routes(kernel)
        assert routes.apply(steps, Table(), after).refused.keys() == {"10.1.1.7"}
        assert routes.resilient
        assert kernel.count(RTM_NEWROUTE) == 1
    there = Table({A: HOP_BASE + 1}, {GROUP_BASE + 1: (A,)}, {"10.1.1.7": GROUP_BASE + 1})
    steps, after = plan(there, {"10.1.1.7": (B,)})
    with Picky(RESILIENT) as kernel:
        routes = Routes(kernel)
        assert not routes.apply(steps, there, after).refused, "a plain group from before is changed as one"
        assert routes.resilient
