"""Interfaces as the kernel reports them: events, snapshots, the poll; and a run with the agent's rights."""

import select
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from vipa.election.events import LocalInterface
from vipa_agent.kernel.kernel import Kernel
from vipa_agent.kernel.links import LinkEvents
from vipa_agent.nics import ALERT_POLL_S, ALERT_S, POLL_EARLY_S, POLL_S, Nics
from vipa_lab.kernel_rig import OWN, VIP, add_node
from vipa_lab.lab import Lab
from vipa_lab.node import Node
from vipa_lab.process import AGENT_CAPABILITIES
from vipa_lab.until import SOON_S, until
from vipa_lab.within import within

QUIET_S = 0.2

AGENT = """
from vipa_agent.kernel.kernel import Kernel
kernel = Kernel(lambda i, u: None, lambda i: None, forwarded_replies=True)
own = (("eth1", "10.1.1.4/24"), ("eth2", "10.1.1.5/24"))
kernel.guard(("10.1.1.7",), own)
kernel.bind(("10.1.1.7",), ("eth1", "eth2"))
for _ in range(50):
    assert kernel.begin_claim(("10.1.1.7",), 0.1)
    if kernel.permit(("10.1.1.7",), "eth2", 60.0)[0]:
        break
else:
    raise SystemExit("no permit")
assert kernel.move(("10.1.1.7",), "eth2", "eth1", 60.0)[0]
kernel.renew({"eth1": 60.0})
assert [held.interface for held in kernel.held()] == ["eth1"]
kernel.guard(("10.1.1.7",), own)
CLEAN_UP
kernel.close()
"""


@pytest.fixture
def node(lab: Lab) -> Node:
    made = add_node(lab, lab.add_switch())
    lab.settle()
    return made


@pytest.fixture
def kernel(node: Node) -> Iterator[Kernel]:
    made = within(node, lambda: Kernel(lambda _i, _until: None, lambda _i: None))
    yield made
    made.close()


@pytest.fixture
def events(node: Node) -> Iterator[LinkEvents]:
    made = within(node, LinkEvents)
    yield made
    made.close()


def is_quiet(events: LinkEvents) -> bool:
    """Reads what is left of earlier changes; True when nothing came for a while."""
    events.drain()
    return not select.select([events], [], [], QUIET_S)[0]


def ipv4_of(link: LocalInterface) -> LocalInterface:
    return replace(link, addresses=tuple(a for a in link.addresses if ":" not in a), link_local="")


def test_a_snapshot_tells_interfaces_without_virtual_ips(node: Node, kernel: Kernel) -> None:
    node.add_route("default", "10.1.1.254")
    kernel.guard((VIP,), OWN)
    kernel.bind((VIP,), ("eth1", "eth2"))
    eth1, eth2 = (ipv4_of(link) for link in kernel.snapshot())
    assert eth1 == LocalInterface("eth1", node.nics["eth1"].mac, ("10.1.1.4/24",), True, True, ("10.1.1.254",))
    assert eth2 == LocalInterface("eth2", node.nics["eth2"].mac, ("10.1.1.5/24",), True, True, ())
    node.nics["eth1"].port.down()
    until(lambda: not kernel.snapshot()[0].carrier)
    node.nics["eth2"].set_admin(up=False)
    assert not kernel.snapshot()[1].up


def test_gateways_of_a_multipath_default_route_are_told(node: Node, kernel: Kernel) -> None:
    hops = [word for nic in ("eth1", "eth2") for word in ("nexthop", "via", "10.1.1.254", "dev", nic)]
    node.run(["ip", "route", "add", "default", *hops])
    assert [link.gateways for link in kernel.snapshot()] == [("10.1.1.254",), ("10.1.1.254",)]


def test_the_poll_sees_carrier_and_deletion(node: Node, kernel: Kernel) -> None:
    indexes = kernel.links.indexes()
    eth1, eth2 = indexes["eth1"], indexes["eth2"]
    assert kernel.links.poll((eth1, eth2)) == {eth1: (True, True), eth2: (True, True)}
    node.nics["eth1"].port.down()
    until(lambda: kernel.links.poll((eth1,)) == {eth1: (True, False)}, timeout_s=0.5)
    node.nics["eth1"].port.up()
    node.nics["eth2"].set_admin(up=False)
    assert kernel.links.poll((eth2,)) == {eth2: (False, False)}
    node.nics["eth2"].delete()
    assert kernel.links.poll((eth1, eth2))[eth2] is None
    assert "eth2" not in kernel.links.indexes()


