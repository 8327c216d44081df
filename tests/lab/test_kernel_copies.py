"""Addresses that are bound and not elected (binding EveryCandidate): their replies, the fence, an agent's restart."""

from vipa_lab.gate_rig import VIP2, Rig
from vipa_lab.kernel_rig import BOTH, OWN, VIP
from vipa_lab.steering_rig import SteeringRig


def test_replies_of_a_copy_leave_as_told_and_go_on_to(steered: SteeringRig) -> None:
    """Under strict rp_filter, from a client that was sent to eth2 while the path of eth1 is dead."""
    steered.client.run(["ip", "route", "replace", VIP, "via", "10.1.1.5"])
    steered.serve()
    steered.call(lambda: steered.kernel.steer((VIP,), "eth2"))
    steered.dead_path("eth1")
    assert steered.reaches(steered.client, VIP)

    # Somebody removes the table.
    steered.node.run(["nft", "delete", "table", "inet", "vipa"])
    steered.call(steered.kernel.mend)
    assert steered.reaches(steered.client, VIP)

    # The next agent, before its election has said anything.
    steered.call(steered.kernel.close)
    steered.kernel = steered.start(forwarded_replies=True)
    steered.call(lambda: steered.kernel.clean_stale((), (VIP,)))
    steered.call(lambda: steered.kernel.guard((VIP,), OWN))
    assert steered.reaches(steered.client, VIP)


def test_copies_leave_while_the_fence_is_open_and_come_back_with_it(rig: Rig) -> None:
    rig.call(lambda: rig.kernel.guard((VIP, VIP2), OWN))
    rig.call(lambda: rig.kernel.bind((VIP,), BOTH))
    rig.call(rig.kernel.open_fence)
    assert rig.call(rig.kernel.bound) == frozenset()
    rig.call(lambda: rig.kernel.bind((VIP2,), ("eth1",)))
    assert rig.call(rig.kernel.bound) == frozenset(), "it waits"
    rig.call(rig.kernel.mend)
    words = rig.node.run(["ip", "-o", "-4", "addr"])
    assert sorted(line.split()[1] for line in words.splitlines() if f" {VIP}/" in line) == ["eth1", "eth2"]
    assert [line.split()[1] for line in words.splitlines() if f" {VIP2}/" in line] == ["eth1"]
    assert rig.ask() == rig.ask(VIP2) == set()

    # What is let go meanwhile does not come back.
    rig.call(rig.kernel.open_fence)
    rig.call(lambda: rig.kernel.unbind((VIP,)))
    rig.call(rig.kernel.mend)
    assert rig.call(rig.kernel.bound) == {VIP2}


def test_a_restart_keeps_copies_and_ends_their_elections(rig: Rig) -> None:
    rig.serve((VIP, VIP2))
    rig.claim("eth1")
    rig.call(lambda: rig.kernel.clean_stale((), (VIP,)))
    assert rig.call(rig.kernel.bound) == {VIP}
    assert rig.ask() == set()
