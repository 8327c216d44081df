"""Compares what is known with what there is: a watch that broke may have missed that an object went away."""

import structlog

from vipa_operator.api import Api
from vipa_operator.reconcile.cluster import Kind
from vipa_operator.store import Store

log = structlog.get_logger()


async def missing(api: Api, store: Store, kind: Kind) -> frozenset[str]:
    """Names of objects that are there and not known. Raises as Api does."""
    return await api.names(kind) - store.names(kind)


async def lay_ghosts(api: Api, store: Store, kind: Kind) -> bool:
    """Drop what is gone, fetch what is not known. Each is asked for by name before it is believed, for the list is
    older than the answer. True: something changed. Raises as Api does."""
    known = store.names(kind)
    there = await api.names(kind)
    changed = False
    for name in sorted(known ^ there):
        if (name in there) == (name in store.names(kind)):
            continue  # the watch told us meanwhile
        raw = await api.get(kind, name)
        if raw is not None:
            changed |= store.put(kind, raw)
        elif store.drop(kind, name):
            log.info("gone without a word from the watch", kind=kind, object=name)
            changed = True
    return changed
