"""Which replica writes: the logic of a Lease (coordination.k8s.io/v1), without clock or I/O.

Two never write at the same time, by two clocks that are never compared: the leader stops ``RENEW_S`` after the
*sending* of its last renewal that was answered; another replica takes the lease ``LEASE_S`` after it *saw* it change
last, which is later than the sending. The difference also covers what the leader had sent just before it stopped, see
:data:`WRITE_S`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

LEASE_S: Final = 15.0
RENEW_S: Final = 10.0
RETRY_S: Final = 2.0
"""The three defaults of Kubernetes' own components (client-go, leaderelection): 15, 10 and 2 seconds."""
WRITE_S: Final = 3.0
"""Longest that one write may take. One that starts at the last moment so ends at RENEW_S + WRITE_S, 2 s before anybody
else begins."""


@dataclass(slots=True)
class Candidate:
    """One replica. ``name`` must be unique among them, also across restarts."""

    name: str
    leads_until: float = float("-inf")
    _seen: tuple[str, str] = ("", "")
    _seen_at: float = float("-inf")
    _lease: Mapping[str, Any] | None = None

    def leads(self, now: float) -> bool:
        """Whether this replica may write."""
        return now < self.leads_until

    def observe(self, lease: Mapping[str, Any] | None, now: float) -> None:
        """The lease as it was just read; None: there is none."""
        self._lease = lease
        if lease is None:
            self._seen, self._seen_at = ("", ""), float("-inf")
            return
        meta = lease["metadata"]
        seen = (str(meta.get("uid", "")), str(meta.get("resourceVersion", "")))
        if seen != self._seen:
            self._seen, self._seen_at = seen, now

    def wanted(self, now: float, wall: datetime) -> dict[str, Any] | None:
        """The lease to write now, by its resourceVersion onto what was observed; None while another one has it."""
        spec: Mapping[str, Any] = (self._lease or {}).get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        length_s = float(spec.get("leaseDurationSeconds") or LEASE_S)
        if holder not in ("", self.name) and now < self._seen_at + max(length_s, LEASE_S):
            return None
        mine = holder == self.name
        at = wall.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return self._with(
            {
                "holderIdentity": self.name,
                "leaseDurationSeconds": int(LEASE_S),
                "acquireTime": spec.get("acquireTime", at) if mine else at,
                "renewTime": at,
                "leaseTransitions": int(spec.get("leaseTransitions") or 0) + (not mine and bool(spec)),
            }
        )

    def written(self, lease: Mapping[str, Any], sent_at: float) -> None:
        """The API server took what :meth:`wanted` said, which was sent at ``sent_at``."""
        self.observe(lease, sent_at)
        self.leads_until = sent_at + RENEW_S

    def resigned(self) -> dict[str, Any] | None:
        """The lease with nobody in it, to write last, after the last other write; None when it is not this one's."""
        self.leads_until = float("-inf")
        spec = dict((self._lease or {}).get("spec") or {})
        if spec.get("holderIdentity") != self.name:
            return None
        return self._with({**spec, "holderIdentity": "", "leaseDurationSeconds": 1})

    def _with(self, spec: dict[str, Any]) -> dict[str, Any]:
        if self._lease is None:
            return {"spec": spec}
        meta = self._lease["metadata"]
        return {"metadata": {"uid": meta.get("uid"), "resourceVersion": meta.get("resourceVersion")}, "spec": spec}
