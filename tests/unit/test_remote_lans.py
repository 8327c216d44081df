"""Which virtual IPs a router has to do with: those beyond its own interfaces."""

from unit.fakes.remote_lan import FAR, ONE, TWO, VIP, Lan, via
from vipa.election.events import LocalInterface
from vipa.remote import hearing
from vipa.remote.hearing import End
from vipa.remote.lans import Lans, remembered
from vipa.remote.talk import Adapter, Entry, Part

AFAR = "10.2.1.7"


def test_a_virtual_ip_of_another_lan_of_the_same_nodes_is_left_to_other_routes() -> None:
    lan = Lan()
    both = (*TWO, *FAR)
    mine, far = Entry((VIP,), Part.HOLDER, 1, (0, 1)), Entry((AFAR,), Part.HOLDER, 1, (2, 3))
    lan.say("w1", adapters=both, on=("10.1.1.4", "10.1.1.5"), entries=(mine, far))
    for _ in range(3):
        assert (lan.way(), lan.way(AFAR)) == (via("10.1.1.4", "10.1.1.5"), "unknown")
        lan.later(hearing.UNREACHABLE_AFTER_S)
        lan.say("w1", adapters=both, on=("10.1.1.4", "10.1.1.5"), entries=(mine, far))
    lan.say("w1", adapters=both, on=("10.1.1.4",), entries=(mine, Entry((AFAR,), Part.NONE, 0)))
    assert lan.way(AFAR) == "unknown", "nobody holds it there either"


def test_one_that_moves_to_another_lan_goes() -> None:
    lan = Lan()
    lan.say("w1", Part.HOLDER)
    lan.say("w2")
    assert lan.way() == via("10.1.1.4", "10.1.1.5")
    lan.say("w1")
    lan.say("w2", term=2, adapters=(*ONE, *FAR), on=("10.1.1.6",), entries=(Entry((VIP,), Part.HOLDER, 2, (1,)),))
    assert lan.way() == "unknown"


def test_clients_are_told_of_one_whose_adapters_here_are_all_ill() -> None:
    lan = Lan()
    ill = (Adapter("10.1.1.4", False, (), 30),)
    lan.say("w1", adapters=ill, entries=(Entry((AFAR,), Part.HOLDER, 1, (0,)),))
    assert lan.way(AFAR) == End.DROPPED, "it is no address of this LAN, but served here"


def test_an_adapter_is_beyond_the_interface_on_whose_network_it_is() -> None:
    lan = Lan()
    lan.router.lans = Lans({"eth0": ("10.9.9.1/24",), "eth1": ("10.1.1.1/24", "fd00::1/64")})
    lan.say("w1", Part.HOLDER)
    for interface in ("eth0", "eth1"):  # somebody passes on what was said beyond eth1
        lan.seq["w1"] += 1
        lan.say("w1", Part.HOLDER, interface=interface)
    assert lan.way() == via("10.1.1.4", "10.1.1.5")


def test_an_interface_without_addresses_keeps_those_it_had() -> None:
    eth1 = LocalInterface("eth1", "02:00:00:00:00:01", ("10.1.1.1/24",))
    known = remembered({}, (eth1, LocalInterface("eth0", "02:00:00:00:00:02", ("10.9.9.1/24",))), ("eth1", "eth2"))
    assert known == {"eth1": ("10.1.1.1/24",)}
    assert remembered(known, (), ("eth1", "eth2")) == known
    assert Lans(known).beyond("10.1.1.9") == ("eth1",)
    assert Lans(known).beyond("fd00::9") == Lans(known).beyond("10.9.9.9") == ()
