"""Every test here runs in namespaces of its own: as root directly, as anybody else in a user namespace.

When the machine allows neither, the tests fail and say why; none is skipped.
"""

from collections.abc import Iterator

import pytest

from vipa_lab.errors import LabError
from vipa_lab.gate_rig import Rig
from vipa_lab.lab import Lab
from vipa_lab.privileges import ensure_privileges
from vipa_lab.scenario import Scenario, ibm_i_lab
from vipa_lab.steering_rig import SteeringRig
from vipa_lab.wire_rig import Wire


@pytest.fixture(scope="session", autouse=True)
def privileges() -> None:
    try:
        ensure_privileges()
    except LabError as error:
        pytest.exit(f"the lab tests cannot run: {error}", returncode=1)


@pytest.fixture
def lab(privileges: None) -> Iterator[Lab]:
    """An empty lab."""
    with Lab() as made:
        yield made


@pytest.fixture
def ibm_i(lab: Lab) -> Scenario:
    """The seed's LAN without a virtual IP bound anywhere, echo servers running."""
    return ibm_i_lab(lab)


@pytest.fixture
def served(ibm_i: Scenario) -> Scenario:
    """w1 holds the VIP on its first adapter and answers there alone; w2 would do as much."""
    for node in ibm_i.nodes:
        node.set_ipv4_conf(arp_ignore=1)
    ibm_i.nodes[0].nics["eth1"].add_address(f"{ibm_i.vip}/32")
    return ibm_i


@pytest.fixture
def rig(lab: Lab) -> Iterator[Rig]:
    """For tests of the kernel layer: a node with two NICs, and a station that asks who answers."""
    made = Rig(lab)
    yield made
    made.close()


@pytest.fixture
def steered(lab: Lab) -> Iterator[SteeringRig]:
    """For tests of the ways of replies: such a node again, a client and a gateway."""
    made = SteeringRig(lab)
    yield made
    made.close()


@pytest.fixture
def wire(lab: Lab) -> Iterator[Wire]:
    """For tests of packet sockets: two stations and a cable between them."""
    made = Wire(lab)
    yield made
    made.close()
