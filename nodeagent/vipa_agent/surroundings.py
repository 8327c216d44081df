"""What an agent finds when it begins, and what outlives it."""

from dataclasses import dataclass

from vipa_agent.bgp.advertiser import Advertiser
from vipa_agent.hookprocess import HookProcess
from vipa_agent.keyfile import KeyFile
from vipa_agent.service import Service
from vipa_agent.tenure import Tenure


@dataclass(frozen=True, slots=True)
class Surroundings:
    """``hooks``, ``bgp``: None without any."""

    keys: KeyFile
    tenure: Tenure
    hooks: HookProcess | None
    bgp: Advertiser | None
    service: Service
