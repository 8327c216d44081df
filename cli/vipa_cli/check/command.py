"""``vipa check``: gather, print, exit code."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from vipa_cli import exits
from vipa_cli.check import (
    agentfiles,
    clock,
    firewall,
    flush,
    frr,
    guests,
    kernel,
    lan,
    machine,
    marks,
    others,
    ruleset,
    settings,
)
from vipa_cli.check import room as tables
from vipa_cli.check import vips as manifests
from vipa_cli.check import wire as wires
from vipa_cli.check.finding import Finding, Level
from vipa_cli.whom import STATE_DIR

_STYLES: Final = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red", Level.UNKNOWN: "magenta"}
KEY_FILE: Final = "etc/vipa/key"
"""Where the user guide puts it; looked at when it is there."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to look at. ``root``: where this machine's /etc, /run and /usr are, elsewhere in a container."""

    manifests: Path | None = None
    state_dir: Path = STATE_DIR
    key_file: Path | None = None
    root: Path = Path("/")


def check_command(output: str, options: Options) -> int:
    """0: nothing stands in an agent's way (warnings aside); 1: something does; 2: usage; 3: could not be told."""
    for path in (options.manifests, options.root):
        if path is not None and not path.exists():
            sys.stderr.write(f"vipa check: there is no {path}\n")
            return exits.USAGE
    findings = gather(options)
    if output == "json":
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=1) + "\n")
    else:
        _print(findings)
    return exit_code(findings)


def exit_code(findings: Sequence[Finding]) -> int:
    """What is certainly bad counts more than what could not be told."""
    levels = {finding.level for finding in findings}
    if Level.FAIL in levels:
        return exits.NOT_GOOD
    return exits.CANNOT_TELL if Level.UNKNOWN in levels else exits.GOOD


def gather(options: Options) -> list[Finding]:
    """Every check of this machine, in the network namespace this runs in."""
    return [
        kernel.rights(),
        *kernel.kernel(),
        *network(options),
        agentfiles.state_dir(options.state_dir),
        *_key(options),
        clock.source(),
        *clock.suspended(),
        *clock.wakes(),
        *frr.frr(options.root),
    ]


def network(options: Options) -> list[Finding]:
    """Those that look at the network: settings, adapters, other programs, rules, the LAN."""
    here = machine.read()
    wanted = manifests.load(options.manifests) if options.manifests else None
    serving = manifests.service(here, wanted)
    nics = {link.name: link.mac for link in serving}
    wanted4, wanted6 = (wanted.addresses(version) if wanted else [] for version in (4, 6))
    values, values6 = settings.read(), settings.read6()
    everywhere = values["all"]
    rules, unread = _ruleset()
    return [
        *settings.judge4(values, here.own()),
        *settings.judge6(values6, list(nics), here.own(6), here.advertised, wanted=bool(wanted6)),
        *tables.room(len(wanted4) + len(wanted6)),
        *lan.adapters(here, nics),
        *lan.strict_arp(here, everywhere["arp_ignore"], everywhere["arp_announce"]),
        *(manifests.judge(here, wanted) if wanted else ()),
        *wires.wire(here, serving, wanted.vips if wanted else ()),
        *others.managers(others.commands(), options.root, nics),
        *flush.flush(options.root),
        *_rules(here, rules, unread, list(nics), wanted4, wanted6=bool(wanted6)),
        *guests.judge(here, values6, rules, list(nics), wanted.vips if wanted else ()),
    ]


def _ruleset() -> tuple[ruleset.Ruleset | None, str]:
    """What firewalls are set to do, or None and why it cannot be read."""
    try:
        return ruleset.read(), ""
    except ruleset.NotRead as error:
        return None, str(error)


def _rules(
    here: machine.Machine,
    rules: ruleset.Ruleset | None,
    unread: str,
    nics: Sequence[str],
    vips: Sequence[str],
    *,
    wanted6: bool,
) -> list[Finding]:
    if rules is None:
        return [*marks.judge(here, ()), firewall.not_read(unread)]
    bridges = any(link.kind == "bridge" for link in here.links if link.name in nics)
    return [
        *marks.judge(here, marks.setters(rules) if here.steers else ()),
        *firewall.firewall(rules, nics, vips, has6=bool(here.own(6)), wanted6=wanted6, bridges=bridges),
    ]


def _key(options: Options) -> list[Finding]:
    usual = options.root / KEY_FILE
    path = options.key_file or (usual if usual.exists() else None)
    return agentfiles.key_file(path) if path else []


def _print(findings: Sequence[Finding]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    width = max(len(finding.check) for finding in findings)
    indent = " " * (width + 11)
    for finding in findings:
        line = Text(f"{finding.level:7}  ", style=_STYLES[finding.level])
        line.append(f"{finding.check:{width}}  ", style="bold")
        line.append(finding.found, style="default")
        console.print(line)
        if finding.effect:
            console.print(Text(f"{indent}so: {finding.effect}"))
        if finding.remedy:
            console.print(Text(f"{indent}→ {finding.remedy}"))
    # At the margin, to be pasted into a shell as it stands.
    for file in dict.fromkeys(file for finding in findings for file in finding.write):
        console.print(Text(f"\nmkdir -p {Path(file.path).parent} && cat > {file.path} <<'END'\n{file.content}END"))
