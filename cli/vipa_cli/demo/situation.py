"""What is broken on the LAN at one moment, and the steps from one such situation to another. Pure.

Acts are written as situations and not as procedures, so any of them can be reached again: a run that was measured badly
is repeated by going back to the situation before it.
"""

from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    """One thing that is done to a machine ("w1") or an adapter ("w1/eth1")."""

    BOOT = "boot"
    PLUG = "plug"
    UNBLOCK = "unblock"
    THAW = "thaw"
    START = "start"
    PULL = "pull"
    BLOCK = "block"
    POWER_OFF = "power-off"
    FREEZE = "freeze"
    KILL = "kill"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Step:
    """Do ``verb`` to ``target``."""

    verb: Verb
    target: str

    def __str__(self) -> str:
        return f"{self.verb} {self.target}"


@dataclass(frozen=True, slots=True)
class Situation:
    """``pulled`` and ``blocked`` hold adapters ("w1/eth1"), the others machines; the rest is well and runs.

    ``serves``: the adapter that is to answer in the end. ``stopped``, ``killed``, ``frozen`` speak of the agent.
    """

    serves: str
    pulled: frozenset[str] = frozenset()
    blocked: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()
    stopped: frozenset[str] = frozenset()
    killed: frozenset[str] = frozenset()
    frozen: frozenset[str] = frozenset()

    @property
    def without_agent(self) -> frozenset[str]:
        """Machines on which no agent process is."""
        return self.off | self.stopped | self.killed


def steps(before: Situation, after: Situation) -> list[Step]:
    """What to do, in order: first what mends, then what breaks."""
    return [
        *_each(Verb.BOOT, before.off - after.off),
        *_each(Verb.PLUG, before.pulled - after.pulled),
        *_each(Verb.UNBLOCK, before.blocked - after.blocked),
        *_each(Verb.THAW, before.frozen - after.frozen),
        *_each(Verb.START, before.without_agent - after.without_agent),
        *_each(Verb.PULL, after.pulled - before.pulled),
        *_each(Verb.BLOCK, after.blocked - before.blocked),
        *_each(Verb.POWER_OFF, after.off - before.off),
        *_each(Verb.FREEZE, after.frozen - before.frozen),
        *_each(Verb.KILL, after.killed - before.without_agent),
        *_each(Verb.STOP, after.stopped - before.without_agent),
    ]


def _each(verb: Verb, targets: frozenset[str]) -> list[Step]:
    return [Step(verb, target) for target in sorted(targets)]
