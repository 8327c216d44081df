"""What is done to them: one fault per run, and how long it is watched."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from contenders import KEEPALIVED, VIPA, Contender
from vipa_lab.process import Process
from vipa_lab.scenario import Scenario

Fault = Callable[[Scenario, Process], None]

# Longer than every permit, lease and advertisement interval compared here.
FREEZE_S: Final = 5.0
# 30 runs of 3,400 datagrams at 2 ms are the 100,000 of the promise.
NO_FAULT_S: Final = 6.8
# After a takeover: long enough to see it undone or doubled; and a TCP connection go on (measure.TCP_STALL_S).
AFTER_S: Final = 1.0
AFTER_TCP_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Case:
    """``fault`` gets the lab and the program on w1, the holder. ``tcp``: keep a connection open and watch it.
    ``track``: see :class:`contenders.Contender`. ``promise``: what vipa's figure is held against; "" for none."""

    name: str
    title: str
    fault: Fault
    contenders: tuple[Contender, ...]
    promise: str
    after_s: float = AFTER_S
    tcp: bool = False
    track: bool = False


def _nothing(scenario: Scenario, holder: Process) -> None:
    time.sleep(NO_FAULT_S)


def _carrier(scenario: Scenario, holder: Process) -> None:
    scenario.nodes[0].nics["eth1"].port.down()


def _path(scenario: Scenario, holder: Process) -> None:
    scenario.nodes[0].nics["eth1"].port.block()


def _power_off(scenario: Scenario, holder: Process) -> None:
    scenario.nodes[0].power_off()


def _kill(scenario: Scenario, holder: Process) -> None:
    holder.kill()


def _freeze(scenario: Scenario, holder: Process) -> None:
    holder.freeze()
    time.sleep(FREEZE_S)
    holder.thaw()


_DEFAULT: Final = VIPA[:1]
CASES: Final = (
    Case("no-fault", "no fault", _nothing, VIPA, "0 lost of 100,000", after_s=0.0),
    Case(
        "nic-carrier",
        "serving adapter loses carrier, spare adapter on the node",
        _carrier,
        (*_DEFAULT, *KEEPALIVED),
        "median ≤ 5 ms, p95 ≤ 15 ms; TCP survives",
        after_s=AFTER_TCP_S,
        tcp=True,
        track=True,
    ),
    Case(
        "nic-path",
        "serving adapter's path dies, link stays up",
        _path,
        (*VIPA, *KEEPALIVED),
        "≤ interval × miss + 20 ms (Default 80, Fast 35); TCP survives",
        after_s=AFTER_TCP_S,
        tcp=True,
    ),
    Case(
        "node-death",
        "node dies",
        _power_off,
        (*VIPA, *KEEPALIVED),
        "Default median ≤ 100 ms, Fast ≤ 35 ms",
    ),
    Case(
        "agent-killed",
        "agent killed (SIGKILL), stays dead",
        _kill,
        (*_DEFAULT, *KEEPALIVED),
        "0 lost; ARP answered again ≤ 700 ms; 0 ms of two answerers",
        after_s=2.0,
    ),
    Case(
        "agent-frozen",
        "agent frozen (SIGSTOP) 5 s, then thawed",
        _freeze,
        (*_DEFAULT, *KEEPALIVED),
        "0 lost; 0 ms of two answerers",
        after_s=2.0,
    ),
)


def any_moment(contender: Contender) -> None:
    """Wait a random share of its slowest period, so that faults fall on every phase of its beats alike."""
    time.sleep(random.uniform(0, contender.takeover_s / 4))
