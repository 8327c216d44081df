"""All rows of the table "Simulated" in docs/design/0002-election.md, by name."""

from collections.abc import Mapping

from vipa_sim import guestrows, hardships, scenarios
from vipa_sim.scenarios import Row

ROWS: Mapping[str, Row] = {**scenarios.ROWS, **hardships.ROWS, **guestrows.ROWS}
