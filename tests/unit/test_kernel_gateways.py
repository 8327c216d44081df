"""Which gateway replies of each steered interface go by."""

from vipa.election.events import LocalInterface
from vipa_agent.kernel.marks import gateways

OWN = (("eth1", "10.1.1.4/24"), ("eth2", "10.1.1.5/24"), ("eth3", "10.2.0.4/24"), ("eth4", "10.2.0.5/24"))
Known = dict[str, tuple[str, ...]]


def nic(name: str, *found: str) -> LocalInterface:
    return LocalInterface(name, "02:00:00:00:00:01", (), gateways=found)


def worked_out(*links: LocalInterface) -> Known:
    return {name: known for name, known in gateways(OWN, links, 4).items() if known}


def test_one_default_route_serves_every_interface_of_its_lan_and_no_other() -> None:
    links = nic("eth1", "10.1.1.1"), nic("eth2"), nic("eth3"), nic("eth4")
    assert worked_out(*links) == {"eth1": ("10.1.1.1",), "eth2": ("10.1.1.1",)}
    assert worked_out(nic("eth1", "192.0.2.1"), nic("eth2")) == {"eth1": ("192.0.2.1",)}, "not on the LAN of eth2"


def test_an_interfaces_own_gateway_comes_first() -> None:
    links = nic("eth1", "10.1.1.1"), nic("eth2", "10.1.1.2")
    assert worked_out(*links) == {"eth1": ("10.1.1.1",), "eth2": ("10.1.1.2",)}


def test_the_versions_are_apart_and_a_link_local_gateway_is_on_every_adapter_of_the_lan() -> None:
    own = (("eth1", "fd00::4/64"), ("eth2", "fd00::5/64"))
    links = nic("eth1", "10.1.1.1", "fe80::1"), nic("eth2")
    assert gateways(own, links, 6) == {"eth1": ("fe80::1",), "eth2": ("fe80::1",)}
