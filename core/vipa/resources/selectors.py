"""Kubernetes label selectors, as used by nodeSelector, serviceSelector and namespaceSelector."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from vipa.resources.meta import Wire
from vipa.resources.texts import LABEL_KEY_MAX, Label

LABELS_MAX: Final = 32
REQUIREMENTS_MAX: Final = 16
VALUES_MAX: Final = 64
"""Written by hand: more than these is a label that is missing on the nodes."""


class Operator(StrEnum):
    """How a label is compared; meanings are Kubernetes'."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


class Requirement(Wire, frozen=True):
    """One comparison of a label."""

    key: Annotated[str, Meta(max_length=LABEL_KEY_MAX, description="Name of the label")]
    operator: Operator
    values: Annotated[
        tuple[Label, ...], Meta(max_length=VALUES_MAX, description="For In and NotIn: at least one; else none")
    ] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether ``labels`` meet this; NotIn is met by a missing label, as in Kubernetes."""
        match self.operator:
            case Operator.IN:
                return labels.get(self.key) in self.values
            case Operator.NOT_IN:
                return labels.get(self.key) not in self.values
            case Operator.EXISTS:
                return self.key in labels
            case Operator.DOES_NOT_EXIST:
                return self.key not in labels


class LabelSelector(Wire, frozen=True):
    """All of matchLabels and all of matchExpressions must hold; an empty selector matches everything."""

    match_labels: Annotated[
        dict[str, Label], Meta(max_length=LABELS_MAX, description="Labels that must be there with these values")
    ] = msgspec.field(default_factory=dict)
    match_expressions: Annotated[
        tuple[Requirement, ...], Meta(max_length=REQUIREMENTS_MAX, description="Comparisons of labels; all must hold")
    ] = ()

    @property
    def empty(self) -> bool:
        """Whether it matches everything, even a node of which no labels are known."""
        return not self.match_labels and not self.match_expressions

    @property
    def key(self) -> tuple[object, ...]:
        """A hashable identity: equal for selectors that say the same."""
        labels = tuple(sorted(self.match_labels.items()))
        return labels, tuple((r.key, r.operator.value, r.values) for r in self.match_expressions)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether ``labels`` (name to value) meet every part."""
        return all(labels.get(k) == v for k, v in self.match_labels.items()) and all(
            r.matches(labels) for r in self.match_expressions
        )
