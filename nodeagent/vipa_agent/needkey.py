"""Heartbeats that anyone can forge are only sent when asked for in so many words."""

from collections.abc import Iterable

from vipa.election.events import LocalInterface
from vipa.errors import ConfigError
from vipa.plan import Plan
from vipa_agent.settings import Settings


def need_key(settings: Settings, planned: Plan, interfaces: Iterable[LocalInterface]) -> None:
    """ConfigError when ``planned`` has peers and there is neither a key nor the word --insecure."""
    if settings.keys or settings.insecure:
        return
    here = {a.partition("/")[0] for i in interfaces for a in i.addresses}
    others = sorted({e.address for v in planned.vips for e in v.succession} - here)
    if others:
        raise ConfigError(
            f"the plan names endpoints of other nodes ({', '.join(others[:3])}), so heartbeats need a key: "
            "give --key-file F (the same file on every node), or --insecure for a LAN you trust"
        )
