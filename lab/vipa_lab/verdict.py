"""The verdict "two answerers" over what a switch delivered. Pure.

Judged is what the LAN *delivered*: frames as they left a port towards a receiver. An answer that dies in a blocked port
or a cut misleads nobody and does not count. Three kinds of frame matter for one virtual IP:

- **ask**: an ARP request or neighbour solicitation for it, as it came in from the asker;
- **answer**: an ARP reply from it or a solicited advertisement of it, unicast to the asker;
- **announce**: gratuitous ARP from it, request or reply form, or an advertisement to all. A question that carries it as
  *sender* while asking for something else moves caches in the same way and counts as announce.

Answers and announces are **claims** of the MAC inside the frame, for that is what caches store. For each
receiver alone (scope "receiver"), or for all together (scope "lan", which also sees the two sides of a split):

1. **same request**: between two asks of one asker, answers came from two MACs. The overlap lasts from the first answer
   to the last one that differs from its predecessor.
2. **interleaved**: claims read A … B … A, and A's two claims around B's are at most ``window_ms`` apart. The overlap
   lasts from B's first claim to A's return. A takeover reads A A A B B B and is none. A takeover with failback reads
   like an overlap, but its A … A takes longer than any window worth using: the default is five periods of a 20 ms
   asker, and a true second answerer shows within two.

Overlaps of the same MACs that touch or lie within the window are one. Both rules need answers to look at: start an
asker when no client asks. What is not seen: a second answerer that nobody asks and that announces nothing; it also
misleads nobody.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Final, Literal

import msgspec

Kind = Literal["ask", "answer", "announce"]
Rule = Literal["same request", "interleaved"]
Scope = Literal["receiver", "lan"]

DEFAULT_WINDOW_MS: Final = 100.0


class Claim(msgspec.Struct, frozen=True):
    """One frame about a VIP. ``port``: the receiver's port, for an ask the asker's. ``mac``: the asker's, or the one
    told."""

    at_s: float
    kind: Kind
    vip: str
    port: str
    mac: str


class Overlap(msgspec.Struct, frozen=True):
    """Two MACs answered for one VIP at once, as ``port`` saw it ("" for the whole LAN); ``ms`` may be well below 1."""

    vip: str
    port: str
    start_s: float
    end_s: float
    macs: tuple[str, ...]
    rule: Rule

    @property
    def ms(self) -> float:
        """How long."""
        return (self.end_s - self.start_s) * 1000


def two_answerers(
    claims: Iterable[Claim], vip: str, *, scope: Scope = "receiver", window_ms: float = DEFAULT_WINDOW_MS
) -> list[Overlap]:
    """Every overlap for ``vip``, by start; empty is the promise kept."""
    sequences: dict[str, list[Claim]] = {}
    for claim in sorted((c for c in claims if c.vip == vip), key=lambda c: c.at_s):
        sequences.setdefault(claim.port, []).append(claim)
    if scope == "lan":
        judged = {"": sorted((c for s in sequences.values() for c in s), key=lambda c: c.at_s)}
    else:
        judged = sequences
    found = []
    for port, sequence in sequences.items():
        found += _same_request(sequence, port if scope == "receiver" else "")
    for port, sequence in judged.items():
        found += _interleaved(sequence, port, window_ms / 1000)
    return _merge(found, window_ms / 1000)


def _same_request(sequence: list[Claim], port: str) -> list[Overlap]:
    found: list[Overlap] = []
    answers: list[Claim] = []
    for claim in [*sequence, None]:
        if claim and claim.kind == "answer":
            answers.append(claim)
        if claim is None or claim.kind == "ask":
            macs = tuple(sorted({answer.mac for answer in answers}))
            if len(macs) > 1:
                changes = [b.at_s for a, b in pairwise(answers) if a.mac != b.mac]
                found.append(Overlap(answers[0].vip, port, answers[0].at_s, changes[-1], macs, "same request"))
            answers = []
    return found


def _interleaved(sequence: list[Claim], port: str, window_s: float) -> list[Overlap]:
    found = []
    last: dict[str, Claim] = {}
    runs: list[Claim] = []  # the first claim of each stretch of claims by one MAC
    for claim in sequence:
        if claim.kind == "ask":
            continue
        before = last.get(claim.mac)
        if runs and runs[-1].mac != claim.mac and before and claim.at_s - before.at_s <= window_s:
            between = [run for run in runs if run.at_s >= before.at_s and run.mac != claim.mac]
            macs = tuple(sorted({claim.mac, *(run.mac for run in between)}))
            found.append(Overlap(claim.vip, port, between[0].at_s, claim.at_s, macs, "interleaved"))
        if not runs or runs[-1].mac != claim.mac:
            runs.append(claim)
        last[claim.mac] = claim
    return found


def _merge(overlaps: list[Overlap], window_s: float) -> list[Overlap]:
    merged: list[Overlap] = []
    for overlap in sorted(overlaps, key=lambda o: (o.port, o.macs, o.start_s)):
        last = merged[-1] if merged else None
        if last and (last.port, last.macs) == (overlap.port, overlap.macs) and overlap.start_s - last.end_s <= window_s:
            rule: Rule = "same request" if "same request" in (last.rule, overlap.rule) else "interleaved"
            end_s = max(last.end_s, overlap.end_s)
            merged[-1] = Overlap(last.vip, last.port, last.start_s, end_s, last.macs, rule)
        else:
            merged.append(overlap)
    return sorted(merged, key=lambda o: o.start_s)
