"""Outputs of the election, in the order the shell must carry them out.

``vip`` is the VirtualIP's name, ``addresses`` its addresses, ``interface`` a local interface name. Actions that ask for
an answer name the event that carries it.
"""

from dataclasses import dataclass

from vipa.reasons import Reason


@dataclass(frozen=True, slots=True)
class Guard:
    """Gate exactly these VIP addresses on these service interfaces (whole set): unanswered unless elected and
    alive. Also gates each interface's own address to that interface. Sent on every plan or interface change, before any
    Bind."""

    addresses: tuple[str, ...]
    own: tuple[tuple[str, str], ...]
    """(interface, own address with prefix length) of every local service endpoint."""
    behind: tuple[tuple[str, str], ...] = ()
    """(address, bridge) of those that live behind a bridge of this node: binding them means to proxy for them."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Bind the addresses as /32 or /128 on the interfaces, or, where they live behind a bridge (``Guard``), be ready to
    proxy for them there and route them to the bridge; already bound is success."""

    vip: str
    addresses: tuple[str, ...]
    interfaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unbind:
    """Remove the addresses from every interface."""

    vip: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BeginClaim:
    """Set the claim element, which lives ``timeout_s``, then drain all sockets into ``step``, then answer with
    ``ClaimReady``."""

    vip: str
    addresses: tuple[str, ...]
    timeout_s: float = 0.1


@dataclass(frozen=True, slots=True)
class Permit:
    """One transaction: delete the claim element (fails if it expired), elect ``interface``, renew or add its permit of
    ``permit_s`` (None: untimed). Answer: ``Permitted``."""

    vip: str
    addresses: tuple[str, ...]
    interface: str
    permit_s: float | None


@dataclass(frozen=True, slots=True)
class Move:
    """In-node move (rule 3), one transaction: un-elect ``old``, elect ``new`` with its permit, switch reply marks.
    Fails when the permit of ``old`` has lapsed (only a live holder may move). Answer: ``Permitted``."""

    vip: str
    addresses: tuple[str, ...]
    old: str
    new: str
    permit_s: float | None


@dataclass(frozen=True, slots=True)
class Revoke:
    """Stop answering: un-elect the addresses, keep them bound (what arrives is still served)."""

    vip: str
    addresses: tuple[str, ...]
    interface: str


@dataclass(frozen=True, slots=True)
class Steer:
    """Replies from the addresses, which are bound and not elected here, leave by ``interface`` from now on."""

    vip: str
    addresses: tuple[str, ...]
    interface: str


OfVip = Bind | Unbind | BeginClaim | Permit | Move | Revoke | Steer
"""What the kernel does for one virtual IP."""


@dataclass(frozen=True, slots=True)
class Together:
    """Actions of one kind that differ in nothing but the virtual IP: one transaction for all. If that fails, what can
    be done alone is. Answers come together too, as one ``Answers``."""

    actions: tuple[OfVip, ...]


@dataclass(frozen=True, slots=True)
class Renew:
    """Whole set of (interface, permit_s) the renewal thread keeps alive from now on. An interface no longer named is
    not renewed and its permit is removed."""

    permits: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Announce:
    """Gratuitous ARP request and reply (unsolicited NA) for each address on ``interface``."""

    vip: str
    addresses: tuple[str, ...]
    interface: str


@dataclass(frozen=True, slots=True)
class Probe:
    """ARP request for ``address`` out of ``interface``, sender = the endpoint's own address; broadcast, or unicast
    when ``mac`` is given. Answers arrive as ``ArpSeen``."""

    interface: str
    address: str
    sender_address: str
    mac: str = ""


@dataclass(frozen=True, slots=True)
class SendBeat:
    """Send one heartbeat from ``interface`` (own address ``source_address``) to ``target_address``;
    ``target_mac`` is empty while unknown (the shell then broadcasts the frame)."""

    interface: str
    source_address: str
    target_address: str
    target_mac: str
    payload: bytes
    valid_until: float = float("inf")
    """End of the permit that the heartbeat speaks of: later it must not leave, or a thawed holder would win a duel with
    what it said before it froze."""


@dataclass(frozen=True, slots=True)
class Transition:
    """For people: role or interface of a VIP changed, for this reason."""

    vip: str
    old: str
    new: str
    interface: str
    reason: Reason
    term: int


@dataclass(frozen=True, slots=True)
class Notice:
    """For people: something noteworthy that is no transition (conflict, dropped beat, endpoint health)."""

    reason: Reason
    subject: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Shutdown is complete; the shell may exit."""


Action = (
    Guard
    | Bind
    | Unbind
    | BeginClaim
    | Permit
    | Move
    | Together
    | Revoke
    | Steer
    | Renew
    | Announce
    | Probe
    | SendBeat
    | Transition
    | Notice
    | Stopped
)
