"""``vipa check``: gather, print, exit code."""

import json
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from pyroute2 import IPRoute
from rich.console import Console
from rich.text import Text

from vipa_cli import exits
from vipa_cli.check import clock, kernel, others, settings
from vipa_cli.check.finding import Finding, Level

_STYLES: Final = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}
_ALL_BITS: Final = 0xFFFFFFFF


def check_command(output: str) -> int:
    """0: nothing stands in an agent's way (warnings aside); 1: something does."""
    findings = gather()
    if output == "json":
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=1) + "\n")
    else:
        _print(findings)
    return exits.NOT_GOOD if any(finding.level is Level.FAIL for finding in findings) else exits.GOOD


def gather() -> list[Finding]:
    """Every check of this machine, in the network namespace this runs in."""
    addresses, mark_rules = _network()
    return [
        kernel.rights(),
        *kernel.kernel(),
        *settings.sysctls(settings.read(), addresses),
        *others.managers(others.commands(), others.networkd_conf()),
        others.marks(mark_rules),
        clock.source(),
        clock.wakes(),
    ]


def _network() -> tuple[dict[str, list[str]], list[others.MarkRule]]:
    """Own addresses by interface, and the routing rules that look at marks."""
    addresses: dict[str, list[str]] = {}
    with IPRoute() as ipr:
        names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in ipr.get_links()}
        for entry in ipr.get_addr(family=socket.AF_INET):
            own = f"{entry.get_attr('IFA_LOCAL')}/{entry['prefixlen']}"
            addresses.setdefault(names.get(entry["index"], "?"), []).append(own)
        rules = [
            others.MarkRule(rule.get_attr("FRA_PRIORITY") or 0, mark, rule.get_attr("FRA_FWMASK") or _ALL_BITS)
            for rule in ipr.get_rules(family=socket.AF_INET)
            if (mark := rule.get_attr("FRA_FWMARK"))
        ]
    return addresses, rules


def _print(findings: Sequence[Finding]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        line = Text(f"{finding.level:4}  ", style=_STYLES[finding.level])
        line.append(f"{finding.check:{width}}  ", style="bold")
        line.append(finding.found, style="default")
        console.print(line)
        if finding.remedy:
            console.print(Text(f"{'':{width + 8}}→ {finding.remedy}"))
