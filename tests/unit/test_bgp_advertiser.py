"""The agent's side of BGP, with its runner and a daemon that speaks bgpd's side: all of it but FRR and the loop."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from unit.fakes.bgpd import Bgpd
from unit.fakes.machine import Machine
from unit.fakes.net import Net
from vipa_agent.bgp.advertiser import CHANGES_MAX, Advertiser
from vipa_agent.bgp.rank import med

VIPS = CHANGES_MAX + 20
DEADLINE_S = 20.0


async def until(look: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not look():
            await asyncio.sleep(0.005)


def holder(net: Net, vips: int = 1) -> Machine:
    """The only node, which serves this many."""
    machine = net.machine("a", 4, 5)
    net.start(*(net.vip(4, 5, name=f"v{i}", address=f"10.1.{2 + i // 250}.{i % 250}") for i in range(vips)))
    net.until(lambda: all(vip.elected for vip in machine.elector.node.vips.values()), 20)
    return machine


def test_more_than_a_message_holds_is_told_and_withdrawn_at_the_end(net: Net, tmp_path: Path) -> None:
    machine, bgpd = holder(net, VIPS), Bgpd(tmp_path)

    async def story() -> None:
        bgp = Advertiser(tmp_path, tmp_path)
        bgp.begin(machine.elector.node, lambda: None)
        await until(lambda: len(bgpd.networks) == VIPS)
        await until(lambda: bgp.view.reason == "NoBgpSession")
        await bgp.finish()

    asyncio.run(story())
    bgpd.close()
    assert bgpd.networks == {}


def test_an_adapter_that_is_lost_makes_what_is_said_newer_and_a_successor_finds_it(net: Net, tmp_path: Path) -> None:
    machine, bgpd = holder(net), Bgpd(tmp_path)

    async def story() -> None:
        bgp = Advertiser(tmp_path, tmp_path)
        bgp.begin(machine.elector.node, lambda: None)
        term = machine.elector.node.vips["v0"].term
        await until(lambda: list(bgpd.meds().values()) == [med(term, 0)])
        machine.interface("eth2", carrier=False)
        bgp.look()
        await until(lambda: list(bgpd.meds().values()) == [med(term, 1)])
        machine.interface("eth2", carrier=True)
        bgp.look()
        await bgp.leave()
        assert list(bgpd.meds().values()) == [med(term, 1)], "one that is back makes nothing older"

    asyncio.run(story())
    bgpd.close()


def test_a_runner_that_stands_still_is_not_waited_for(net: Net, tmp_path: Path) -> None:
    machine, bgpd = holder(net), Bgpd(tmp_path)

    async def story() -> None:
        bgp = Advertiser(tmp_path, tmp_path)
        os.kill(bgp._pid, signal.SIGSTOP)
        bgp.begin(machine.elector.node, lambda: None)
        for number in range(5000):
            machine.elector.node.vips["v0"].term = number
            bgp._dirty = True
            bgp.look()
        await bgp.finish()

    asyncio.run(story())
    bgpd.close()
    assert bgpd.networks == {}
