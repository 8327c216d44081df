"""What other programs removed or changed of ours, how often, and when it may be put back.

The first time at once. What is removed again before it stood for ``wait_s`` waits for the rest of that time, which
doubles each time, up to a minute: against a program that removes it in a loop, putting back in a loop would only cost.
What stands longer is put back at once again; what stands for a minute longer is forgotten.
"""

from dataclasses import dataclass
from typing import Final

from vipa.reasons import Reason

FIRST_S: Final = 0.1
"""First wait: a network manager's restart, or a reload of rules, removes things two or three times in a row, and all is
back within a second."""

SPOILED_S: Final = 1.0
"""What has to wait so long is better served elsewhere: three removals in a row wait for 0.7 s in sum."""

LONGEST_S: Final = 60.0
"""Longest wait, and the quiet after which a repair is forgotten: a network manager that applies its configuration at
each DHCP renewal does so every minute or less often."""


@dataclass(slots=True)
class Repair:
    """One thing of ours. ``at``: when it was put back last; ``waiting``: it is gone again, and not yet put back;
    ``refused``: it was tried, and the kernel did not let us."""

    what: str
    at: float
    times: int = 1
    wait_s: float = FIRST_S
    waiting: bool = False
    refused: bool = False

    @property
    def due_at(self) -> float:
        """When it may be put back if it is gone."""
        return self.at + self.wait_s

    @property
    def spoils(self) -> bool:
        """Whether somebody else had better serve meanwhile. What the kernel refuses is one address's trouble, which the
        election finds out when it wants it there; what others remove may be anybody's next."""
        return self.waiting and not self.refused and self.wait_s >= SPOILED_S

    @property
    def reason(self) -> Reason:
        """Whether it was, or is still to be, put back."""
        if self.refused:
            return Reason.KERNEL_REFUSED
        return Reason.REMOVED_AGAIN if self.waiting or self.wait_s > FIRST_S else Reason.PUT_BACK


class Repairs:
    """All of them. Times are seconds of any one clock."""

    def __init__(self) -> None:
        self._known: dict[str, Repair] = {}

    def due(self, what: str, now: float) -> bool:
        """Whether ``what``, found missing, may be put back now."""
        known = self._known.get(what)
        if known is None or now >= known.due_at:
            return True
        known.waiting = True
        return False

    def put_back(self, what: str, now: float) -> Repair:
        """It was."""
        known = self._known.get(what)
        if known is None:
            known = self._known[what] = Repair(what, now)
            return known
        known.times += 1
        if known.refused:
            known.wait_s, known.waiting, known.refused = FIRST_S, False, False
        self._stands(known, now)
        return known

    def refuse(self, what: str, now: float) -> Repair:
        """The kernel did not let it be put back: it waits, each time twice as long."""
        known = self._known.setdefault(what, Repair(what, now, times=0))
        self._stands(known, now)
        known.waiting = known.refused = True
        return known

    def let_go(self, what: str, now: float) -> None:
        """It waits, and nobody wants it any more, for another one serves. After its time it waits no more."""
        known = self._known[what]
        if now >= known.due_at:
            self._stands(known, now)

    def _stands(self, known: Repair, now: float) -> None:
        if known.waiting:
            known.wait_s = min(known.wait_s * 2, LONGEST_S)
        known.at, known.waiting = now, False

    def forget(self, now: float) -> None:
        """What has stood for long. What nobody waits for any more (it left the plan) goes too."""
        for what in [w for w, r in self._known.items() if now >= r.due_at + LONGEST_S]:
            del self._known[what]

    def waiting(self) -> tuple[Repair, ...]:
        """What is missing and not to be put back yet, by name."""
        return tuple(known for known in self.known() if known.waiting)

    def known(self) -> tuple[Repair, ...]:
        """All that is not forgotten, by name."""
        return tuple(self._known[what] for what in sorted(self._known))

    def told(self, now: float) -> dict[str, list[dict[str, str | float]]]:
        """For people, in ``vipa-agent status``."""
        repairs: list[dict[str, str | float]] = [
            {
                "what": repair.what,
                "reason": repair.reason,
                "times": repair.times,
                "agoSeconds": round(now - repair.at, 1),
                "waiting": repair.waiting,
            }
            for repair in self.known()
        ]
        return {"repairs": repairs}