def test_interfaces_are_polled_often_only_while_events_may_be_late(kernel: Kernel) -> None:
    nics = Nics(kernel, lambda _interfaces: None)

    def next_after(now: float) -> float:
        """How long after a look at ``now`` the next one is due."""
        nics.poll_soon(now)
        return nics.poll_at - now

    assert next_after(99.0) == pytest.approx(POLL_S)
    nics.alert(100.0)
    assert nics.poll_at == pytest.approx(100.0 + ALERT_POLL_S)
    assert next_after(101.0) == pytest.approx(ALERT_POLL_S)
    assert next_after(100.0 + ALERT_S) == pytest.approx(POLL_S)


def test_who_is_awake_polls_early_but_not_at_every_turn(node: Node, kernel: Kernel) -> None:
    told: list[tuple[LocalInterface, ...]] = []
    nics = Nics(kernel, told.append)
    nics.service = frozenset({"eth1"})
    nics.resync()
    nics.poll_soon(100.0)
    told.clear()
    node.nics["eth1"].set_admin(up=False)
    nics.poll_soon(100.0 + POLL_S - POLL_EARLY_S - 0.001)
    assert told == [], "it was looked at a moment ago"
    nics.poll_soon(100.0 + POLL_S - POLL_EARLY_S + 0.001)
    assert [interfaces[0].up for interfaces in told] == [False]


def test_the_poll_is_cheap(kernel: Kernel) -> None:
    indexes = [kernel.links.indexes()[name] for name in ("eth1", "eth2")]
    best_s = min(timed(lambda: kernel.links.poll(indexes)) for _ in range(300))
    assert best_s / len(indexes) < 200e-6  # measured 10-15 µs; wide, for machines that are busy


def timed(function: Callable[[], object]) -> float:
    begun_s = time.perf_counter()
    function()
    return time.perf_counter() - begun_s


def test_events_tell_what_changed(node: Node, kernel: Kernel, events: LinkEvents) -> None:
    kernel.guard((VIP,), OWN)
    until(lambda: is_quiet(events))
    kernel.bind((VIP,), ("eth1",))
    changed = events.drain()
    assert (changed.interfaces, changed.vips) == (False, False), "our own binding is no news"
    node.run(["ip", "addr", "del", f"{VIP}/32", "dev", "eth1"])
    changed = events.drain()
    assert (changed.interfaces, changed.vips) == (False, True)
    for change in (
        ["ip", "link", "set", "eth2", "down"],
        ["ip", "addr", "add", "10.1.1.9/24", "dev", "eth1"],
        ["ip", "route", "add", "default", "via", "10.1.1.254", "dev", "eth1"],
        ["ip", "route", "del", "default"],
    ):
        until(lambda: is_quiet(events))
        node.run(change)
        assert select.select([events], [], [], SOON_S)[0]
        assert events.drain().interfaces, change


def test_lost_events_count_as_a_change_of_everything(node: Node, events: LinkEvents) -> None:
    until(lambda: is_quiet(events))
    routes = "\n".join(f"route add 10.{100 + n // 250}.{n % 250}.0/24 dev eth1" for n in range(3000))
    path = node.run_dir / "routes"
    path.write_text(routes)
    node.run(["ip", "-batch", str(path)])  # none of these matters, but so many overflow the socket
    changed = events.drain()
    assert (changed.interfaces, changed.vips) == (True, True)
    assert is_quiet(events)


@pytest.mark.parametrize("clean_up", [True, False])
def test_net_admin_and_net_raw_are_enough(node: Node, clean_up: bool) -> None:
    """In a process with the agent's two capabilities; a second one cleans up after the first."""
    script = AGENT.replace("CLEAN_UP", "kernel.clean_up()" if clean_up else "")
    process = node.start([sys.executable, "-c", script], "agent", capabilities=AGENT_CAPABILITIES)
    assert process.wait(SOON_S) == 0, process.log.read_text()
    left = node.run(["nft", "list", "ruleset"])
    assert ("vipa" in left) != clean_up
    tidy = "from vipa_agent.kernel.kernel import Kernel\nk = Kernel(print, print)\nk.clean_up()\nk.close()"
    process = node.start([sys.executable, "-c", tidy], "tidy", capabilities=AGENT_CAPABILITIES)
    assert process.wait(SOON_S) == 0, process.log.read_text()
    assert node.run(["nft", "list", "ruleset"]) == ""


def test_without_rights_the_error_says_what_is_missing(node: Node) -> None:
    script = "from vipa_agent.kernel.kernel import Kernel\nKernel(print, print)"
    process = node.start([sys.executable, "-c", script], "agent", capabilities=("net_raw",))
    assert process.wait(SOON_S) != 0
    assert "CAP_NET_ADMIN is needed" in process.log.read_text()
