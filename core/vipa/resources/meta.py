"""What every vipa object shares: API group, metadata, and the wire's spelling of field names."""

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from vipa.resources.texts import Time

GROUP: Final = "vipa.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "vipa.dev/v1alpha1"


class Wire(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Base of everything inside an object: immutable, camelCase on the wire, defaults left out."""


class Object(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Base of the objects themselves: like :class:`Wire`, but apiVersion and kind are always written."""


class ObjectMeta(Wire, frozen=True):
    """The part of Kubernetes' metadata that vipa reads. Other fields of it are not ours and are left alone."""

    name: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: str = ""
    generation: int = 0
    uid: str = ""


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Wire, frozen=True):
    """One condition, in the manner of Kubernetes. ``reason`` is a word of :class:`vipa.reasons.Reason`."""

    type: str
    status: ConditionStatus
    reason: Annotated[str, Meta(description="One word; docs/operations.md explains each")]
    message: Annotated[str, Meta(description="The same for people, with the remedy")] = ""
    last_transition_time: Annotated[Time, Meta(description="When status last changed")] = ""
    observed_generation: Annotated[int, Meta(description="The metadata.generation that this condition is about")] = 0
