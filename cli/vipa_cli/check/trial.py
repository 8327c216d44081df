"""Does this kernel do what an agent asks of it? Tried with the agent's own tables, in a network namespace that is
thrown away: versions say little, as vendors port features back.

``python -m vipa_cli.check.trial`` prints one JSON object, name of the trial → what the kernel said ("" for yes). It is
a program of its own since becoming root in a user namespace cannot be undone, and needs a process with one thread.
"""

import json
import socket
import sys
from collections.abc import Callable
from typing import Final

from vipa_agent.kernel import marks, ruleset
from vipa_agent.kernel.errors import KernelError
from vipa_agent.kernel.libnftables import Nft
from vipa_lab.errors import LabError
from vipa_lab.privileges import ensure_privileges
from vipa_lab.syscalls import CLONE_NEWNET, unshare

NOT_TRIED: Final = "not tried"
LIBRARY, GATE, PERMIT, FENCE, STEERING, FRAMES = (
    "nftables library",
    "ARP gate",
    "timed permits",
    "egress fence",
    "reply steering",
    "raw frames",
)
# The loopback is there in every namespace, and is always number 1 (net/core/dev.c).
_LOOPBACK: Final = (1, "lo")
_ETH_P_ARP: Final = 0x0806


def run_trials() -> dict[str, str]:
    """Every trial, in order; those that need a failed one say so."""
    unshare(CLONE_NEWNET)
    try:
        nft = Nft()
    except KernelError as error:
        return {LIBRARY: str(error)}
    slots = {1: marks.mark_of(1, marks.DEFAULT_MASK)}
    steering = ruleset.marks(slots, marks.DEFAULT_MASK, forwarded_replies=False)
    return {
        LIBRARY: "",
        GATE: _try(lambda: nft.run(ruleset.gate())),
        PERMIT: _try(lambda: nft.run('add element arp vipa alive { "lo" timeout 500ms }')),
        FENCE: _try(lambda: nft.run(ruleset.devices(dict([_LOOPBACK]), ()))),
        STEERING: _try(lambda: nft.run(steering)),
        FRAMES: _try(_open_raw),
    }


def _open_raw() -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ARP)) as sock:
        sock.bind((_LOOPBACK[1], _ETH_P_ARP))


def _try(trial: Callable[[], None]) -> str:
    try:
        trial()
    except (KernelError, OSError) as error:
        return str(error) or type(error).__name__
    return ""


def main() -> None:
    """Entry point."""
    try:
        ensure_privileges()
        result = run_trials()
    except (LabError, OSError) as error:
        result = {NOT_TRIED: str(error)}
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
