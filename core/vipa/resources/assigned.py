"""A node's share of a plan, there and back: ``VirtualIPNode.spec`` as the operator writes it and the agent reads it.

Exact both ways: what an agent reads has the ids and digests that the planner's own objects have, so a node that reads
the API and one that plans by itself agree (rule 13). One bad assignment costs nothing but itself.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from msgspec import structs

from vipa.plan import Endpoint, Plan, PlannedVip, Policy, Refusal
from vipa.resources.addresses import AddressError, parse_address
from vipa.resources.durations import DURATION_MAX_S, DurationError, parse_duration_s
from vipa.resources.healthcheck import assigned_check, check_in, judge_health_check, planned_check
from vipa.resources.interfacelist import ENTRIES_MAX
from vipa.resources.names import INTERFACE_MAX, LABEL_REMEDY, NODE_REMEDY, interface_problem, is_label, is_node
from vipa.resources.node import AssignedEndpoint, Assignment, VirtualIPNodeSpec
from vipa.resources.problems import Path, Problem, shown
from vipa.resources.virtualip import Binding, Failback

SUCCESSION_MAX: Final = ENTRIES_MAX
"""The planner makes no longer one (:mod:`vipa.planner.candidates`)."""


ENDPOINTS_MAX: Final = 1 << 12
"""Room for a thousand nodes' interfaces: the VIPs of one plan name the same few endpoints again and again."""


