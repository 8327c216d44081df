"""The figures of the scenario that ``vipa demo`` can draw and play; one entry each.

Figure 1: remote clients, behind a router that sends the address to one of the adapters. Figure 2: clients on the LAN,
who ask by ARP. Figure 3: one address on several machines, for both.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from vipa.resources.virtualip import Binding
from vipa_cli.demo.acts import ACTS, BEFORE, FIRST, SECOND, THIRD, Act
from vipa_cli.demo.remote import ACTS_OF_REMOTE, BEFORE_REMOTE, LAST, attend
from vipa_cli.demo.remote import DRAWING as DRAWING_REMOTE
from vipa_cli.demo.situation import Situation
from vipa_cli.demo.systems import ACTS_OF_SYSTEMS, DRAWING
from vipa_cli.demo.systems import attend as attend_systems
from vipa_cli.playground import Playground
from vipa_lab.lab import Lab
from vipa_lab.scenario import Scenario, figure_1_lab, ibm_i_lab

_LANES: Final = ((FIRST, "10.1.1.4"), (SECOND, "10.1.1.5"), (THIRD, "10.1.1.6"))


def _nothing(playground: Playground) -> None:
    """Nothing but agents takes part."""


@dataclass(frozen=True, slots=True)
class Figure:
    """``stage`` fills the lab, without agents; ``attend`` starts what else takes part, before the first act. ``lanes``:
    (adapter, its address), most preferred first. ``before``: the situation from which the first act begins. ``way``:
    from the client to the switch, in a line. ``binding``: as in a VirtualIP."""

    title: str
    drawing: str
    lanes: tuple[tuple[str, str], ...]
    acts: tuple[Act, ...]
    before: Situation
    stage: Callable[[Lab], Scenario]
    attend: Callable[[Playground], None] = _nothing
    way: str = "client ── switch "
    binding: Binding = Binding.HOLDER


_LOCAL_CLIENTS: Final = """\
 client 10.1.1.100          w1                    w2
        │             10.1.1.4  10.1.1.5       10.1.1.6
        │                │         │              │
     ───┴────────────────┴─────────┴──────────────┴───  LAN
     "who has 10.1.1.7?"  one adapter at a time answers
"""

_LOCAL: Final = Figure(
    "clients on the LAN find the address by ARP; adapters and machines fail",
    _LOCAL_CLIENTS,
    _LANES,
    ACTS,
    BEFORE,
    ibm_i_lab,
)

_SYSTEMS: Final = Figure(
    "the address is on both machines; one adapter answers the LAN, remote clients come to all",
    DRAWING,
    _LANES,
    ACTS_OF_SYSTEMS,
    BEFORE,
    ibm_i_lab,
    attend_systems,
    binding=Binding.EVERY_CANDIDATE,
)

_REMOTE: Final = Figure(
    "remote clients come through a router, by every healthy adapter",
    DRAWING_REMOTE,
    ((FIRST, "10.1.1.4"), (SECOND, "10.1.1.5"), (LAST, "10.1.1.6")),
    ACTS_OF_REMOTE,
    BEFORE_REMOTE,
    figure_1_lab,
    attend,
    "client ── router ── switch ",
)

DEFAULT: Final = 2

FIGURES: Final[dict[int, Figure]] = {
    1: _REMOTE,
    2: _LOCAL,
    3: _SYSTEMS,
}
"""By number."""
