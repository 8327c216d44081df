"""From an object as the API server sends it to what the operator keeps of it."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec

from vipa.plan import Refusal
from vipa.resources.interfacelist import PreferredInterfaceList
from vipa.resources.node import VirtualIPNodeSpec, VirtualIPNodeStatus
from vipa.resources.read import read_object
from vipa.resources.virtualip import VirtualIP, VirtualIPStatus
from vipa_operator.reconcile.cluster import Kind, Meta, Seen, SeenAgent, SeenList, SeenNode, SeenVip
from vipa_operator.reconcile.exclusion import excluded, ready

MOVE_TO: Final = "vipa.dev/move-to"
"""docs/design/0005-operator.md: NODE or NODE/INTERFACE, written by ``kubectl vipa move``."""

GONE: Final = "vipa.dev/node-gone"
"""On a VirtualIPNode, ours: :class:`SeenAgent` says what."""
MANAGER: Final = "vipa-operator"
"""By this name server-side apply knows what is ours."""

Raw = Mapping[str, Any]


def read(kind: Kind, raw: Raw, before: Seen | None) -> Seen | None:
    """What is kept of ``raw``. None: it is being deleted, and to us already gone (a Node is not: it serves until it is
    really gone, it only is no candidate any more). ``before`` saves reading a spec again that has not changed."""
    meta = meta_of(raw)
    if kind is Kind.NODE:
        return SeenNode(meta, dict(raw["metadata"].get("labels") or {}), excluded(raw), ready(raw))
    if raw["metadata"].get("deletionTimestamp"):
        return None
    if kind is Kind.AGENT:
        return _agent(meta, raw)
    known = before if before is not None and before.meta.uid == meta.uid else None
    same = known is not None and known.meta.generation == meta.generation and meta.generation > 0
    if kind is not Kind.VIP:
        if same and isinstance(known, SeenList):
            return SeenList(meta, known.spec, known.refusal)
        obj, refusal = _judged(raw)
        return SeenList(meta, obj if isinstance(obj, PreferredInterfaceList) else None, refusal)
    status = lenient(raw.get("status"), VirtualIPStatus)
    move_to = (raw["metadata"].get("annotations") or {}).get(MOVE_TO, "")
    if same and isinstance(known, SeenVip):
        return SeenVip(meta, known.spec, known.refusal, status, known.wanted, move_to)
    obj, refusal = _judged(raw)
    return SeenVip(meta, obj if isinstance(obj, VirtualIP) else None, refusal, status, _wanted(raw), move_to)


def meta_of(raw: Raw) -> Meta:
    """Metadata of any object."""
    meta = raw["metadata"]
    return Meta(meta["name"], meta.get("uid", ""), meta.get("resourceVersion", ""), int(meta.get("generation") or 0))


Part = TypeVar("Part", VirtualIPStatus, VirtualIPNodeSpec, VirtualIPNodeStatus)


def lenient(raw: object, cls: type[Part]) -> Part:
    """``raw`` as ``cls``; its defaults when it does not fit: a part that is ours is then written anew, and one that is
    an agent's is as if it had said nothing."""
    try:
        return msgspec.convert(raw or {}, cls)
    except msgspec.ValidationError:
        return cls()


def _judged(raw: Raw) -> tuple[object, Refusal | None]:
    # Only what people write is judged; annotations, managedFields and our own status are not theirs.
    meta = {k: v for k, v in raw["metadata"].items() if k in ("name", "creationTimestamp", "generation", "uid")}
    read = read_object({**{k: v for k, v in raw.items() if k != "status"}, "metadata": meta})
    if read.obj is not None:
        return read.obj, None
    message = "; ".join(str(p) for p in read.problems)
    return None, Refusal(read.kind, read.name, read.problems[0].reason, message)


def _wanted(raw: Raw) -> tuple[str, ...]:
    spec = raw.get("spec")
    addresses = spec.get("addresses") if isinstance(spec, dict) else None
    return tuple(str(a) for a in addresses) if isinstance(addresses, list) else ()


def _agent(meta: Meta, raw: Raw) -> SeenAgent:
    return SeenAgent(
        meta,
        (raw["metadata"].get("annotations") or {}).get(GONE, ""),
        _owned(raw["metadata"]),
        lenient(raw.get("spec"), VirtualIPNodeSpec),
        lenient(raw.get("status"), VirtualIPNodeStatus),
    )


def _owned(meta: Raw) -> bool:
    """Somebody else's owner is not ours to take away, and applying anew would not."""
    return bool(meta.get("ownerReferences")) and any(
        part.get("manager") == MANAGER and "f:ownerReferences" in (part.get("fieldsV1") or {}).get("f:metadata", {})
        for part in meta.get("managedFields") or ()
    )
