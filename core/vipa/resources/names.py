"""Names of objects, nodes and interfaces."""

import re
from typing import Final

from vipa.resources.texts import GLOB_MAX, NODE_MAX
from vipa.resources.texts import INTERFACE_MAX as INTERFACE_MAX  # the planner's and the agent's word for it

DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""RFC 1123 label: short enough to be a Kubernetes label value and a metric label too."""
DNS_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""Kubernetes node names may have dots."""
INTERFACE: Final = re.compile(r"[!-.0-9;-~]+")
"""Visible ASCII but '/' and ':', as linux has it (dev_valid_name) and tools can write it."""

LABEL_REMEDY: Final = "write lower-case letters, digits and '-', at most 63, such as erp"
NODE_REMEDY: Final = "write the node's name as Kubernetes has it: lower-case letters, digits, '-' and '.'"


def is_label(text: str) -> bool:
    """A DNS label, as names of VirtualIPs, lists and pools must be."""
    return DNS_LABEL.fullmatch(text) is not None


def is_node(text: str) -> bool:
    """A DNS subdomain, as names of nodes must be."""
    return len(text) <= NODE_MAX and DNS_SUBDOMAIN.fullmatch(text) is not None


def interface_problem(text: str, *, glob: bool) -> str:
    """What is wrong with an interface name (or glob), with the remedy; empty when nothing is."""
    if INTERFACE.fullmatch(text) is None:
        return f"no interface name; write one such as {'ens*' if glob else 'eth1'}"
    if not glob and any(c in text for c in "*?["):
        return "a glob is only possible with nodeSelector; write one interface name such as eth1"
    if not glob and len(text) > INTERFACE_MAX:
        return f"longer than the {INTERFACE_MAX} characters Linux allows; write the name as 'ip link' shows it"
    if glob and len(text) > GLOB_MAX:
        return f"longer than {GLOB_MAX} characters; write a shorter glob"
    return ""
