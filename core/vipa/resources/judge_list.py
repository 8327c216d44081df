"""PreferredInterfaceList.spec judged by itself: each entry says one thing, and no two say the same."""

from collections.abc import Iterator

from vipa.resources.interfacelist import ListEntry, PreferredInterfaceListSpec
from vipa.resources.judge_virtualip import judge_address, judge_selector
from vipa.resources.names import NODE_REMEDY, interface_problem, is_node
from vipa.resources.problems import Path, Problem, shown


def judge_list(spec: PreferredInterfaceListSpec) -> list[Problem]:
    """All problems of ``spec``."""
    problems: list[Problem] = []
    if not spec.interfaces:
        problems.append(Problem(("spec", "interfaces"), "", "missing; name at least one, such as {address: 10.1.1.4}"))
    first_at: dict[object, int] = {}
    for i, entry in enumerate(spec.interfaces):
        path: Path = ("spec", "interfaces", i)
        found = list(_judge_entry(entry, path))
        problems.extend(found)
        first = first_at.setdefault(_identity(entry), i)
        if not found and first != i:
            problems.append(Problem(path, _shown(entry), f"the same as entry {first}; remove one"))
    return problems


def _identity(entry: ListEntry) -> object:
    selector = None if entry.node_selector is None else entry.node_selector.key
    return entry.address, entry.node, entry.interface, selector


def _shown(entry: ListEntry) -> str:
    return shown(entry.address or f"{entry.node or 'nodeSelector'}/{entry.interface}")


def _judge_entry(entry: ListEntry, path: Path) -> Iterator[Problem]:
    ways = [bool(entry.address), bool(entry.node), entry.node_selector is not None]
    if sum(ways) != 1 or (entry.address and entry.interface):
        yield Problem(
            path,
            _shown(entry) if any(ways) else "",
            "must have exactly one of: address; node and interface; "
            "nodeSelector and interface; such as {address: 10.1.1.4}",
        )
        return
    if entry.address:
        yield from judge_address(entry.address, (*path, "address"))
        return
    if entry.node and not is_node(entry.node):
        yield Problem((*path, "node"), shown(entry.node), f"no node name; {NODE_REMEDY}")
    if entry.node_selector is not None:
        yield from judge_selector(entry.node_selector, (*path, "nodeSelector"))
    glob = entry.node_selector is not None
    if not entry.interface:
        yield Problem((*path, "interface"), "", f"missing; name the interface, such as {'ens*' if glob else 'eth1'}")
    elif wrong := interface_problem(entry.interface, glob=glob):
        yield Problem((*path, "interface"), shown(entry.interface), wrong)
