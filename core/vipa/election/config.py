"""Who a node is in the election."""

from dataclasses import dataclass

from vipa.election.peers import node_id
from vipa.heartbeat.keys import INSECURE, Key


@dataclass(frozen=True, slots=True)
class Config:
    """Who this node is. ``incarnation`` is random per agent start, ``boot_id`` per boot. Without ``keys`` heartbeats
    are unsigned (--insecure). ``count_from_suspicion`` breaks rule 5 on purpose, for the simulator's experiment."""

    node: str
    incarnation: int
    boot_id: int = 0
    keys: tuple[Key, ...] = ()
    cluster: str = ""
    insecure: bool = False
    count_from_suspicion: bool = False

    @property
    def accepted_keys(self) -> tuple[Key, ...]:
        """Keys that verify heartbeats; the first signs."""
        return self.keys or (INSECURE,)

    @property
    def cluster_id(self) -> int:
        """32-bit id on the wire: the cluster's name, else what the first key gives."""
        return _cluster_id(self.cluster or f"key:{self.accepted_keys[0].id}")

    @property
    def cluster_ids(self) -> frozenset[int]:
        """Those that are this cluster's: without a name each accepted key gives one, or nodes would be deaf to each
        other while keys are rotated."""
        if self.cluster:
            return frozenset({self.cluster_id})
        return frozenset(_cluster_id(f"key:{key.id}") for key in self.accepted_keys)


def _cluster_id(text: str) -> int:
    return node_id(text) >> 32
