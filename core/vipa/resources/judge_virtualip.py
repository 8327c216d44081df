"""VirtualIP.spec judged by itself."""

from collections.abc import Iterator
from typing import Final

from vipa.resources.addresses import AddressError, parse_address
from vipa.resources.durations import DurationError, parse_duration_s
from vipa.resources.healthcheck import judge_health_check
from vipa.resources.names import LABEL_REMEDY, NODE_REMEDY, interface_problem, is_label, is_node
from vipa.resources.problems import Path, Problem, shown
from vipa.resources.selectors import LabelSelector, Operator
from vipa.resources.virtualip import Attachment, AttachmentType, Failback, Partition, VirtualIPSpec

VOTERS: Final = (3, 5)
"""Rule 7: a majority must survive one loss, or two."""


def judge_virtualip(spec: VirtualIPSpec) -> list[Problem]:
    """All problems of ``spec``; paths start at ("spec",)."""
    return [*_addresses(spec), *judge_template(spec, ("spec",))]


def judge_template(spec: VirtualIPSpec, at: Path) -> list[Problem]:
    """All problems of the fields that a pool's template has too."""
    return [
        *_list_name(spec, at),
        *judge_selector(spec.node_selector, (*at, "nodeSelector")),
        *_interfaces(spec, at),
        *_attachment(spec.attachment, (*at, "attachment")),
        *judge_failback(spec.failback, (*at, "failback")),
        *_voters(spec, at),
        *(p for i, check in enumerate(spec.health_checks) for p in judge_health_check(check, (*at, "healthChecks", i))),
        *_probe_targets(spec, at),
    ]


def judge_address(text: str, path: Path) -> list[Problem]:
    """At most one problem: why ``text`` is no address of a host, in canonical form."""
    try:
        parse_address(text)
    except AddressError as error:
        return [Problem(path, shown(text), str(error))]
    return []


def judge_selector(selector: LabelSelector, path: Path) -> Iterator[Problem]:
    """Problems of matchExpressions: In and NotIn need values, the others take none."""
    for i, requirement in enumerate(selector.match_expressions):
        at = (*path, "matchExpressions", i, "values")
        needs = requirement.operator in (Operator.IN, Operator.NOT_IN)
        if needs and not requirement.values:
            yield Problem(at, "", f"missing; operator {requirement.operator} needs at least one value")
        if not needs and requirement.values:
            yield Problem(at, shown(requirement.values), f"operator {requirement.operator} takes no values; remove it")


def judge_failback(failback: Failback, path: Path) -> Iterator[Problem]:
    """At most one problem: why the delay is no duration."""
    try:
        parse_duration_s(failback.delay)
    except DurationError as error:
        yield Problem((*path, "delay"), shown(failback.delay), str(error))


def _addresses(spec: VirtualIPSpec) -> Iterator[Problem]:
    path: Path = ("spec", "addresses")
    if spec.addresses and spec.pool:
        yield Problem(("spec", "pool"), shown(spec.pool), "give either addresses or pool, not both; remove one")
    if not spec.addresses and not spec.pool:
        yield Problem(path, "", "missing; write the address to serve, such as [10.1.1.7]")
    bad = [p for i, text in enumerate(spec.addresses) for p in judge_address(text, (*path, i))]
    yield from bad
    if not bad and len(spec.addresses) == 2:
        first, second = (parse_address(text) for text in spec.addresses)
        if first == second:
            yield Problem((*path, 1), str(second), "named twice; remove one")
        elif first.version == second.version:
            remedy = f"a second IPv{second.version} address; make another VirtualIP for it"
            yield Problem((*path, 1), str(second), remedy)


def _list_name(spec: VirtualIPSpec, at: Path) -> Iterator[Problem]:
    for field, name in (("preferredInterfaceList", spec.preferred_interface_list), ("pool", spec.pool)):
        if name and not is_label(name):
            yield Problem((*at, field), shown(name), f"no valid name; {LABEL_REMEDY}")


def _interfaces(spec: VirtualIPSpec, at: Path) -> Iterator[Problem]:
    seen: set[str] = set()
    for i, glob in enumerate(spec.interfaces):
        path = (*at, "interfaces", i)
        if wrong := interface_problem(glob, glob=True):
            yield Problem(path, shown(glob), wrong)
        elif glob in seen:
            yield Problem(path, glob, "named twice; remove one")
        seen.add(glob)


def _attachment(attachment: Attachment, at: Path) -> Iterator[Problem]:
    path, bridge = (*at, "bridge"), attachment.bridge
    if attachment.type is AttachmentType.HOST and bridge:
        yield Problem(path, shown(bridge), "only used with type VirtualEthernet; remove it or set the type")
    if attachment.type is AttachmentType.VIRTUAL_ETHERNET:
        if not bridge:
            yield Problem(path, "", "missing; type VirtualEthernet needs the name of the node's bridge, such as br0")
        elif wrong := interface_problem(bridge, glob=False):
            yield Problem(path, shown(bridge), wrong)


def _voters(spec: VirtualIPSpec, at: Path) -> Iterator[Problem]:
    path, voters = (*at, "voters"), spec.voters
    if voters and spec.partition is not Partition.SINGLE:
        yield Problem(path, shown(voters), "only used with partition: Single; remove it or set partition")
    elif voters and len(set(voters)) not in VOTERS:
        message = f"{len(set(voters))} different voters; Single needs 3 or 5 node names"
        yield Problem(path, shown(voters), message)
    for i, name in enumerate(voters):
        if not is_node(name):
            yield Problem((*path, i), shown(name), f"no node name; {NODE_REMEDY}")
        elif name in voters[:i]:
            yield Problem((*path, i), name, "named twice; a node has one vote")


def _probe_targets(spec: VirtualIPSpec, at: Path) -> Iterator[Problem]:
    for i, text in enumerate(spec.probe_targets):
        path = (*at, "probeTargets", i)
        if bad := judge_address(text, path):
            yield from bad
        elif text in spec.probe_targets[:i]:
            yield Problem(path, text, "named twice; remove one")
        elif text in spec.addresses:
            yield Problem(path, text, "is the virtual IP itself; name another station of the LAN")
