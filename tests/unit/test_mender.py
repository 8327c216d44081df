"""What is put back, when some of it cannot be."""

import asyncio
from collections.abc import Iterable

from vipa_agent.kernel.errors import KernelError
from vipa_agent.mender import Mender
from vipa_agent.metrics import Metrics

GUEST, OTHER = "10.1.1.7", "10.1.1.8"


class Kernel:
    """The kernel layer, of which addresses were removed; that of the guest cannot be put back: its bridge is gone."""

    def __init__(self) -> None:
        self.missing = {GUEST: frozenset({"eth1"}), OTHER: frozenset({"eth1"})}
        self.tried = 0
        self.ways = ""

    def gone(self) -> frozenset[str]:
        return frozenset()

    def lacking(self) -> str:
        return self.ways

    def lost(self) -> dict[str, frozenset[str]]:
        return self.missing

    def rebind(self, address: str, interfaces: Iterable[str]) -> None:
        if address == GUEST:
            self.tried += 1
            raise KernelError("br0: no such bridge")
        del self.missing[address]


def refused() -> None:
    """The guard, of which a setting is refused."""
    raise KernelError("forwarding of eth2")


def mended(kernel: Kernel, looks: int) -> Mender:
    async def look() -> Mender:
        nothing = lambda: None  # noqa: E731
        service = lambda: frozenset({"eth1"})  # noqa: E731
        mender = Mender(kernel, Metrics(), refused, service, nothing, nothing)  # type: ignore[arg-type]
        for _ in range(looks):
            mender.look()
            mender.stop()
        return mender

    return asyncio.run(look())


def test_one_that_cannot_be_put_back_holds_up_no_other() -> None:
    kernel = Kernel()
    mender = mended(kernel, 1)
    assert kernel.missing == {GUEST: {"eth1"}}
    assert [(r.what, r.reason) for r in mender.repairs.waiting()] == [(f"address {GUEST} on eth1", "KernelRefused")]


def test_it_is_not_tried_in_a_loop() -> None:
    kernel = Kernel()
    mended(kernel, 50)
    assert kernel.tried <= 3


def test_nor_does_a_refused_setting_hold_up_addresses() -> None:
    kernel = Kernel()
    kernel.ways = "forwarding of eth2"
    mended(kernel, 1)
    assert kernel.missing == {GUEST: {"eth1"}}
