"""The resource types of API group vipa.dev/v1alpha1, and the judgement of one object by itself."""

from vipa.resources.interfacelist import Fallback, ListEntry, PreferredInterfaceList, PreferredInterfaceListSpec
from vipa.resources.meta import API_VERSION, ObjectMeta
from vipa.resources.node import InterfaceStatus, VirtualIPNode, VirtualIPNodeStatus
from vipa.resources.pool import VirtualIPPool
from vipa.resources.problems import Problem
from vipa.resources.read import KINDS, Read, read_object
from vipa.resources.selectors import LabelSelector
from vipa.resources.validate import Resource, validate
from vipa.resources.virtualip import Failback, VirtualIP, VirtualIPSpec

__all__ = [
    "API_VERSION",
    "KINDS",
    "Failback",
    "Fallback",
    "InterfaceStatus",
    "LabelSelector",
    "ListEntry",
    "ObjectMeta",
    "PreferredInterfaceList",
    "PreferredInterfaceListSpec",
    "Problem",
    "Read",
    "Resource",
    "VirtualIP",
    "VirtualIPNode",
    "VirtualIPNodeStatus",
    "VirtualIPPool",
    "VirtualIPSpec",
    "read_object",
    "validate",
]
