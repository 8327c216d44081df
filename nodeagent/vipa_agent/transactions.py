"""What the election asks of the kernel for its virtual IPs: many in one transaction, and what is wrong with one of them
is no other's loss."""

from collections.abc import Sequence

import structlog

from vipa.election import actions, events
from vipa.reasons import Reason
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.kernel.errors import KernelError
from vipa_agent.kernel.kernel import Kernel

log = structlog.get_logger()

Answered = tuple[events.ClaimReady, ...] | tuple[events.Permitted, ...]


class Transactions:
    """Carries out actions of one kind that differ in nothing but the virtual IP."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._claim_ends: dict[str, float] = {}
        """VIP → when its claim element ends, CLOCK_BOOTTIME."""

    def do(self, wanted: tuple[actions.OfVip, ...]) -> Answered:
        """The answers, one for each; none for actions that want none. What fails together is tried in halves."""
        try:
            ok, answers = self._at_once(wanted)
        except KernelError as error:
            if len(wanted) == 1:
                say(wanted[0], error)
            ok, answers = False, refused(wanted)
        if ok or len(wanted) == 1 or self._over(wanted):
            return answers
        half = len(wanted) // 2
        return (*self.do(wanted[:half]), *self.do(wanted[half:]))

    def _at_once(self, wanted: tuple[actions.OfVip, ...]) -> tuple[bool, Answered]:
        addresses = [address for action in wanted for address in action.addresses]
        match wanted[0]:
            case actions.Bind(interfaces=interfaces):
                self._kernel.bind(addresses, interfaces)
            case actions.Unbind():
                self._kernel.unbind(addresses)
            case actions.Revoke(interface=interface):
                self._kernel.revoke(addresses, interface)
            case actions.Steer(interface=interface):
                self._kernel.steer(addresses, interface)
            case actions.BeginClaim(timeout_s=timeout_s):
                ends = boottime_s() + timeout_s
                ok = self._kernel.begin_claim(addresses, timeout_s)
                self._claim_ends.update((action.vip, ends) for action in wanted)
                return ok, tuple(events.ClaimReady(action.vip, ok) for action in wanted)
            case actions.Permit(interface=interface, permit_s=permit_s):
                ok, until = self._kernel.permit(addresses, interface, permit_s)
                return ok, tuple(events.Permitted(action.vip, interface, ok, until) for action in wanted)
            case actions.Move(old=old, new=new, permit_s=permit_s):
                ok, until = self._kernel.move(addresses, old, new, permit_s)
                return ok, tuple(events.Permitted(action.vip, new, ok, until) for action in wanted)
        return True, ()

    def _over(self, wanted: Sequence[actions.OfVip]) -> bool:
        """Whether trying again is in vain: claim elements that were set together end together, and a transaction that
        fails costs 16 ms (docs/design/0003-kernel.md)."""
        now = boottime_s()
        return all(isinstance(a, actions.Permit) and self._claim_ends.get(a.vip, 0.0) <= now for a in wanted)


def refused(wanted: Sequence[actions.OfVip]) -> Answered:
    """What to answer when the kernel refused."""
    first = wanted[0]
    if isinstance(first, actions.BeginClaim):
        return tuple(events.ClaimReady(action.vip, False) for action in wanted)
    if isinstance(first, actions.Permit):
        return tuple(events.Permitted(action.vip, first.interface, False) for action in wanted)
    if isinstance(first, actions.Move):
        return tuple(events.Permitted(action.vip, first.new, False) for action in wanted)
    return ()


def say(action: actions.Action, error: KernelError) -> None:
    """The kernel refused: others go on."""
    log.error("kernel refused", reason=Reason.KERNEL_REFUSED, action=type(action).__name__, error=str(error))
