"""What the kernel layer costs, alone and beside a ruleset the size of kube-proxy's. ``pytest -s`` prints the figures
that docs/design/0003-kernel.md quotes; the bounds here are wide, since they must hold on a busy machine."""

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from vipa_agent.kernel.flips import renewal
from vipa_agent.kernel.kernel import Kernel
from vipa_agent.kernel.libnftables import Nft
from vipa_agent.kernel.nfnl import NftSocket
from vipa_lab.kernel_rig import CLAIM_S, LONG_S, add_node
from vipa_lab.lab import Lab
from vipa_lab.within import inside

VIPS = tuple(f"10.1.{n // 250 + 2}.{n % 250 + 1}" for n in range(2000))
OWN = (("eth1", "10.1.1.4/16"), ("eth2", "10.1.1.5/16"))
CHAINS, SETS = 4000, 1000


@pytest.fixture
def kernel(lab: Lab) -> Iterator[Kernel]:
    """A kernel layer on a node with two NICs; this thread stays in the node's network for the test."""
    node = add_node(lab, lab.add_switch(), OWN)
    lab.settle()
    with inside(node):
        made = Kernel(lambda _i, _until: None, lambda _i: None)
        yield made
        made.close()


def measure(what: str, function: Callable[[], object], times: int) -> float:
    """Median microseconds of CPU-bound calls; printed with p95 and the longest."""
    taken_us: list[float] = []
    for _ in range(times):
        begun_s = time.perf_counter()
        function()
        taken_us.append((time.perf_counter() - begun_s) * 1e6)
    taken_us.sort()
    median_us = statistics.median(taken_us)
    print(f"{what}: median {median_us:.0f} µs, p95 {taken_us[int(times * 0.95)]:.0f}, max {taken_us[-1]:.0f}")
    return median_us


def foreign_ruleset() -> None:
    lines = ["add table ip kube"]
    lines += [
        f"add set ip kube s{n} {{ type ipv4_addr; elements = {{ 10.{n // 250}.{n % 250}.1 }} }}" for n in range(SETS)
    ]
    lines += [f"add chain ip kube c{n}\nadd rule ip kube c{n} ip daddr 10.0.0.1 counter" for n in range(CHAINS)]
    subprocess.run(["nft", "-f", "-"], input="\n".join(lines), text=True, check=True)


def test_flips_cost_the_same_beside_a_large_ruleset(kernel: Kernel) -> None:
    kernel.guard(VIPS[:1], OWN)
    kernel.bind(VIPS[:1], ("eth1", "eth2"))
    sock, nft, renew = NftSocket(), Nft(), renewal("eth1", LONG_S)
    triple = "delete element arp vipa alive { eth1 }; add element arp vipa alive { eth1 timeout 60s }"
    sides = ["eth1", "eth2"]

    def claim() -> None:
        assert kernel.begin_claim(VIPS[:1], CLAIM_S)

    def take() -> None:
        claim()
        kernel.permit(VIPS[:1], sides[0], LONG_S)

    def move() -> None:
        assert kernel.move(VIPS[:1], sides[0], sides[1], LONG_S)[0]
        sides.reverse()

    medians: dict[str, float] = {}
    for side in ("alone", f"beside {CHAINS} chains and {SETS} sets"):
        if side != "alone":
            foreign_ruleset()
        measure(f"begin_claim {side}", claim, 300)
        take()
        medians[f"renew {side}"] = measure(f"renewal {side}", lambda: sock.commit(renew), 1000)
        assert not sock.commit(renew)
        medians[f"nft {side}"] = measure(f"the same by libnftables {side}", lambda: nft.run(triple), 30)
        measure(f"claim + permit {side}", take, 300)
        measure(f"move {side}", move, 300)
        measure(f"guard, unchanged {side}", lambda: kernel.guard(VIPS[:1], OWN), 30)
        sides.sort()
        if side == "alone":
            kernel.revoke(VIPS[:1], "eth1")
            kernel.revoke(VIPS[:1], "eth2")
    nft.close()
    sock.close()
    beside = {what.split()[0]: us for what, us in medians.items() if "beside" in what}
    assert beside["renew"] < beside["nft"] / 3


def test_two_thousand_virtual_ips(kernel: Kernel) -> None:
    begun_s = time.perf_counter()
    kernel.guard(VIPS, OWN)
    guarded_s = time.perf_counter()
    kernel.bind(VIPS, ("eth1", "eth2"))
    bound_s = time.perf_counter()
    for vip in VIPS:
        assert kernel.begin_claim((vip,), CLAIM_S)
        kernel.permit((vip,), "eth1", LONG_S)
    taken_s = time.perf_counter()
    print(f"2,000 virtual IPs: guard {guarded_s - begun_s:.3f} s, bind on 2 NICs {bound_s - guarded_s:.3f} s, ", end="")
    print(f"claim + permit one by one {taken_s - bound_s:.3f} s")

    def one_less_or_more() -> None:
        kernel.guard(VIPS[len(kernel.vips()) % 2 ^ 1 :], OWN)

    kernel.unbind(VIPS[:1])
    measure("guard, one VIP less or more", one_less_or_more, 6)
    measure("snapshot beside 4,000 addresses", kernel.snapshot, 10)
    measure("poll of two NICs", lambda: kernel.links.poll((101, 102)), 1000)
    sock, renew = NftSocket(), renewal("eth1", LONG_S)
    measure("renewal with 2,000 elected", lambda: sock.commit(renew), 1000)
    sock.close()
    assert taken_s - begun_s < 30
    kernel.clean_up()
