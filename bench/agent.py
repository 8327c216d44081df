"""``make bench-agent``: what one agent costs, and whether its loop holds the beat on busy cores.

Five machines with two adapters each, all agents on this machine's cores: so the figure is the processor time of one
agent, not the machine's. Budget (docs/design/0001-proofs.md): 5 % of one core and 64 MB at Default.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import Final

from agent_figures import Memory, Reading
from agent_lab import Agents, busy_loops, running
from machine import commit, describe
from vipa.timing import Timing
from vipa_lab.errors import LabError

CPU_PERCENT_MAX: Final = 5.0
RSS_MB_MAX: Final = 64.0
# After the last claim: announcements go on for 5 s, and every role is repeated for a while.
CALM_DOWN_S: Final = 6.0

HEADING: Final = (
    "| cores | agent | CPU % (user + system) | beats/s out | in | RSS MB | PSS MB | late ms p50 | p99 | max | wakes/s "
    "| moves |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
)


def main() -> int:
    """Exit code 0: within the budget; 1: not, or nothing measured; 2: usage."""
    options = _parse(sys.argv[1:])
    print(f"{describe()}, commit {commit()}; {options.nodes} agents × {options.nics} NICs, {options.vips} VIPs")
    print(
        f"{options.chains} foreign nft chains; promise on idle cores: {CPU_PERCENT_MAX:g} % of one, {RSS_MB_MAX:g} MB"
    )
    print(f"{options.timing}, {options.seconds} s each; lateness: upper bound of its bucket\n\n{HEADING}", flush=True)
    try:
        with running(options.nodes, options.nics, options.vips, options.timing, options.chains) as agents:
            time.sleep(CALM_DOWN_S)
            good = _measure(agents, options.seconds, "idle")
            with busy_loops(agents.nodes["w1"], os.cpu_count() or 1):
                _measure(agents, options.seconds, "busy")
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"\n{'within' if good else 'NOT within'} {CPU_PERCENT_MAX:g} % and {RSS_MB_MAX:g} MB on idle cores")
    return 0 if good else 1


def _measure(agents: Agents, seconds: int, cores: str) -> bool:
    """Print a line for the holder and for two spares; whether both are within the budget."""
    names = [name for name in ("w1", "w2", list(agents.nodes)[-1]) if name in agents.nodes]
    pids = {name: agents.processes[name].pid for name in names}
    before = {name: Reading.take(pid, agents.metrics(name)) for name, pid in pids.items()}
    start_s = time.monotonic()
    time.sleep(seconds)
    took_s = time.monotonic() - start_s
    good = True
    for name in dict.fromkeys(names):
        memory = Memory.of(pids[name])
        after = Reading.take(pids[name], agents.metrics(name))
        percent = _line(cores, name, before[name], after, memory, took_s)
        good = good and percent <= CPU_PERCENT_MAX and memory.rss_mb <= RSS_MB_MAX
    print(f"load {os.getloadavg()[0]:.1f}", flush=True)
    return good


def _line(cores: str, name: str, before: Reading, after: Reading, memory: Memory, took_s: float) -> float:
    user, system = (
        100 * (b - a) / took_s for a, b in ((before.user_s, after.user_s), (before.system_s, after.system_s))
    )
    late = after.lateness.since(before.lateness)
    sent, received = ((b - a) / took_s for a, b in ((before.sent, after.sent), (before.received, after.received)))
    role = "holder" if name == "w1" else "spare"
    print(
        f"| {cores} | {role} {name} | {user + system:.1f} ({user:.1f} + {system:.1f}) | {sent:.0f} | {received:.0f} "
        f"| {memory.rss_mb:.1f} | {memory.pss_mb:.1f} | {late.at_most_ms(0.5):g} | {late.at_most_ms(0.99):g} "
        f"| {late.at_most_ms(1):g} | {(after.switches - before.switches) / took_s:.0f} "
        f"| {after.transitions - before.transitions:g} |",
        flush=True,
    )
    return user + system


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/agent.py", description=__doc__)
    parser.add_argument("--nodes", type=int, default=5, choices=range(2, 51), metavar="2…50", help="5")
    parser.add_argument("--nics", type=int, default=2, choices=range(1, 5), help="adapters of each, on one LAN (2)")
    parser.add_argument("--vips", type=int, default=1, help="virtual IPs, all held by the first agent (1)")
    parser.add_argument("--chains", type=int, default=0, help="nftables chains of another program on each machine (0)")
    parser.add_argument("--timing", default=Timing.DEFAULT.value, choices=[t.value for t in Timing])
    parser.add_argument("--seconds", type=int, default=20, help="length of each measurement (20)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
