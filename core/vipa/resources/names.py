"""Names of objects, nodes and interfaces."""

import re
from typing import Final

DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""RFC 1123 label: short enough to be a Kubernetes label value and a metric label too."""
DNS_SUBDOMAIN: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
"""Kubernetes node names may have dots."""
INTERFACE_MAX: Final = 15
"""IFNAMSIZ - 1, linux/if.h."""

LABEL_REMEDY: Final = "write lower-case letters, digits and '-', at most 63, such as erp"
NODE_REMEDY: Final = "write the node's name as Kubernetes has it: lower-case letters, digits, '-' and '.'"


def is_label(text: str) -> bool:
    """A DNS label, as names of VirtualIPs, lists and pools must be."""
    return DNS_LABEL.fullmatch(text) is not None


def is_node(text: str) -> bool:
    """A DNS subdomain, as names of nodes must be."""
    return DNS_SUBDOMAIN.fullmatch(text) is not None


def interface_problem(text: str, *, glob: bool) -> str:
    """What is wrong with an interface name (or glob), with the remedy; empty when nothing is."""
    if not text or "/" in text or ":" in text or not text.isascii() or not text.isprintable() or " " in text:
        return f"no interface name; write one such as {'ens*' if glob else 'eth1'}"
    if not glob and any(c in text for c in "*?["):
        return "a glob is only possible with nodeSelector; write one interface name such as eth1"
    if not glob and len(text) > INTERFACE_MAX:
        return f"longer than the {INTERFACE_MAX} characters Linux allows; write the name as 'ip link' shows it"
    if glob and len(text) > 64:
        return "longer than 64 characters; write a shorter glob"
    return ""
