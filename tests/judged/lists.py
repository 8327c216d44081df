"""PreferredInterfaceLists."""

from typing import Any, Final

from judged.case import Case
from judged.virtualips import NO_ADDRESS, NO_INTERFACE, NO_NODE

KIND: Final = "PreferredInterfaceList"
FIRST: Final = {"address": "10.1.1.4"}


def entries(*interfaces: object, field: str = "", says: str = "", **fields: object) -> Case:
    """A case of a list with these entries."""
    return Case(KIND, {"spec": {"interfaces": list(interfaces), **fields}}, field, says)


def one(entry: dict[str, Any], field: str = "", says: str = "") -> Case:
    """A case of a list of two, of which the second is ``entry``; ``field`` is below it."""
    return entries(FIRST, entry, field=f"spec.interfaces[1]{field}" if says else "", says=says)


BY_LABEL: Final = {"nodeSelector": {"matchLabels": {"rack": "b"}}, "interface": "ens*"}
MANY: Final = tuple({"address": f"10.1.1.{i}"} for i in range(1, 66))

ACCEPTED: Final = (
    entries(FIRST),
    entries(FIRST, fallback="None"),
    entries(*MANY[:64]),
    one({"address": "fd00::4"}),
    one({"address": "10.1.1.5", "node": "", "interface": ""}),
    one({"node": "w2", "interface": "eth1"}),
    one({"node": "w2.example.com", "interface": "a" * 15, "address": ""}),
    one(BY_LABEL),
    one({"nodeSelector": {}, "interface": "*"}),
    one({"nodeSelector": {"matchExpressions": [{"key": "rack", "operator": "In", "values": ["b"]}]}, "interface": "e"}),
    entries(BY_LABEL, {**BY_LABEL, "interface": "eth*"}, {**BY_LABEL, "nodeSelector": {"matchLabels": {"rack": "a"}}}),
    entries({"node": "w1", "interface": "eth1"}, {"node": "w1", "interface": "eth2"}),
)

WAYS: Final = "must have exactly one of"

REFUSED: Final = (
    Case(KIND, {"spec": {}}, "spec.interfaces", "Required value"),
    Case(KIND, {}, "spec.interfaces", "Required value", "spec"),
    entries(field="spec.interfaces", says="should have at least 1 items"),
    entries(*MANY, field="spec.interfaces", says="Too many"),
    entries(FIRST, fallback="Some", field="spec.fallback", says="Unsupported value"),
    one({}, "", WAYS),
    one({"address": "", "node": ""}, "", WAYS),
    one({"interface": "eth1"}, "", WAYS),
    one({"address": "10.1.1.5", "node": "w1"}, "", WAYS),
    one({"address": "10.1.1.5", "interface": "eth1"}, "", WAYS),
    one({"address": "10.1.1.5", "nodeSelector": {}}, "", WAYS),
    one({"node": "w1", "nodeSelector": {}, "interface": "eth1"}, "", WAYS),
    one({"node": "w1"}, ".interface", "missing; name the interface"),
    one({"node": "w1", "interface": ""}, ".interface", "missing; name the interface"),
    one({"nodeSelector": {}}, ".interface", "missing; name the interface"),
    one({"node": "w1", "interface": "eth*"}, ".interface", "no name of one interface"),
    one({"node": "w1", "interface": "eth[0]"}, ".interface", "no name of one interface"),
    one({"node": "w1", "interface": "a" * 16}, ".interface", "no name of one interface"),
    one({"nodeSelector": {}, "interface": "a" * 65}, ".interface", "Too long"),
    *(one({"nodeSelector": {}, "interface": text}, ".interface", "no interface name") for text in NO_INTERFACE),
    *(one({"node": text, "interface": "eth1"}, ".node", "no node name") for text in NO_NODE),
    one({"node": "a" * 254, "interface": "eth1"}, ".node", "Too long"),
    *(one({"address": text}, ".address", says) for text, says in NO_ADDRESS),
    one(
        {"nodeSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}, "interface": "eth1"},
        ".nodeSelector.matchExpressions[0].values",
        "missing; operators In and NotIn",
    ),
    one(
        {"nodeSelector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}, "interface": "e"},
        ".nodeSelector.matchExpressions[0].values",
        "operators Exists and DoesNotExist",
    ),
    one(FIRST, "", "two entries say the same"),
    one({**FIRST, "node": ""}, "", "two entries say the same"),
    entries(BY_LABEL, FIRST, BY_LABEL, field="spec.interfaces[2]", says="two entries say the same"),
    Case(KIND, {"spec": {"interfaces": [FIRST]}}, "metadata.name", "no valid name", name="ibm.i"),
)

CASES: Final = (*ACCEPTED, *REFUSED)
