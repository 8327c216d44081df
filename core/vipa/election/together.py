"""Actions of one step that the kernel can do in one transaction are handed to it as one: a transaction costs more than
what is in it, and the last of many virtual IPs must not wait for those of all others.

Only what may change places does: an action joins an earlier one of its kind unless something else about its virtual IP
stands between them.
"""

from collections.abc import Hashable, Iterable

from vipa.election.actions import Action, Bind, Guard, Move, OfVip, Permit, Renew, Revoke, Steer, Together, Unbind
from vipa.election.actions import BeginClaim as Begin


def gathered(actions: Iterable[Action]) -> list[Action]:
    """``actions`` in an order that does the same, those of a kind in as few :class:`Together` as can be."""
    found: list[list[OfVip] | Action] = []
    place: dict[Hashable, int] = {}
    last: dict[str, int] = {}
    for action in actions:
        if isinstance(action, Guard | Renew):
            place.clear()
        if not isinstance(action, OfVip):
            found.append(action)
            continue
        kind = _kind(action)
        at = place.get(kind)
        if at is None or last.get(action.vip, -1) >= at:
            at = place[kind] = len(found)
            found.append([])
        joined = found[at]
        assert isinstance(joined, list)
        joined.append(action)
        last[action.vip] = at
    return [_one(each) if isinstance(each, list) else each for each in found]


def _one(joined: list[OfVip]) -> Action:
    return joined[0] if len(joined) == 1 else Together(tuple(joined))


def _kind(action: OfVip) -> Hashable:
    """Equal for actions that one transaction can do."""
    match action:
        case Bind():
            return Bind, action.interfaces
        case Unbind():
            return Unbind
        case Begin():
            return Begin, action.timeout_s
        case Permit():
            return Permit, action.interface, action.permit_s
        case Move():
            return Move, action.old, action.new, action.permit_s
        case Revoke():
            return Revoke, action.interface
        case Steer():
            return Steer, action.interface
