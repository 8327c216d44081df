"""The last plan, kept in ``plan.json`` of the state dir: an agent that starts while the API is away serves by it.

A torn or foreign file must not become a plan: it is written whole or not at all, and carries a checksum, the node's
name and the object it came from. Nothing of it is believed before all of that is right.
"""

import hashlib
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from vipa.plan import Plan
from vipa.resources.assigned import assignment_of, plan_of
from vipa.resources.node import VirtualIPNodeSpec
from vipa_agent.state import replace

PLAN_NAME: Final = "plan.json"
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
"""The kernel's own name of this boot (random(4)); the same inside containers."""


class LastPlanError(Exception):
    """There is a file, and it cannot be used; the message says why."""


class OtherBootError(LastPlanError):
    """There is a file, and nothing is wrong with it but that the node was started since."""


class Kept(NamedTuple):
    """A plan and the uid of the object that it came from."""

    uid: str
    plan: Plan


class _Content(msgspec.Struct, frozen=True):
    node: str
    uid: str
    boot: str
    spec: VirtualIPNodeSpec


class _File(msgspec.Struct, frozen=True):
    checksum: str
    content: msgspec.Raw


def boot_id() -> str:
    """This boot of the node. Raises OSError."""
    return BOOT_ID.read_text().strip()


def load(state_dir: Path, node: str, boot: str) -> Kept | None:
    """The plan kept for ``node`` in this ``boot``; None when none was. Raises LastPlanError."""
    path = state_dir / PLAN_NAME
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
        content = msgspec.json.decode(file.content, type=_Content)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LastPlanError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LastPlanError(f"{path} is damaged: {error}") from error
    if file.checksum != _checksum(bytes(file.content)):
        raise LastPlanError(f"{path} is damaged: its checksum does not fit")
    if content.node != node:
        raise LastPlanError(f"{path} is of node {content.node}, this is {node}: give each node a state dir of its own")
    if content.boot != boot:
        raise OtherBootError(f"{path} is from before this node was started: waiting for the API")
    planned = plan_of(content.spec)
    if planned.refusals:
        raise LastPlanError(f"{path} is damaged: {planned.refusals[0].message}")
    return Kept(content.uid, planned)


def save(state_dir: Path, node: str, boot: str, kept: Kept) -> None:
    """Replace what is kept: all or nothing. Blocks on the disk. Raises OSError."""
    spec = VirtualIPNodeSpec(kept.plan.epoch, tuple(assignment_of(vip) for vip in kept.plan.vips))
    content = msgspec.json.encode(_Content(node, kept.uid, boot, spec))
    replace(state_dir / PLAN_NAME, msgspec.json.encode(_File(_checksum(content), msgspec.Raw(content))) + b"\n")


def _checksum(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
