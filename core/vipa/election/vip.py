"""What one node remembers of one VIP. Only data and the transition check; the rules are in their own modules."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from vipa.election.health import NEVER, LocalEndpoint
from vipa.election.states import TRANSITIONS, State
from vipa.plan import Endpoint, PlannedVip
from vipa.reasons import Reason
from vipa.timing import Profile


class Verdict(StrEnum):
    """What a node's own health checks say of it, for one VIP. Without checks it is ``PASSING``."""

    PASSING = "Passing"
    UNKNOWN = "Unknown"
    FAILING = "Failing"


class IllegalTransition(AssertionError):
    """A transition outside the table: a defect of vipa. Nothing was changed."""


@dataclass(slots=True)
class Suspicion:
    """Rule 5. ``unanswered`` consecutive probes since the last answer; ``next_at`` time of the next probe."""

    since: float
    next_at: float
    sent: int = 0
    unanswered: int = 0
    answers: int = 0
    probed_at: float = NEVER
    via: str = ""
    """Own address of the endpoint that probes: what another endpoint heard or missed proves nothing for this one."""
    waits_for: str = ""
    """Node whose claim element is set: its permit, or its end, is waited for."""


class Behind(NamedTuple):
    """A spare lets a better rank, ``peer``, come to it: as long as that one takes something over every ``patience_s``,
    and at most ``until``."""

    peer: str
    patience_s: float
    until: float


@dataclass(slots=True)
class Offer:
    """Rule 4, either side. ``peer``: the other node; ``at``: when the exchange began (or *go* was said); ``go_after``:
    no *go* counts before; ``tries``: permits for it that the kernel refused."""

    peer: str
    term: int
    epoch: int
    at: float
    ready: bool = False
    go_after: float = float("-inf")
    tries: int = 0


@dataclass(slots=True)
class VipState:
    """One VIP on this node. ``bound``: its addresses are on our interfaces; ``unbind_at``: end of the linger."""

    plan: PlannedVip
    epoch: int
    id: int
    digest: int
    name: str = field(init=False)
    """Name of the VirtualIP."""
    profile: Profile = field(init=False)
    """Timing of this VIP."""
    succession: tuple[Endpoint, ...] = field(init=False)
    """Ordered candidates."""
    state: State = State.IDLE
    reason: Reason = Reason.LISTENING
    verdict: Verdict = Verdict.PASSING
    guest: Reason | None = None
    """Behind a bridge: ``HEALTHY`` while the guest answers there, why not, or None while that is not known."""
    since: float = NEVER
    term: int = 0
    term_seen: int = 0
    interface: str = ""
    elected: str = ""
    """Own address of the elected endpoint while HOLDER."""
    held: tuple[str, float | None] | None = None
    """While elected: interface and permit (None: untimed) as the node counts them."""
    order: int = 0
    """Place in the plan."""
    held_at: float = NEVER
    """When this node ceased to hold it: while paused, it is for the one who held it last to claim it again."""
    listen_until: float = NEVER
    holder: str = ""
    holder_seen_at: float = NEVER
    turn_at: float = NEVER
    """A spare that waits for its turn to be probed looks again then, if nobody wakes it."""
    behind: Behind | None = None
    """A spare that waits for a better rank."""
    relayed_by: str = ""
    permitting: bool = False
    """``Permit`` was asked for and ``Permitted`` not heard yet."""
    local: tuple[tuple[int, LocalEndpoint], ...] | None = None
    """This node's candidates, best first, as long as plan and endpoints stay; see ``Node.local``."""
    bound: bool = False
    bound_on: tuple[str, ...] = ()
    """Interfaces it was bound on by this agent."""
    copied: bool = False
    """It is bound whoever serves it (binding EveryCandidate)."""
    replies_by: str = ""
    """Interface by which the kernel was told to send replies from it."""
    unbind_at: float = NEVER
    linger_until: float = NEVER
    """Clients of before may still send here until then: a claim that comes to nothing does not end it."""
    suspicion: Suspicion | None = None
    offer: Offer | None = None
    offer_after: float = NEVER
    offers_in_vain: int = 0
    """Hand-overs in a row that were ready and came to nothing."""
    offer_turn: float = NEVER
    """When it may be offered, where many are."""
    unfit_since: float | None = None
    announced: int = 0
    announce_from: float = NEVER
    announce_turn: float = NEVER
    """When it may announce, where many do."""
    conflict: str = ""
    conflict_at: float = NEVER
    conflict_backoff_s: float = 0.0
    rival: str = ""
    rival_at: float = NEVER
    """MAC of the foreign station that last said to have the address, and when."""
    disputed_at: float = NEVER
    """When that was last said to people and, by a holder, to the LAN."""
    defended_at: float = NEVER
    refused_at: float = NEVER
    mismatch: set[str] = field(default_factory=set)
    """Peers that work from another plan of the same epoch (rule 13)."""
    compare_at: float = NEVER
    """After a change of this node's plan: when peers that have not followed are a mismatch."""
    recheck_at: float = NEVER

    def __post_init__(self) -> None:
        self.take(self.plan, self.epoch, self.digest)

    @property
    def absent(self) -> bool:
        """Whether it lives behind a bridge and is known not to be there."""
        return bool(self.plan.bridge) and self.guest not in (None, Reason.HEALTHY)

    @property
    def lives(self) -> bool:
        """Whether this node may serve it as far as the guest behind its bridge goes: what is not known yet changes
        nothing."""
        return not self.plan.bridge or self.guest is Reason.HEALTHY or (self.guest is None and bool(self.elected))

    def take(self, plan: PlannedVip, epoch: int, digest: int) -> None:
        """Go by ``plan`` from now on. What is asked of it most is kept at hand: thousands are looked at in a second."""
        self.plan, self.epoch, self.digest = plan, epoch, digest
        self.name, self.profile, self.succession = plan.name, plan.policy.profile, plan.succession

    def rank(self, address: str) -> int | None:
        """Index of an endpoint in the succession."""
        for index, endpoint in enumerate(self.succession):
            if endpoint.address == address:
                return index
        return None

    def enter(self, state: State) -> None:
        """Change state by the table.

        Raises IllegalTransition.
        """
        if state is not self.state and state not in TRANSITIONS[self.state]:
            raise IllegalTransition(f"{self.name}: {self.state} -> {state}")
        self.state = state
