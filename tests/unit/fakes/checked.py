"""Nodes whose health checks say what a test wants."""

from unit.fakes.machine import Machine
from unit.fakes.net import Net
from vipa.election import events as ev
from vipa.election.states import State
from vipa.plan import CheckKind, HealthCheck, PlannedVip, Policy

CHECK = HealthCheck(CheckKind.TCP, 443)
LAN = "10.1.1.0/24"
MOVE_S = 0.2
"""A planned move takes two beats and two commits; ten beats are plenty."""


def checked(vip: PlannedVip, *checks: HealthCheck) -> PlannedVip:
    """``vip`` with these health checks; CHECK when there are none."""
    return PlannedVip(vip.name, vip.addresses, vip.succession, vip.policy, checks or (CHECK,))


def say(machine: Machine, *failing: HealthCheck, passing: tuple[HealthCheck, ...] = ()) -> None:
    """The node's checks: what fails; of CHECK it is known that it passes unless it fails."""
    known = {CHECK, *passing} - set(failing)
    machine.step(ev.ChecksChanged({(LAN, c): "refused" for c in failing}, frozenset((LAN, c) for c in known)))


def machines(net: Net, *lasts: int, policy: Policy | None = None) -> list[Machine]:
    """a, b, ... in this order; all pass; a holds."""
    found = [net.machine(name, last) for name, last in zip("abcd", lasts, strict=False)]
    net.start(checked(net.vip(*lasts, policy=policy)))
    for machine in found:
        say(machine)
    net.until(lambda: net.answerers() == ["a"], 2)
    net.run(0.5)
    return found


def wait_holder(net: Net, name: str, within: float = MOVE_S) -> float:
    """Until ``name`` alone answers, and knows it; seconds taken."""
    return net.until(lambda: net.answerers() == [name] and net.machines[name].is_(State.HOLDER), within)
