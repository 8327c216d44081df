"""What a switch does not carry: the state of all cuts, splits and losses, and its rendering as nft rules.

Pure: the switch keeps one :class:`Cuts`, changes it and applies :func:`render` as a whole, so every fault has an
inverse and no rule can be left behind.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

Direction = Literal["to_nic", "from_nic"]

_DIRECTION_MATCH: Final[dict[Direction, str]] = {"to_nic": "oifname", "from_nic": "iifname"}
# Loss is decided in parts of 1,000, so that 0.1 % can be said.
_LOSS_PARTS: Final = 1000


@dataclass
class Cuts:
    """Ports are named by their interface name in the switch.

    blocked: ports nothing passes through. pairs: (from, to) that is not carried. silent: (port, direction) that is cut
    towards everybody. loss_percent: (port, direction) -> share of frames dropped at random, 0-100.
    """

    blocked: set[str] = field(default_factory=set)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    silent: set[tuple[str, Direction]] = field(default_factory=set)
    loss_percent: dict[tuple[str, Direction], float] = field(default_factory=dict)

    def heal_port(self, port: str) -> None:
        """Forget cuts and losses of one port in both directions; pairs stay."""
        self.silent = {cut for cut in self.silent if cut[0] != port}
        self.loss_percent = {key: share for key, share in self.loss_percent.items() if key[0] != port}


def render(cuts: Cuts) -> str:
    """The nft script that makes a bridge behave so, replacing what was there, in one transaction."""
    rules = [f'iifname "{source}" oifname "{target}" drop' for source, target in sorted(cuts.pairs)]
    rules += [f'{match} "{port}" drop' for port in sorted(cuts.blocked) for match in _DIRECTION_MATCH.values()]
    rules += [f'{_DIRECTION_MATCH[direction]} "{port}" drop' for port, direction in sorted(cuts.silent)]
    for (port, direction), percent in sorted(cuts.loss_percent.items()):
        parts = round(percent * _LOSS_PARTS / 100)
        share = f"numgen random mod {_LOSS_PARTS} < {parts} " if parts < _LOSS_PARTS else ""  # nft refuses 1000 < 1000
        if parts:
            rules.append(f'{_DIRECTION_MATCH[direction]} "{port}" {share}drop')
    lines = [
        "add table bridge lab",
        "add chain bridge lab forward { type filter hook forward priority 0; policy accept; }",
        "flush chain bridge lab forward",
        *(f"add rule bridge lab forward {rule}" for rule in rules),
    ]
    return "\n".join(lines) + "\n"
