"""What the kernel layer sets it takes back: cleaning up leaves the machine as it was."""

from vipa_lab.kernel_rig import OWN, VIP
from vipa_lab.steering_rig import SteeringRig


def test_one_interface_needs_no_marks(steered: SteeringRig) -> None:
    steered.call(lambda: steered.kernel.guard((VIP,), OWN[:1]))
    steered.call(lambda: steered.kernel.bind((VIP,), ("eth1",)))
    steered.claim("eth1")
    state = steered.state()
    assert "table inet" not in state["nft list ruleset"]
    assert (state["ip rule"], state["eth1"]) == (steered.before["ip rule"], steered.before["eth1"])
    assert steered.reaches(steered.client, VIP)
    steered.serve()
    assert "table inet" in steered.state()["nft list ruleset"], "a second interface on the LAN brings them"
    steered.call(lambda: steered.kernel.guard((VIP,), OWN[:1]))
    steered.node.run(["ip", "addr", "del", f"{VIP}/32", "dev", "eth2"])
    state = steered.state()
    assert "table inet" not in state["nft list ruleset"]
    assert (state["ip rule"], state["eth2"]) == (steered.before["ip rule"], steered.before["eth2"])


def test_cleaning_up_leaves_nothing_even_after_a_restart(steered: SteeringRig) -> None:
    steered.serve()
    steered.claim("eth2")
    steered.call(steered.kernel.close)
    during = steered.state()
    assert all(during[look] != steered.before[look] for look in during), "the comparison below can fail"
    steered.kernel = steered.start()
    steered.call(steered.kernel.clean_up)
    assert steered.state() == steered.before
    steered.call(steered.kernel.clean_up)
    assert steered.state() == steered.before, "twice is as good as once"


def test_settings_found_on_stay_on(steered: SteeringRig) -> None:
    steered.node.set_ipv4_conf(src_valid_mark=1)
    steered.serve()
    steered.call(steered.kernel.clean_up)
    assert steered.state()["eth2"] == "1\n"
