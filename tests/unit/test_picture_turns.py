"""The status document of thousands of virtual IPs lets the loop have its turns."""

import asyncio

from unit.fakes.net import Net
from vipa_agent import picture
from vipa_agent.picture import VIPS_PER_TURN

MANY = 10 * VIPS_PER_TURN


def test_the_loop_has_its_turns_while_the_document_is_made() -> None:
    net = Net()
    machine = net.machine("a", 4)
    net.start(*(net.vip(4, 5, name=f"v{n}", address=f"10.2.{n >> 8}.{n & 255}") for n in range(MANY)))

    async def ask() -> tuple[int, int]:
        turns = 0

        async def beat() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        beating = asyncio.create_task(beat())
        document = await picture.status(machine.elector, "boot")
        beating.cancel()
        return len(document["vips"]), turns

    told, turns = asyncio.run(ask())
    assert told == MANY
    assert turns >= MANY / VIPS_PER_TURN
