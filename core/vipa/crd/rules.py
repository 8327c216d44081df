"""Where which rule stands: what ``validate`` refuses in one object, the API server refuses by a rule from here.

Keys: "Type" for every value of a type, "Type.field" for a field of it wherever the type is used; "Kind.spec.field" for
a field of one kind only. [] at the end: each entry of the list there. What stands at VirtualIP.spec and not at
VirtualIPSpec is about addresses, which the template of a pool has none of.
"""

from collections.abc import Mapping
from typing import Final

from vipa.crd.changes import CHANGE_RULES
from vipa.crd.common import ADDRESS, ASSIGNED_ADDRESS, INTERFACE_GLOB, LABEL, NODE, OBJECT_NAME, ONE_INTERFACE
from vipa.crd.ranges import RANGE_RULES
from vipa.crd.rule import Fault, Rule, fullmatch
from vipa.resources.durations import PART
from vipa.resources.healthcheck import INTERVAL_S, PATH, TIMEOUT_S
from vipa.resources.texts import INTERFACE_MAX

IS_DURATION: Final = fullmatch(f"({PART.pattern})+")
A_DURATION: Final = (
    Rule(IS_DURATION, "no duration; write numbers with units h, m, s or ms, such as 30s, 1m30s or 500ms"),
    Rule(f"!{IS_DURATION} || duration(self) <= duration('24h')", "longer than a day; write at most 24h"),
)


def _from_to(bounds_s: tuple[float, float]) -> Rule:
    """A duration within bounds; longer than a day is said by another rule."""
    least, most = (f"{bound:g}s" for bound in bounds_s)
    return Rule(
        f"!{IS_DURATION} || duration(self) > duration('24h') || "
        f"(duration(self) >= duration('{least}') && duration(self) <= duration('{most}'))",
        f"must be from {least} to {most}",
    )


VIP_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "VirtualIP": (OBJECT_NAME,),
    "VirtualIP.spec": (
        Rule(
            "(has(self.addresses) && size(self.addresses) > 0) || (has(self.pool) && self.pool != '')",
            "missing; write the address to serve, such as [10.1.1.7]",
            ".addresses",
            Fault.REQUIRED,
        ),
        Rule(
            "!(has(self.addresses) && size(self.addresses) > 0) || !has(self.pool) || self.pool == ''",
            "give either addresses or pool, not both; remove one",
            ".pool",
            Fault.FORBIDDEN,
        ),
        Rule(
            "!has(self.probeTargets) || !has(self.addresses) || "
            "self.probeTargets.all(target, !(target in self.addresses))",
            "names the virtual IP itself; name another station of the LAN",
            ".probeTargets",
        ),
    ),
    "VirtualIPSpec": (
        Rule(
            "!has(self.voters) || size(self.voters) == 0 || self.partition == 'Single'",
            "only used with partition: Single; remove it or set partition",
            ".voters",
            Fault.FORBIDDEN,
        ),
        Rule(
            "!has(self.voters) || size(self.voters) in [0, 3, 5]",
            "Single needs 3 or 5 node names",
            ".voters",
        ),
    ),
    "VirtualIP.spec.addresses": (
        Rule(
            "size(self) != 2 || !isIP(self[0]) || !isIP(self[1]) || ip(self[0]).family() != ip(self[1]).family()",
            "two addresses of one family; make another VirtualIP for the second",
        ),
    ),
    "VirtualIP.spec.addresses[]": ADDRESS,
    "VirtualIP.spec.pool": (LABEL.or_empty(),),
    "VirtualIPSpec.preferredInterfaceList": (LABEL.or_empty(),),
    "VirtualIPSpec.interfaces[]": (INTERFACE_GLOB,),
    "VirtualIPSpec.probeTargets[]": ADDRESS,
    "VirtualIPSpec.voters[]": (NODE,),
    "Attachment": (
        Rule(
            "self.type != 'Host' || !has(self.bridge) || self.bridge == ''",
            "only used with type VirtualEthernet; remove it or set the type",
            ".bridge",
            Fault.FORBIDDEN,
        ),
        Rule(
            "self.type != 'VirtualEthernet' || (has(self.bridge) && self.bridge != '')",
            "missing; type VirtualEthernet needs the name of the node's bridge, such as br0",
            ".bridge",
            Fault.REQUIRED,
        ),
    ),
    "Attachment.bridge": (ONE_INTERFACE.or_empty(),),
    "Failback.delay": A_DURATION,
    "HealthCheck": (
        Rule(
            "has(self.tcp) != has(self.http)",
            "must have exactly one of tcp: {port: 443} and http: {port: 80, path: /}",
        ),
    ),
    "HealthCheck.interval": (*A_DURATION, _from_to(INTERVAL_S)),
    "HealthCheck.timeout": (*A_DURATION, _from_to(TIMEOUT_S)),
    "HttpCheck.path": (
        Rule("self.startsWith('/')", "must start with /, such as /healthz"),
        Rule(
            f"!self.startsWith('/') || {fullmatch(PATH.pattern)}",
            "has a character that no path has; write it as %20 for a blank, for instance",
        ),
    ),
    "Requirement": (
        Rule(
            "!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)",
            "missing; operators In and NotIn need at least one value",
            ".values",
            Fault.REQUIRED,
        ),
        Rule(
            "self.operator in ['In', 'NotIn'] || !has(self.values) || size(self.values) == 0",
            "operators Exists and DoesNotExist take no values; remove it",
            ".values",
            Fault.FORBIDDEN,
        ),
    ),
}

