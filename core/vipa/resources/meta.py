"""What every vipa object shares: API group, metadata, and the wire's spelling of field names."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

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


class Condition(Wire, frozen=True):
    """A Kubernetes condition. ``reason`` is a word of :class:`vipa.reasons.Reason`."""

    type: str
    status: Annotated[str, Meta(description="True, False or Unknown")]
    reason: str
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0
