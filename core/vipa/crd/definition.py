"""One CustomResourceDefinition for each kind."""

from typing import Final

import msgspec

from vipa.crd.kinds import CATEGORY, NAMES, Column
from vipa.crd.rules import RULES
from vipa.crd.schema import At, Generator, Schema, default_of, described, fields_of, sentence
from vipa.reasons import Reason
from vipa.resources import KINDS, ObjectMeta, Resource, validate
from vipa.resources.meta import GROUP, VERSION
from vipa.resources.texts import LABEL_MAX, NODE_MAX

KUBERNETES_OWN: Final[Schema] = {
    "apiVersion": {"type": "string", "description": "vipa.dev/v1alpha1"},
    "kind": {"type": "string", "description": "The kind's name"},
}


def definitions() -> dict[str, Schema]:
    """File name to CustomResourceDefinition, ready to be written as YAML or JSON; the same at every call."""
    generator = Generator(RULES)
    made = {f"{NAMES[kind].plural}.yaml": definition(kind, generator) for kind in KINDS}
    if lost := RULES.keys() - generator.used:
        raise KeyError(f"rules for fields that no resource has: {', '.join(sorted(lost))}")
    return made


def definition(kind: str, generator: Generator) -> Schema:
    """The CustomResourceDefinition of ``kind``, one of :data:`vipa.resources.KINDS`."""
    names = NAMES[kind]
    version: Schema = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(column) for column in names.columns],
        "schema": {"openAPIV3Schema": _root(kind, generator)},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": names.plural,
                "singular": kind.lower(),
                "shortNames": [names.short],
                "categories": [CATEGORY],
            },
            "versions": [version],
        },
    }


def _column(column: Column) -> Schema:
    made = msgspec.to_builtins(column)
    assert isinstance(made, dict)
    return made


def _root(kind: str, generator: Generator) -> Schema:
    """Schema of a whole object: Kubernetes' own fields, the spec with its defaults, the status without."""
    cls = KINDS[kind]
    spec, status = (next((f for f in fields_of(cls) if f.name == name), None) for name in ("spec", "status"))
    assert spec is not None
    made_spec = {"description": described(spec.type), **generator.schema(spec.type, _at(kind, "spec"), defaults=True)}
    needed = ["metadata", "spec"]
    if _says_enough(cls):
        made_spec["default"] = default_of(spec) or {}
        needed.remove("spec")
    fields: Schema = {**KUBERNETES_OWN, "metadata": _metadata(kind), "spec": made_spec}
    if status is not None:
        made_status = generator.schema(status.type, _at(kind, "status"), defaults=False)
        fields["status"] = {"description": described(status.type), **made_status}
    root: Schema = {
        "description": sentence((cls.__doc__ or "").partition("\n\n")[0]),
        "type": "object",
        "required": needed,
        "properties": fields,
    }
    generator.root(root, kind)
    return root


def _at(kind: str, name: str) -> At:
    return At(f"{kind}.{name}", f"{kind}.{name}")


def _says_enough(cls: type[Resource]) -> bool:
    """Whether an object without a spec is right. Asked of the judgement itself."""
    empty = cls(metadata=ObjectMeta(name="x"))
    return not any(problem.reason is Reason.INVALID for problem in validate(empty))


def _metadata(kind: str) -> Schema:
    """The name is the only thing in it that a schema may judge; its length is needed to judge it by a rule."""
    longest = NODE_MAX if kind == "VirtualIPNode" else LABEL_MAX
    return {"type": "object", "properties": {"name": {"type": "string", "maxLength": longest}}}
