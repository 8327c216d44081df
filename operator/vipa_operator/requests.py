"""Each write of a reconciliation as one request."""

from typing import Any

import msgspec

from vipa.resources.meta import API_VERSION
from vipa.resources.virtualip import VirtualIPStatus
from vipa_operator.api import JSON_PATCH, PATHS, Api, Raw
from vipa_operator.errors import ApiError
from vipa_operator.reconcile.cluster import Kind
from vipa_operator.reconcile.reading import GONE, MOVE_TO
from vipa_operator.reconcile.writes import AnnotationWrite, DeleteWrite, SpecWrite, StatusWrite


async def write_spec(api: Api, write: SpecWrite, timeout_s: float) -> Raw:
    """Apply a node's share; makes the VirtualIPNode when it is to be made. With its uid given an object that was
    deleted meanwhile is not made anew (409). Says nothing of owners: one that we set once goes."""
    meta: dict[str, Any] = {"name": write.node}
    if write.uid:
        meta["uid"] = write.uid
    if write.gone:
        meta["annotations"] = {GONE: write.gone}
    spec = msgspec.to_builtins(write.spec)
    body = {"apiVersion": API_VERSION, "kind": Kind.AGENT.value, "metadata": meta}
    full = {"epoch": write.spec.epoch, "assignments": spec.get("assignments", [])}
    return await api.apply(f"{PATHS[Kind.AGENT]}/{write.node}", {**body, "spec": full}, timeout_s)


async def delete_node(api: Api, write: DeleteWrite, timeout_s: float) -> None:
    """Delete a VirtualIPNode that is still as it was seen (409 otherwise). One that is gone already is no error."""
    body = {"preconditions": {"uid": write.uid, "resourceVersion": write.version}}
    try:
        await api.request("DELETE", f"{PATHS[Kind.AGENT]}/{write.node}", body, timeout_s=timeout_s)
    except ApiError as error:
        if error.status != 404:
            raise


async def write_status(api: Api, write: StatusWrite, timeout_s: float) -> Raw:
    """Apply a VIP's status."""
    meta = {"name": write.vip, "uid": write.uid}
    body = {"apiVersion": API_VERSION, "kind": Kind.VIP.value, "metadata": meta, "status": spelled(write.status)}
    return await api.apply(f"{PATHS[Kind.VIP]}/{write.vip}/status", body, timeout_s)


def spelled(status: VirtualIPStatus) -> dict[str, Any]:
    """As it is written: what people look for stands there also when it is zero or false."""
    written: dict[str, Any] = msgspec.to_builtins(status)
    written["spares"] = status.spares
    written["observedGeneration"] = status.observed_generation
    for given, candidate in zip(written.get("succession", ()), status.succession, strict=True):
        given["healthy"] = candidate.healthy
    return written


async def remove_request(api: Api, write: AnnotationWrite, timeout_s: float) -> Raw:
    """Take the request to move away, if it still says the same (422 otherwise)."""
    path = f"/metadata/annotations/{MOVE_TO.replace('/', '~1')}"
    change = [
        {"op": "test", "path": "/metadata/uid", "value": write.uid},
        {"op": "test", "path": path, "value": write.value},
        {"op": "remove", "path": path},
    ]
    return await api.request("PATCH", f"{PATHS[Kind.VIP]}/{write.vip}", change, content=JSON_PATCH, timeout_s=timeout_s)
