"""Every fault does what it says, and its inverse undoes it."""

import time
from collections.abc import Callable

import pytest

from vipa_lab.client import Client
from vipa_lab.host import Host
from vipa_lab.lab import Lab
from vipa_lab.results import ProbeResult
from vipa_lab.switch import Port, Switch
from vipa_lab.until import until


class Lan:
    """A switch with two clients a, b and a third station c."""

    def __init__(self, lab: Lab) -> None:
        self.switch: Switch = lab.add_switch("lan")
        self.a: Client = lab.add_client("a")
        self.b: Client = lab.add_client("b")
        self.c: Host = lab.add_station("c")
        for number, host in enumerate((self.a, self.b, self.c), 1):
            host.add_nic(self.switch, f"10.1.1.{number}/24")
        lab.settle()

    def port(self, host: Host) -> Port:
        return host.nics["eth1"].port


@pytest.fixture
def lan(lab: Lab) -> Lan:
    return Lan(lab)


def ask(client: Client, address: str, count: int = 20, period_ms: float = 5) -> ProbeResult:
    return client.arp_asker(address, period_ms=period_ms, count=count).wait(30)


def reaches(client: Client, address: str) -> bool:
    result = ask(client, address)
    return result.lost < result.sent


FAULTS: dict[str, tuple[Callable[[Lan], None], Callable[[Lan], None]]] = {
    "port down": (lambda lan: lan.port(lan.b).down(), lambda lan: lan.port(lan.b).up()),
    "blocked": (lambda lan: lan.port(lan.b).block(), lambda lan: lan.port(lan.b).unblock()),
    "deaf": (lambda lan: lan.port(lan.b).cut("to_nic"), lambda lan: lan.port(lan.b).heal()),
    "mute": (lambda lan: lan.port(lan.b).cut("from_nic"), lambda lan: lan.port(lan.b).heal()),
    "all lost": (lambda lan: lan.port(lan.b).lose(100), lambda lan: lan.port(lan.b).heal()),
    "pair cut": (lambda lan: lan.switch.cut(lan.port(lan.a), lan.port(lan.b)), lambda lan: lan.switch.heal()),
    "pair cut, way back": (lambda lan: lan.switch.cut(lan.port(lan.b), lan.port(lan.a)), lambda lan: lan.switch.heal()),
    "split": (
        lambda lan: lan.switch.split([lan.port(lan.a), lan.port(lan.c)], [lan.port(lan.b)]),
        lambda lan: lan.switch.heal(),
    ),
    "interface down": (
        lambda lan: lan.b.nics["eth1"].set_admin(up=False),
        lambda lan: lan.b.nics["eth1"].set_admin(up=True),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_cuts_off_its_victim_alone_and_its_inverse_undoes_it(lan: Lan, name: str) -> None:
    inject, undo = FAULTS[name]
    assert reaches(lan.a, "10.1.1.2")
    inject(lan)
    assert not reaches(lan.a, "10.1.1.2")
    assert reaches(lan.a, "10.1.1.3")
    undo(lan)
    until(lambda: reaches(lan.a, "10.1.1.2"), f"{name} is undone")  # a link that comes back may take a second


def test_only_a_port_that_is_down_takes_the_carrier(lan: Lan) -> None:
    nic = lan.b.nics["eth1"]
    lan.port(lan.b).block()
    lan.port(lan.b).cut("to_nic")
    assert nic.carrier()
    lan.port(lan.b).down()
    assert not nic.carrier()


def test_a_blocked_port_stays_blocked_when_its_carrier_flaps_and_when_cuts_are_healed(lan: Lan) -> None:
    lan.port(lan.b).block()
    lan.port(lan.b).down()
    lan.port(lan.b).up()
    lan.switch.heal()
    time.sleep(1.2)  # the kernel may hold the link event back for a second
    assert not reaches(lan.a, "10.1.1.2")


def test_a_cut_is_one_way(lan: Lan) -> None:
    """b hears questions it cannot answer, or cannot hear them: its own questions show which."""
    lan.port(lan.b).cut("from_nic")
    lan.a.flush_neighbours()
    lan.b.flush_neighbours()
    lan.a.udp_probe("10.1.1.2", period_ms=5, count=5).wait(20)
    assert lan.b.neighbour("10.1.1.1") == lan.a.nics["eth1"].mac
    assert lan.a.neighbour("10.1.1.2") is None


def test_loss_drops_its_share(lan: Lan) -> None:
    lan.port(lan.b).lose(30, "to_nic")
    result = ask(lan.a, "10.1.1.2", count=500, period_ms=2)
    # 500 draws at 30 %: the standard deviation is 2 %, so 6 of them are never left by chance.
    assert 0.18 < result.lost / result.sent < 0.42


def test_faults_outlive_the_interface_they_hit(lan: Lan) -> None:
    lan.port(lan.b).block()
    lan.b.nics["eth1"].delete()
    lan.b.nics["eth1"].recreate()
    lan.a.nics["eth1"].port.down()
    lan.a.power_off()
    lan.c.power_off()
    lan.a.boot()
    lan.c.boot()
    assert not lan.a.nics["eth1"].carrier()
    lan.a.nics["eth1"].port.up()
    until(lambda: reaches(lan.a, "10.1.1.3"), "a booted machine answers")
    assert not reaches(lan.a, "10.1.1.2")
