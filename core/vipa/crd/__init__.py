"""CustomResourceDefinitions, generated from the types of :mod:`vipa.resources`. Pure: values in, values out."""

from vipa.crd.definition import definition, definitions
from vipa.crd.kinds import NAMES, Names
from vipa.crd.rule import Rule

__all__ = ["NAMES", "Names", "Rule", "definition", "definitions"]
