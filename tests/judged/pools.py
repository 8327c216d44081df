"""VirtualIPPools. Their template is judged as a VirtualIP is, so its cases are those of VirtualIPs, put into one."""

from typing import Final

from judged.case import Case
from judged.virtualips import ACCEPTED as GOOD_VIPS
from judged.virtualips import GOOD, NO_LABEL, REFUSED_OTHERS

KIND: Final = "VirtualIPPool"
RANGES: Final = ["10.1.1.200-10.1.1.250"]


def ranges(*texts: str, field: str = "", says: str = "") -> Case:
    """A case of a pool of these ranges."""
    return Case(KIND, {"spec": {"ranges": list(texts)}}, field, says)


def pool(field: str = "", says: str = "", **fields: object) -> Case:
    """A case of a pool of good ranges and with ``fields``."""
    return Case(KIND, {"spec": {"ranges": RANGES, **fields}}, field, says)


def in_template(case: Case) -> Case:
    """A VirtualIP's case as that of a template."""
    template = {name: value for name, value in case.body["spec"].items() if name not in ("addresses", "pool")}
    return pool(case.field.replace("spec", "spec.template", 1), case.says, template=template)


NO_RANGE: Final = "no range"
NOT_CANONICAL: Final = "has bits set behind"
ENDS: Final = "must begin and end with unicast address"
BACKWARDS: Final = "a range ends before it begins"
OVERLAP: Final = "two ranges overlap"
IN_NETWORK: Final = "a network overlaps another range"

ACCEPTED: Final = (
    pool(),
    pool(serviceSelector={"matchLabels": {"tier": "web"}}, namespaceSelector={}, autoAssign=False),
    pool(
        serviceSelector={"matchExpressions": [{"key": "a", "operator": "Exists"}]},
        namespaceSelector={"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
    ),
    pool(preferredInterfaceList="ibm-i"),
    pool(preferredInterfaceList=""),
    pool(template={}),
    pool(template={"addresses": [], "pool": ""}),
    ranges("10.1.1.7-10.1.1.7"),
    ranges("10.1.1.9-10.1.1.10", "10.1.1.100-10.1.2.1", "10.1.1.11-10.1.1.99"),
    ranges("10.1.1.1 - 10.1.1.9"),
    ranges("10.1.2.0/28", "10.1.2.16/28", "10.1.2.32-10.1.2.40", "10.1.0.0/24"),
    ranges("fd00::/64", "fd00:0:0:1::/64", "fd00:0:0:2::1-fd00:0:0:2::ff", "10.1.2.0/28"),
    ranges("fd00::1-fd00::f", "fd00::10-fd00::1:0"),
    ranges("2001:db8::9-2001:db8::10", "2001:db8::11-2001:db8:0:0:1::"),
    *(in_template(case) for case in GOOD_VIPS if case.body["spec"].keys() - GOOD.keys() - {"pool"}),
)

REFUSED_RANGES: Final = (
    Case(KIND, {"spec": {}}, "spec.ranges", "Required value"),
    ranges(field="spec.ranges", says="should have at least 1 items"),
    ranges(*(f"10.1.{i}.0/24" for i in range(33)), field="spec.ranges", says="Too many"),
    *(
        ranges(*RANGES, text, field="spec.ranges[1]", says=NO_RANGE)
        for text in (
            "",
            "all",
            "10.1.1.1",
            "10.1.1.1-",
            "10.1.1.1-10.1.1",
            "10.1.1.1-10.1.1.2-10.1.1.3",
            "10.1.1.0/33",
            "10.1.1.0/255.255.255.0",
            "::ffff:10.1.1.0/112",
        )
    ),
    ranges("10.1.1.1/24", field="spec.ranges[0]", says=NOT_CANONICAL),
    ranges("FD00::/64", field="spec.ranges[0]", says=NOT_CANONICAL),
    ranges("fd00::1/64", field="spec.ranges[0]", says=NOT_CANONICAL),
    ranges("10.1.1.1-fd00::1", field="spec.ranges[0]", says=ENDS),
    ranges("127.0.0.1-127.0.0.9", field="spec.ranges[0]", says=ENDS),
    ranges("0.0.0.1-10.0.0.1", field="spec.ranges[0]", says=ENDS),
    ranges("fd00::1-FD00::9", field="spec.ranges[0]", says=ENDS),
    ranges("10.1.1.9-10.1.1.1", field="spec.ranges[0]", says=BACKWARDS),
    ranges("10.1.1.10-10.1.1.9", field="spec.ranges[0]", says=BACKWARDS),
    ranges("fd00::10-fd00::9", field="spec.ranges[0]", says=BACKWARDS),
    ranges("fd00::1:0-fd00::ffff", field="spec.ranges[0]", says=BACKWARDS),
    ranges("10.1.0.0/16", "10.1.1.1-10.1.1.9", field="spec.ranges[1]", says=IN_NETWORK),
    ranges("10.1.1.1-10.1.1.9", "10.1.0.0/16", field="spec.ranges[1]", says=IN_NETWORK),
    ranges("10.1.0.0/16", "10.1.9.0/24", field="spec.ranges[1]", says=IN_NETWORK),
    ranges("10.1.1.1-10.1.1.9", "10.1.1.9-10.1.1.20", field="spec.ranges[1]", says=OVERLAP),
    ranges("10.1.1.5-10.1.1.6", "10.9.9.0/24", "10.1.1.1-10.1.1.9", field="spec.ranges[2]", says=OVERLAP),
    ranges("10.1.1.1-10.1.1.9", "10.1.1.1 - 10.1.1.9", field="spec.ranges[1]", says=OVERLAP),
    ranges("10.1.0.250-10.1.1.5", "10.1.1.0/24", field="spec.ranges[1]", says=OVERLAP),
    ranges("fd00::1-fd00::1:0", "fd00::ff-fd00::100", field="spec.ranges[1]", says=OVERLAP),
    ranges("10.1.0.250-10.1.2.5", "10.1.1.0/24", field="spec.ranges[1]", says=OVERLAP),
    ranges("fd00::/64", "fd00::ff-fd00::100", field="spec.ranges[1]", says=IN_NETWORK),
    ranges("10.1.0.0/16", "10.1.0.0/16", field="spec.ranges[1]", says="Duplicate value"),
)

REFUSED_OTHERS_OF_POOL: Final = (
    *(pool("spec.preferredInterfaceList", "no valid name", preferredInterfaceList=text) for text in NO_LABEL),
    *(
        pool(f"spec.{name}.matchExpressions[0].values", says, **{name: {"matchExpressions": [requirement]}})
        for name in ("serviceSelector", "namespaceSelector")
        for requirement, says in (
            ({"key": "a", "operator": "In"}, "missing; operators In and NotIn"),
            ({"key": "a", "operator": "Exists", "values": ["b"]}, "operators Exists and DoesNotExist"),
        )
    ),
    pool("spec.autoAssign", "must be of type boolean", autoAssign="yes"),
    pool("spec.template", "names addresses or a pool", template={"addresses": ["10.1.1.7"]}),
    pool("spec.template", "names addresses or a pool", template={"pool": "office"}),
    Case(KIND, {"spec": {"ranges": RANGES}}, "metadata.name", "no valid name", name="of.fice"),
)

REFUSED_TEMPLATES: Final = tuple(
    in_template(case) for case in REFUSED_OTHERS if not case.says.startswith("names the virtual IP itself")
)

CASES: Final = (*ACCEPTED, *REFUSED_RANGES, *REFUSED_OTHERS_OF_POOL, *REFUSED_TEMPLATES)
