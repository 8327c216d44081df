"""How long the elected interface may answer: claims and permits, judged by a neighbour's raw socket."""

import errno
import time

import pytest

from vipa.timing import PROFILES, Timing
from vipa_agent.kernel.clock import boottime_s
from vipa_lab.gate_rig import PERMIT_S, QUIET_S, VIP2, Rig, wait_past
from vipa_lab.kernel_rig import CLAIM_S, LONG_S, VIP
from vipa_lab.until import until


def test_answers_end_with_the_permit(rig: Rig) -> None:
    rig.serve()

    def last_answer() -> float | None:
        """When, from the permit's end on, the last answered question was asked; None when none was answered."""
        until = rig.claim("eth1", PERMIT_S)
        assert until is not None
        late_s = None
        while boottime_s() < until + QUIET_S:
            asked_s = boottime_s()
            if rig.ask(wait_s=0.01, enough=1):
                late_s = asked_s - until
        return late_s

    # It ends after the time we speak of by the time the transaction took (wide: this thread may stand still before it
    # sends), and by a timer tick (4 ms at HZ=250).
    assert until(last_answer) < 0.2
    assert rig.ask() == set()


def test_raw_announcements_need_the_permit(rig: Rig) -> None:
    rig.serve()
    with pytest.raises(OSError, match="buffer space") as refused:
        rig.announce("eth1")
    assert refused.value.errno == errno.ENOBUFS
    rig.claim("eth1", PERMIT_S)
    with pytest.raises(OSError, match="buffer space"):
        rig.announce("eth2")
    rig.claim("eth1")
    rig.announce("eth1")
    rig.kernel.revoke((VIP,), "eth1")
    with pytest.raises(OSError, match="buffer space"):
        rig.announce("eth1")


def test_an_untimed_permit_answers_without_renewal(rig: Rig) -> None:
    rig.serve((VIP, VIP2))
    assert rig.claim("eth2", None) is None
    wait_past(rig.claim("eth2", PERMIT_S, VIP2))
    assert (rig.ask(), rig.ask(VIP2)) == ({"eth2"}, set())
    assert rig.call(lambda: rig.kernel.move((VIP,), "eth2", "eth1", None)) == (True, None)
    assert rig.ask() == {"eth1"}


def test_a_claim_that_was_frozen_fails(rig: Rig) -> None:
    rig.serve()
    assert rig.kernel.begin_claim((VIP,), CLAIM_S)
    time.sleep(0.2)
    assert rig.kernel.permit((VIP,), "eth1", PERMIT_S) == (False, None)
    assert rig.kernel.permit((VIP,), "eth1", None) == (False, None)
    assert rig.ask() == set()
    assert rig.kernel.begin_claim((VIP,), CLAIM_S)
    assert rig.kernel.begin_claim((VIP,), CLAIM_S), "a claim may be begun again before it ends"


def test_renewal_keeps_answers_coming(rig: Rig) -> None:
    rig.serve()
    rig.claim("eth1", LONG_S)
    permit_s = PROFILES[Timing.CALM].permit_s
    rig.call(lambda: rig.kernel.renew({"eth1": permit_s}))
    end_s = time.monotonic() + 1.5 * permit_s
    while time.monotonic() < end_s:
        rig.kernel.tick()
        time.sleep(0.02)
    assert rig.ask() == {"eth1"}
    until(lambda: len(rig.renewed) >= 3)
    assert not rig.lapsed, "renewed in time"
    assert rig.renewed[-1][1] > boottime_s()
    rig.call(lambda: rig.kernel.renew({}))
    assert rig.ask() == set(), "what is not renewed any more ends at once"


def test_a_hung_loop_lets_the_permit_end(rig: Rig) -> None:
    rig.serve()
    rig.claim("eth1")
    rig.call(lambda: rig.kernel.renew({"eth1": PERMIT_S}))
    until(lambda: rig.ask() == set())  # nobody ticks
    assert not rig.lapsed, "a hung owner is not told"
    rig.kernel.tick()
    until(lambda: rig.lapsed == ["eth1"])  # it thaws, and the renewal finds the permit gone
    assert rig.ask() == set()


def test_a_lapsed_permit_stays_lapsed(rig: Rig) -> None:
    rig.serve((VIP, VIP2))
    wait_past(rig.claim("eth1", PERMIT_S))
    assert rig.ask() == set()
    ok, _until = rig.kernel.move((VIP,), "eth1", "eth2", LONG_S)
    assert not ok
    rig.claim("eth1", LONG_S, VIP2)
    assert rig.ask(VIP2) == {"eth1"}
    assert rig.ask(VIP) == set(), "a new permit must not bring back what had lapsed"


def test_a_new_permit_does_not_bring_back_the_lapsed(rig: Rig) -> None:
    rig.serve((VIP, VIP2))
    wait_past(rig.claim("eth1", PERMIT_S))
    assert rig.kernel.begin_claim((VIP2,), CLAIM_S)
    assert rig.kernel.permit((VIP2,), "eth1", LONG_S) == (False, None)
    assert rig.lapsed == ["eth1"]
    rig.claim("eth1", LONG_S, VIP2)
    assert rig.ask(VIP) == set()


def test_move_takes_only_the_named_addresses(rig: Rig) -> None:
    rig.serve((VIP, VIP2))
    rig.claim("eth1")
    rig.claim("eth1", LONG_S, VIP2)
    ok, until = rig.call(lambda: rig.kernel.move((VIP,), "eth1", "eth2", LONG_S))
    assert ok
    assert until is not None
    assert (rig.ask(VIP), rig.ask(VIP2)) == ({"eth2"}, {"eth1"})
    assert not rig.call(lambda: rig.kernel.move((VIP,), "eth1", "eth2", LONG_S))[0], "it is not there any more"
    assert rig.call(lambda: rig.kernel.move((VIP2,), "eth1", "eth2", LONG_S))[0]
    assert (rig.ask(VIP), rig.ask(VIP2)) == ({"eth2"}, {"eth2"})


def test_the_shortest_permit_of_an_interface_holds(rig: Rig) -> None:
    rig.serve((VIP, VIP2))
    rig.claim("eth1")
    rig.call(lambda: rig.kernel.renew({"eth1": PERMIT_S}))
    until = rig.claim("eth1", LONG_S, VIP2)
    assert until is not None
    assert until < boottime_s() + PERMIT_S
