"""VirtualIPPool.spec and VirtualIPNode.status judged by themselves."""

from collections.abc import Iterator

from vipa.resources.addresses import AddressError, IPAddress, parse_address, parse_own
from vipa.resources.judge_virtualip import judge_failback, judge_selector, judge_template
from vipa.resources.names import LABEL_REMEDY, is_label
from vipa.resources.node import VirtualIPNode
from vipa.resources.pool import VirtualIPPoolSpec
from vipa.resources.problems import Path, Problem, shown
from vipa.resources.ranges import RangeError, parse_range


def judge_pool(spec: VirtualIPPoolSpec) -> list[Problem]:
    """All problems of a pool's spec: ranges in order and apart, and a template without addresses."""
    problems: list[Problem] = []
    if not spec.ranges:
        problems.append(Problem(("spec", "ranges"), "", "missing; write one such as 10.1.1.200-10.1.1.250"))
    problems.extend(_ranges(spec))
    if spec.preferred_interface_list and not is_label(spec.preferred_interface_list):
        path = ("spec", "preferredInterfaceList")
        problems.append(Problem(path, shown(spec.preferred_interface_list), f"no valid name; {LABEL_REMEDY}"))
    problems.extend(judge_selector(spec.service_selector, ("spec", "serviceSelector")))
    problems.extend(judge_selector(spec.namespace_selector, ("spec", "namespaceSelector")))
    at: Path = ("spec", "template")
    if spec.template.addresses or spec.template.pool:
        problems.append(Problem(at, "", "names addresses or a pool; the pool itself gives the addresses: remove it"))
    problems.extend(judge_template(spec.template, at))
    return problems


def _ranges(spec: VirtualIPPoolSpec) -> Iterator[Problem]:
    seen: list[tuple[IPAddress, IPAddress, str]] = []
    for i, text in enumerate(spec.ranges):
        path = ("spec", "ranges", i)
        try:
            first, last = parse_range(text)
        except RangeError as error:
            yield Problem(path, shown(text), str(error))
            continue
        for low, high, other in seen:
            if low.version == first.version and int(low) <= int(last) and int(first) <= int(high):
                yield Problem(path, shown(text), f"overlaps {other}; keep them apart")
                break
        seen.append((first, last, text))


def judge_node(node: VirtualIPNode) -> list[Problem]:
    """All problems of a node's reported interfaces and of the assignments it is given."""
    problems: list[Problem] = []
    names: set[str] = set()
    for i, interface in enumerate(node.status.interfaces):
        path: Path = ("status", "interfaces", i)
        if not interface.name:
            problems.append(Problem((*path, "name"), "", "missing; write the interface's name, such as eth1"))
        elif interface.name in names:
            problems.append(Problem((*path, "name"), shown(interface.name), "named twice; an interface has one entry"))
        names.add(interface.name)
        for j, text in enumerate(interface.addresses):
            try:
                parse_own(text)
            except AddressError as error:
                problems.append(Problem((*path, "addresses", j), shown(text), str(error)))
    for i, assignment in enumerate(node.spec.assignments):
        for j, text in enumerate(assignment.addresses):
            try:
                parse_address(text)
            except AddressError as error:
                at = ("spec", "assignments", i, "addresses", j)
                problems.append(Problem(at, shown(text), str(error)))
        problems.extend(judge_failback(assignment.failback, ("spec", "assignments", i, "failback")))
    return problems
