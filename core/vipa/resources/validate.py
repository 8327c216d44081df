"""Everything that can be judged from one object alone. Pure; never raises.

What needs several objects (an address in use, a missing list) is the planner's: :mod:`vipa.planner`.
"""

from vipa.resources.interfacelist import PreferredInterfaceList
from vipa.resources.judge_list import judge_list
from vipa.resources.judge_others import judge_node, judge_pool
from vipa.resources.judge_virtualip import judge_virtualip
from vipa.resources.names import LABEL_REMEDY, NODE_REMEDY, is_label, is_node
from vipa.resources.node import VirtualIPNode
from vipa.resources.notyet import not_supported_yet
from vipa.resources.pool import VirtualIPPool
from vipa.resources.problems import Problem, shown
from vipa.resources.virtualip import VirtualIP

Resource = VirtualIP | PreferredInterfaceList | VirtualIPPool | VirtualIPNode


def validate(obj: Resource) -> list[Problem]:
    """All problems of ``obj``: wrong ones first, then what is right but ``NotSupportedYet``. Empty: accepted."""
    return [*_judge_name(obj), *_judge(obj), *not_supported_yet(obj)]


def _judge_name(obj: Resource) -> list[Problem]:
    name, path = obj.metadata.name, ("metadata", "name")
    fine, remedy = (is_node, NODE_REMEDY) if isinstance(obj, VirtualIPNode) else (is_label, LABEL_REMEDY)
    if not name:
        return [Problem(path, "", f"missing; {remedy}")]
    return [] if fine(name) else [Problem(path, shown(name), f"no valid name; {remedy}")]


def _judge(obj: Resource) -> list[Problem]:
    match obj:
        case VirtualIP():
            return judge_virtualip(obj.spec)
        case PreferredInterfaceList():
            return judge_list(obj.spec)
        case VirtualIPPool():
            return judge_pool(obj.spec)
        case VirtualIPNode():
            return judge_node(obj)
