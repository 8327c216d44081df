"""Groups: VIPs with the same succession, policy, checks and bridge; they move together (01-election, "Words")."""

import hashlib
from typing import Final

import msgspec

from vipa.plan import Plan, PlannedVip

ID_BYTES: Final = 8
"""A label has to fit a line; 64 bits keep a million groups apart."""


def groups(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Group id (16 hexadecimal digits) to the names of its VIPs, both sorted.

    The id is the hash of VIPs, succession, policy, checks and bridge (if any), so it is immutable: another VIP set is
    another group, and two nodes never mean different VIPs by one id.
    """
    together: dict[object, list[PlannedVip]] = {}
    for vip in plan.vips:
        order = tuple(e.address for e in vip.succession)
        together.setdefault((order, vip.policy, vip.checks, vip.bridge), []).append(vip)
    named = {_id(vips): tuple(sorted(v.name for v in vips)) for vips in together.values()}
    return dict(sorted(named.items()))


def _id(vips: list[PlannedVip]) -> str:
    addresses = sorted(v.addresses for v in vips)
    order = [e.address for e in vips[0].succession]
    more = [each for each in (vips[0].checks, vips[0].bridge) if each]
    text = msgspec.json.encode([addresses, order, vips[0].policy, *more], order="deterministic")
    return hashlib.blake2b(text, digest_size=ID_BYTES, person=b"vipa-group").hexdigest()
