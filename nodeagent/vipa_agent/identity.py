"""Who this agent is in the election."""

import secrets
from pathlib import Path
from typing import Final

from vipa.election.config import Config
from vipa.heartbeat.keys import Key
from vipa_agent.settings import Settings

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """The kernel's id of this boot, a UUID in text."""
    return _BOOT_ID.read_text().strip()


def config_of(settings: Settings, keys: tuple[Key, ...], boot: str) -> Config:
    """A new incarnation; ``boot``: the boot id."""
    return Config(
        node=settings.node,
        incarnation=secrets.randbits(64),
        boot_id=int(boot.replace("-", "")[:16], 16),
        keys=keys,
        cluster=settings.cluster,
        insecure=settings.insecure,
    )
