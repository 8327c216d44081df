"""What there is to say of a node's FRR: passed from the runner to its agent, and on to people."""

from typing import Final

import msgspec


class Session(msgspec.Struct, frozen=True):
    """One neighbour. ``state``: FRR's word, Established when it is up; ``bfd``: Up, Down …, "" without BFD; ``local``:
    this node's address, by which routers reach it, "" while the session is down; ``advertised``: how many of vipa's
    prefixes were sent."""

    peer: str
    state: str = ""
    bfd: str = ""
    local: str = ""
    advertised: int = 0


class BgpView(msgspec.Struct, frozen=True):
    """``reason``: Healthy, or a word for what is wrong, which ``message`` explains; "" while nothing is known, or
    without BGP. ``lapsed``: the agent stood still, so what it said was withdrawn, and it has to say all anew."""

    reason: str = ""
    message: str = ""
    sessions: tuple[Session, ...] = ()
    lapsed: bool = False


NO_BGP: Final = BgpView()
