"""The pure part: what is seen of the cluster in, what is to be written out. No I/O and no clock."""

from vipa_operator.reconcile.cluster import Cluster, Key, Kind
from vipa_operator.reconcile.reconcile import Reconciler, reconcile
from vipa_operator.reconcile.writes import AnnotationWrite, DeleteWrite, EventWrite, SpecWrite, StatusWrite, Writes

__all__ = [
    "AnnotationWrite",
    "Cluster",
    "DeleteWrite",
    "EventWrite",
    "Key",
    "Kind",
    "Reconciler",
    "SpecWrite",
    "StatusWrite",
    "Writes",
    "reconcile",
]