class AssignedError(ValueError):
    """An assignment says nothing that can be served. ``problems`` have fields, values and remedies."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(p) for p in problems))
        self.problems = tuple(problems)


def assignment_of(vip: PlannedVip) -> Assignment:
    """``vip`` in the spelling of the wire. The failback delay is written to the nanosecond."""
    policy = vip.policy
    return Assignment(
        name=vip.name,
        addresses=vip.addresses,
        succession=tuple(AssignedEndpoint(e.address, e.node, e.interface) for e in vip.succession),
        timing=policy.timing,
        failback=Failback(policy.failback, duration_text(policy.failback_delay_s)),
        probe_targets=policy.probe_targets,
        paused=policy.paused,
        health_checks=tuple(
            assigned_check(check, duration_text(check.interval_s), duration_text(check.timeout_s))
            for check in vip.checks
        ),
        binding=binding_of(vip),
        bridge=vip.bridge,
    )


def binding_of(vip: PlannedVip) -> Binding:
    """In the words of a VirtualIP."""
    return Binding.EVERY_CANDIDATE if vip.everywhere else Binding.HOLDER


def shares(plan: Plan) -> dict[str, tuple[Assignment, ...]]:
    """Node → the assignments of every VIP in whose succession it appears, in the plan's order. Each VIP is spelled
    once: the nodes share the objects. Endpoints of nodes that nobody declared have no name, hence no share."""
    found: dict[str, list[Assignment]] = {}
    for vip in plan.vips:
        assignment = assignment_of(vip)
        for node in dict.fromkeys(e.node for e in vip.succession if e.node):
            found.setdefault(node, []).append(assignment)
    return {node: tuple(assignments) for node, assignments in found.items()}


def spec_of(plan: Plan, node: str) -> VirtualIPNodeSpec:
    """The whole spec of one node. For all nodes of a large plan use :func:`shares`."""
    mine = (v for v in plan.vips if any(e.node == node for e in v.succession))
    return VirtualIPNodeSpec(plan.epoch, tuple(assignment_of(v) for v in mine))


def vip_of(assignment: Assignment) -> PlannedVip:
    """What the assignment says, exactly as it was planned. Raises :class:`AssignedError`."""
    problems = list(_judge(assignment))
    if problems:
        raise AssignedError(problems)
    return PlannedVip(
        name=assignment.name,
        addresses=assignment.addresses,
        succession=tuple(Endpoint(e.address, e.node, e.interface) for e in assignment.succession),
        policy=Policy(
            timing=assignment.timing,
            failback=assignment.failback.policy,
            failback_delay_s=parse_duration_s(assignment.failback.delay),
            probe_targets=assignment.probe_targets,
            paused=assignment.paused,
        ),
        checks=tuple(dict.fromkeys(planned_check(check_in(c)) for c in assignment.health_checks)),
        everywhere=assignment.binding is Binding.EVERY_CANDIDATE,
        bridge=assignment.bridge,
    )


def plan_of(spec: VirtualIPNodeSpec, before: Plan | None = None, unread: Iterable[Refusal] = ()) -> Plan:
    """The plan of ``spec``, its VIPs sorted by name. Never raises: an assignment that cannot be served becomes a
    refusal, and the VIP stays as ``before`` had it, if it did. ``unread`` are refusals of assignments that could not
    even be decoded."""
    known = {v.name: v for v in before.vips} if before else {}
    vips: dict[str, PlannedVip] = {}
    taken: dict[str, str] = {}
    refusals = list(unread)
    for assignment in spec.assignments:
        try:
            vip = vip_of(assignment)
            _apart(vip, vips, taken)
        except AssignedError as error:
            refusals.append(Refusal("VirtualIP", assignment.name, error.problems[0].reason, str(error)))
        else:
            vips[vip.name] = vip
            taken.update(dict.fromkeys(vip.addresses, vip.name))
    for refusal in refusals:
        kept = known.get(refusal.name)
        if kept is not None and kept.name not in vips and not taken.keys() & set(kept.addresses):
            vips[kept.name] = kept
            taken.update(dict.fromkeys(kept.addresses, kept.name))
    refusals.sort(key=lambda r: (r.kind, r.name, r.reason, r.message))
    return Plan(spec.epoch, tuple(vips[name] for name in sorted(vips)), tuple(refusals))


def duration_text(seconds: float) -> str:
    """``seconds`` as a duration that parses to the same number, given to the nanosecond. Raises ValueError outside of
    0 to a day."""
    if not 0.0 <= seconds <= DURATION_MAX_S:
        raise ValueError(f"{seconds} s is no duration from 0 to {DURATION_MAX_S:g} s")
    # What is written has at most nine decimals and unit "s", so reading it multiplies by one: nothing is rounded twice.
    return f"{seconds:.9f}".rstrip("0").rstrip(".") + "s"


def _apart(vip: PlannedVip, vips: dict[str, PlannedVip], taken: dict[str, str]) -> None:
    if vip.name in vips:
        raise AssignedError([Problem(("name",), vip.name, "assigned twice; a virtual IP has one assignment")])
    for i, address in enumerate(vip.addresses):
        if address in taken:
            message = f"already assigned to {taken[address]}; an address belongs to one virtual IP"
            raise AssignedError([Problem(("addresses", i), address, message)])


def _judge(assignment: Assignment) -> Iterator[Problem]:
    if not is_label(assignment.name):
        yield Problem(("name",), shown(assignment.name), f"no name of a virtual IP; {LABEL_REMEDY}")
    if not assignment.addresses:
        yield Problem(("addresses",), "", "missing; an assignment names the address to serve, such as [10.1.1.7]")
    yield from _addresses(assignment.addresses, ("addresses",))
    yield from _addresses(assignment.probe_targets, ("probeTargets",))
    families = ["6" if ":" in text else "4" for text in assignment.addresses]
    if families not in ([], ["4"], ["6"], ["4", "6"]):
        what = "must be one IPv4 address, one IPv6 address, or one of each with IPv4 first"
        yield Problem(("addresses",), shown(assignment.addresses), what)
    try:
        parse_duration_s(assignment.failback.delay)
    except DurationError as error:
        yield Problem(("failback", "delay"), shown(assignment.failback.delay), str(error))
    if assignment.bridge and (wrong := interface_problem(assignment.bridge, glob=False)):
        yield Problem(("bridge",), shown(assignment.bridge), wrong)
    for i, check in enumerate(assignment.health_checks):
        yield from judge_health_check(check_in(check), ("healthChecks", i))
    yield from _succession(assignment)


def _addresses(texts: tuple[str, ...], path: Path) -> Iterator[Problem]:
    for i, text in enumerate(texts):
        yield from _within((*path, i), _address(text))


def _succession(assignment: Assignment) -> Iterator[Problem]:
    path: Path = ("succession",)
    if not 1 <= len(assignment.succession) <= SUCCESSION_MAX:
        what = f"must have 1 to {SUCCESSION_MAX} endpoints"
        yield Problem(path, f"{len(assignment.succession)} endpoints", what)
    seen: set[object] = set()
    for i, endpoint in enumerate(assignment.succession):
        at = (*path, i)
        if problems := _endpoint(endpoint):
            yield from _within(at, problems)
        place = (endpoint.node, endpoint.interface) if endpoint.node else endpoint.address
        if endpoint.address in seen or place in seen:
            what = "named twice; a succession has each address and each interface once"
            yield Problem(at, shown(endpoint.address), what)
        if endpoint.address in assignment.addresses:
            what = "is the virtual IP itself; an endpoint is an interface's own address"
            yield Problem((*at, "address"), endpoint.address, what)
        seen.update((endpoint.address, place))


def _within(path: Path, problems: Iterable[Problem]) -> Iterator[Problem]:
    return (structs.replace(p, path=(*path, *p.path)) for p in problems)


def _address(text: str) -> tuple[Problem, ...]:
    try:
        parse_address(text)
    except AddressError as error:
        return (Problem((), shown(text), str(error)),)
    return ()


@lru_cache(ENDPOINTS_MAX)
def _endpoint(endpoint: AssignedEndpoint) -> tuple[Problem, ...]:
    return tuple(_judge_endpoint(endpoint))


def _judge_endpoint(endpoint: AssignedEndpoint) -> Iterator[Problem]:
    yield from _within(("address",), _address(endpoint.address))
    if bool(endpoint.node) != bool(endpoint.interface):
        field = "interface" if endpoint.node else "node"
        yield Problem((field,), "", "missing; give node and interface, or neither for a node nobody declared")
        return
    if endpoint.node and not is_node(endpoint.node):
        yield Problem(("node",), shown(endpoint.node), f"no node name; {NODE_REMEDY}")
    # A name reported by a node's own kernel may be odder than people may write in a list, but never longer.
    if len(endpoint.interface) > INTERFACE_MAX:
        wrong = interface_problem("x" * (INTERFACE_MAX + 1), glob=False)
        yield Problem(("interface",), shown(endpoint.interface), wrong)
