"""``make bench-bgp``: what remote clients behind a router that speaks BGP lose, with BFD and without.

w1 holds the virtual IP with two adapters, each with a session of its own to the router; w2 is the spare. Clients behind
the router send datagrams by several ports, so that the router spreads them over both adapters; the outage of a run is
the longest of any of them. One lab for all runs of a case; the fault falls on a random moment of the beats.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from records import ROOT
from vipa_lab.bgp_lab import BgpRouter
from vipa_lab.fleet import Fleet
from vipa_lab.lab import Lab
from vipa_lab.probe import Probe
from vipa_lab.results import ProbeResult
from vipa_lab.until import until

RUNS: Final = ROOT / "build/bench/bgp.jsonl"
W1: Final = ("10.1.1.4", "10.1.1.5")
PERIOD_MS: Final = 4.0
PROBES: Final = 4
"""All on one adapter in one of eight runs; such a run of the other adapter's loss is void."""
AFTER_S: Final = 1.5
HOLD_S: Final = 9
WAIT_S: Final = 60.0
SPREAD_S: Final = 0.2
"""The fault comes at any moment of it: ten beats, four BFD packets."""


class Run(msgspec.Struct, frozen=True):
    """One fault. ``outage_ms``: the longest of any client; ``old_ms``: until the router's kernel no longer sent to what
    had failed; ``void``: a probe was late, or no client was on the failed adapter."""

    case: str
    bfd: bool
    outage_ms: float
    old_ms: float
    void: bool


class Bench:
    """A lab with everything up."""

    def __init__(self, lab: Lab, *, bfd: bool) -> None:
        self.fleet = Fleet(lab, timing="Default", failback="{policy: Immediate}")
        self.remote = BgpRouter(lab, self.fleet.scenario, bfd=bfd, hold_s=HOLD_S)
        self.bfd = bfd
        for name in ("w1", "w2"):
            self.start(name)
        self.settle()

    def start(self, name: str) -> None:
        """The agent of this machine."""
        words = ("--log-format", "text", "--bgp", "frr")
        self.fleet.keep(name, self.fleet.node(name).start_agent(self.fleet.folder(name), *words))

    def settle(self) -> None:
        """Until w1 serves by both adapters, and the router uses both."""
        for name in self.remote.frrs:
            self.remote.wait_sessions(name)
        self.remote.wait_next_hops(self.fleet.vip, *W1)
        time.sleep(1.0)  # sessions and elections are quiet again

    @contextmanager
    def probes(self) -> Iterator[list[Probe[ProbeResult]]]:
        """Clients that are answered, until the block ends."""
        probes = [self.remote.client.udp_probe(self.fleet.vip, period_ms=PERIOD_MS) for _ in range(PROBES)]
        for probe in probes:
            until(probe.answers(50), "clients are answered", WAIT_S)
        yield probes

    def run(self, case: str, fault: Callable[[], object], gone: str) -> Run:
        """``gone``: the next hop that the fault takes."""
        with self.probes() as probes:
            time.sleep(random.uniform(0.0, SPREAD_S))
            at_s = time.monotonic()
            fault()
            until(lambda: gone not in self.remote.next_hops(self.fleet.vip), f"{gone} is left", WAIT_S)
            old_ms = 1000 * (time.monotonic() - at_s)
            time.sleep(AFTER_S)
            results = [probe.stop() for probe in probes]
        outages = [max(result.outages, key=lambda o: o.ms, default=None) for result in results]
        worst = max((o for o in outages if o is not None), key=lambda o: o.ms, default=None)
        void = worst is None or worst.void
        return Run(case, self.bfd, round(worst.ms, 1) if worst else 0.0, round(old_ms, 1), void)

    def path_dies(self, nic: str) -> Run:
        """The link stays up; nobody is told."""
        port = self.fleet.nic(f"w1/{nic}").port
        run = self.run(f"{nic}: path dies", port.block, W1[nic == "eth2"])
        port.unblock()
        self.settle()
        return run

    def node_dies(self) -> Run:
        """Power off, and a boot afterwards."""
        run = self.run("node dies", lambda: self.fleet.power_off("w1"), W1[0])
        self.fleet.boot("w1")
        self.remote.frrs["w1"].start()
        self.start("w1")
        self.settle()
        return run


CASES: Final[dict[str, Callable[[Bench], Run]]] = {
    "eth1": lambda bench: bench.path_dies("eth1"),
    "eth2": lambda bench: bench.path_dies("eth2"),
    "node": lambda bench: bench.node_dies(),
}


def main() -> int:
    """Exit code 0: all runs are there, of which a table is printed."""
    options = _parse(sys.argv[1:])
    for name in options.case or CASES:
        for bfd in options.bfd or (True, False):
            _measure(name, bfd, options.n)
    for line in table(read()):
        print(line)
    return 0


def _measure(name: str, bfd: bool, wanted: int) -> None:
    good: list[Run] = []
    with Lab() as lab:
        bench = Bench(lab, bfd=bfd)
        while len(good) < wanted:
            run = CASES[name](bench)
            print(msgspec.json.encode(run).decode(), flush=True)
            RUNS.parent.mkdir(parents=True, exist_ok=True)
            with RUNS.open("ab") as lines:
                lines.write(msgspec.json.encode(run) + b"\n")
            if not run.void:
                good.append(run)


def read(path: Path = RUNS) -> list[Run]:
    """All runs so far."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [msgspec.json.decode(line, type=Run) for line in lines]


def table(runs: Sequence[Run]) -> Iterator[str]:
    """Markdown: a line for each case and both kinds of sessions."""
    yield "| what fails | sessions | n | outage: median | p95 | max ms | old next hop gone: median | max ms | void |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for case, bfd in dict.fromkeys((run.case, run.bfd) for run in runs):
        those = [run for run in runs if (run.case, run.bfd) == (case, bfd)]
        good = [run for run in those if not run.void]
        outage, old = sorted(r.outage_ms for r in good), sorted(r.old_ms for r in good)
        how = "BFD 50 ms × 3" if bfd else f"hold time {HOLD_S} s"
        if good:
            figures = f"{_at(outage, 0.5):.0f} | {_at(outage, 0.95):.0f} | {outage[-1]:.0f}"
            yield (
                f"| {case} | {how} | {len(good)} | {figures} "
                f"| {_at(old, 0.5):.0f} | {old[-1]:.0f} | {len(those) - len(good)} |"
            )


def _at(values: list[float], part: float) -> float:
    """Nearest rank."""
    return values[min(max(int(len(values) * part + 0.999999) - 1, 0), len(values) - 1)]


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/bgp.py", description=__doc__)
    parser.add_argument("--n", type=int, default=30, help="good runs of each case (30)")
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this; repeatable")
    parser.add_argument("--bfd", action=argparse.BooleanOptionalAction, help="only with, or only without")
    given = parser.parse_args(arguments)
    given.bfd = None if given.bfd is None else (given.bfd,)
    return given


if __name__ == "__main__":
    sys.exit(main())
