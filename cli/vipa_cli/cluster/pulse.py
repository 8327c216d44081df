"""Is the operator alive? Its lease says so. When it is not, addresses stay served, but what the API says grows old."""

from datetime import UTC, datetime
from typing import NamedTuple

from vipa_cli.cluster.client import Client, escaped
from vipa_cli.cluster.errors import ForbiddenError, NotFoundError
from vipa_cli.cluster.kubeconfig import Json
from vipa_cli.cluster.objects import LEASE, spec_of


class Pulse(NamedTuple):
    """``alive`` None: not allowed to look. ``says``: for people."""

    alive: bool | None
    says: str


def pulse(client: Client, namespace: str) -> Pulse:
    """By the lease in ``namespace``."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{escaped(namespace)}/leases/{LEASE}"
    try:
        lease = client.get(path)
    except NotFoundError:
        return Pulse(False, f"no operator has ever run in namespace {namespace}: there is no Lease {LEASE}")
    except ForbiddenError:
        return Pulse(None, f"may not read Lease {LEASE} of namespace {namespace}")
    return judge(lease, datetime.now(UTC))


def judge(lease: Json, now: datetime) -> Pulse:
    """What ``lease`` says at ``now``."""
    spec = spec_of(lease)
    holder, renewed = str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or "")
    if not holder or not renewed:
        return Pulse(False, "no operator leads: its Lease is free")
    seconds = (now - datetime.fromisoformat(renewed)).total_seconds()
    # Twice, for the clocks of this machine and of the operator's differ.
    if seconds > 2 * int(spec.get("leaseDurationSeconds") or 15):
        return Pulse(False, f"the operator {holder} has not renewed its Lease for {seconds:.0f} s")
    return Pulse(True, f"{holder} leads")
