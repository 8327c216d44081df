"""Rules 7 and 10: two holders hear of each other; this decides who revokes. Pure comparison, the same on both sides."""

from typing import Final, NamedTuple

UNRANKED: Final = 255
"""Rank on the wire of a node without a healthy endpoint in the succession (lists hold at most 64)."""


class Duelist(NamedTuple):
    """One side. ``rank``: index of its endpoint in the succession of ``epoch`` (255: none); ``fit``: not isolated and
    with a healthy endpoint."""

    fit: bool
    epoch: int
    rank: int
    node: str


def wins(mine: Duelist, theirs: Duelist) -> bool:
    """Whether ``mine`` keeps the VIP: fit beats unfit, then the newer epoch, then better rank, then name."""
    return _key(mine) < _key(theirs)


def _key(side: Duelist) -> tuple[bool, int, int, str]:
    # an epoch counts only for those it names
    return (not side.fit, -side.epoch if side.rank != UNRANKED else 1, side.rank, side.node)
