"""Keeps the cluster up to date from objects in any order, twice, or late; knows what has changed since last asked."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from vipa_operator.reconcile.cluster import Cluster, Key, Kind, Meta, Seen, SeenAgent, SeenVip
from vipa_operator.reconcile.reading import meta_of, read

Table = dict[str, Any]

UNVERSIONED: Final = -1


class Store:
    """``cluster`` is what reconciliation looks at. ``changed`` are the objects whose kept part is not what it was."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.changed: set[Key] = set()
        self._tables: dict[Kind, Table] = {
            Kind.VIP: self.cluster.vips,
            Kind.LIST: self.cluster.lists,
            Kind.POOL: self.cluster.pools,
            Kind.AGENT: self.cluster.agents,
            Kind.NODE: self.cluster.nodes,
        }

    def names(self, kind: Kind) -> frozenset[str]:
        """Names of all objects of this kind."""
        return frozenset(self._tables[kind])

    def put(self, kind: Kind, raw: Mapping[str, Any]) -> bool:
        """Take an object as the API server sent it. Older news of the same object is dropped, of one that was deleted
        and made anew since too. True: something that matters changed, other than by a write of ours."""
        table, meta = self._tables[kind], meta_of(raw)
        before: Seen | None = table.get(meta.name)
        if before is not None and _is_old(meta, before.meta):
            return False
        after = read(kind, raw, before)
        if after is None:
            return self.drop(kind, meta.name, meta.uid)
        table[meta.name] = after
        if before is not None and (_same(before, after) or _same(self._written(before), after)):
            return False
        self.changed.add(Key(kind, meta.name))
        return True

    def drop(self, kind: Kind, name: str, uid: str = "") -> bool:
        """The object (of this uid; any without) is gone. True: it was there."""
        known: Seen | None = self._tables[kind].get(name)
        if known is None or (uid and known.meta.uid != uid):
            return False
        del self._tables[kind][name]
        self.changed.add(Key(kind, name))
        return True

    def touch(self, key: Key) -> None:
        """Look at this object again although nothing changed."""
        self.changed.add(key)

    def touch_all(self) -> None:
        """Look at everything again."""
        self.changed |= self.cluster.keys()

    def take_changes(self) -> set[Key]:
        """What changed since the last call."""
        changed, self.changed = self.changed, set()
        return changed

    def _written(self, before: Seen) -> Seen:
        """``before`` as it comes back when what is being written has been."""
        match before:
            case SeenVip():
                return replace(before, status=self.cluster.statuses.get(before.meta.name, before.status))
            case SeenAgent():
                write = self.cluster.specs.get(before.meta.name)
                return before if write is None else replace(before, spec=write.spec, gone=write.gone, owned=False)
        return before


def _is_old(meta: Meta, known: Meta) -> bool:
    """Whether what came is older than what is known, or the same once more."""
    came, have = _number(meta.version), _number(known.version)
    return came < have or (came == have != UNVERSIONED and meta.uid == known.uid)


def _number(version: str) -> int:
    # Comparable as numbers for every built-in type and CRD (Kubernetes KEP-5504).
    return int(version) if version.isdecimal() else UNVERSIONED


def _same(before: Seen, after: Seen) -> bool:
    """Whether nothing but the version differs. The generation of a node's share says no more than the share itself."""
    fields = [f for f in type(after).__slots__ if f != "meta"]
    return (
        type(before) is type(after)
        and before.meta.uid == after.meta.uid
        and (isinstance(after, SeenAgent) or before.meta.generation == after.meta.generation)
        and all(getattr(before, f) == getattr(after, f) for f in fields)
    )
