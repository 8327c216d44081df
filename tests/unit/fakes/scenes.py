"""How many tests of the election begin: somebody serves, somebody else could."""

from unit.fakes.machine import Machine
from unit.fakes.names import VIP
from unit.fakes.net import Net
from unit.fakes.puppet import Puppet
from vipa.election import actions as act
from vipa.election.states import State
from vipa.heartbeat import WireRole
from vipa.plan import Policy
from vipa.timing import PROFILES, Timing


def holder_and_spare(net: Net, run_s: float = 1.0) -> tuple[Machine, Puppet]:
    """a holds; p is its spare."""
    a, p = net.machine("a", 4), net.puppet("p", 5)
    net.start(net.vip(4, 5))
    p.speak()
    net.run(run_s)
    assert a.is_(State.HOLDER)
    return a, p


def spare_of(net: Net, timing: Timing = Timing.DEFAULT) -> tuple[Machine, Puppet]:
    """b, spare of the holder p."""
    b, p = net.machine("b", 5), net.puppet("p", 4)
    p.interval_s = PROFILES[timing].interval_s
    net.start(net.vip(4, 5, policy=Policy(timing)))
    p.speak(WireRole.HOLDER)
    net.run(PROFILES[timing].silence_s * 10)
    assert b.is_(State.SPARE)
    return b, p


def two_spares_of(net: Net, last: int, other: int) -> tuple[Machine, Puppet, Puppet]:
    """b and q, spares of the holder p; b is 10.1.1.``last`` and q 10.1.1.``other``, the lower ahead."""
    b, p, q = net.machine("b", last), net.puppet("p", 4), net.puppet("q", other)
    net.start(net.vip(4, *sorted((last, other))))
    p.speak(WireRole.HOLDER)
    q.speak(WireRole.SPARE)
    net.run(1)
    assert b.is_(State.SPARE)
    return b, p, q


def probes(net: Net, node: str, since: float = 0.0) -> list[float]:
    """Times of broadcast probes for the VIP."""
    found = [e for e in net.did(node, act.Probe) if isinstance(e.action, act.Probe) and e.at > since]
    return [e.at for e in found if isinstance(e.action, act.Probe) and e.action.address == VIP and not e.action.mac]