HAS_ADDRESS: Final = "(has(self.address) && self.address != '')"
HAS_NODE: Final = "(has(self.node) && self.node != '')"
HAS_INTERFACE: Final = "(has(self.interface) && self.interface != '')"


def _same(field: str, empty: str = "''", of: str = "") -> str:
    """CEL: ``field`` of a and b is the same, left out meaning ``empty``. Not orValue(): the API server would not know
    how long its result can be."""
    said = (f"(has({one}{of}.{field}) ? {one}{of}.{field} : {empty})" for one in "ab")
    return " == ".join(said)


SELECTOR: Final = ".nodeSelector"
SAME_ENTRY: Final = (
    f"{_same('address')} && {_same('node')} && {_same('interface')} && has(a{SELECTOR}) == has(b{SELECTOR}) && "
    f"(!has(a{SELECTOR}) || ({_same('matchLabels', '{}', SELECTOR)} && {_same('matchExpressions', '[]', SELECTOR)}))"
)

LIST_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "PreferredInterfaceList": (OBJECT_NAME,),
    "PreferredInterfaceListSpec.interfaces": (
        Rule(
            f"self.all(a, self.exists_one(b, {SAME_ENTRY}))",
            "two entries say the same; remove one",
        ),
    ),
    "ListEntry": (
        Rule(
            f"[{HAS_ADDRESS}, {HAS_NODE}, has(self.nodeSelector)].filter(way, way).size() == 1 && "
            f"!({HAS_ADDRESS} && {HAS_INTERFACE})",
            "must have exactly one of: address; node and interface; "
            "nodeSelector and interface; such as {address: 10.1.1.4}",
        ),
        Rule(
            f"{HAS_INTERFACE} || !({HAS_NODE} || has(self.nodeSelector))",
            "missing; name the interface, such as eth1, or with nodeSelector a glob such as ens*",
            ".interface",
            Fault.REQUIRED,
        ),
        Rule(
            f"!{HAS_NODE} || !{HAS_INTERFACE} || "
            f"(!self.interface.matches('[*?[]') && size(self.interface) <= {INTERFACE_MAX})",
            f"no name of one interface: at most {INTERFACE_MAX} characters, and a glob only with nodeSelector; "
            "write one such as eth1",
            ".interface",
        ),
    ),
    "ListEntry.address": tuple(rule.or_empty() for rule in ADDRESS),
    "ListEntry.node": (NODE.or_empty(),),
    "ListEntry.interface": (INTERFACE_GLOB.or_empty(),),
}

POOL_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {
    "VirtualIPPool": (OBJECT_NAME,),
    "VirtualIPPoolSpec.preferredInterfaceList": (LABEL.or_empty(),),
    "VirtualIPPoolSpec.template": (
        Rule(
            "(!has(self.addresses) || size(self.addresses) == 0) && (!has(self.pool) || self.pool == '')",
            "names addresses or a pool; the pool itself gives the addresses: remove it",
            reason=Fault.FORBIDDEN,
        ),
    ),
}

NODE_RULES: Final[Mapping[str, tuple[Rule, ...]]] = {"Assignment.addresses[]": (ASSIGNED_ADDRESS,)}


def _merged(*tables: Mapping[str, tuple[Rule, ...]]) -> dict[str, tuple[Rule, ...]]:
    merged: dict[str, tuple[Rule, ...]] = {}
    for table in tables:
        for key, rules in table.items():
            merged[key] = (*merged.get(key, ()), *rules)
    return merged


RULES: Final[Mapping[str, tuple[Rule, ...]]] = _merged(
    VIP_RULES, LIST_RULES, POOL_RULES, RANGE_RULES, NODE_RULES, CHANGE_RULES
)
