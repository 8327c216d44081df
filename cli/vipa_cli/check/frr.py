"""FRR on this machine, for agents with ``--bgp frr``: does bgpd run, can it be asked, would it let virtual IPs out."""

import json
from pathlib import Path
from typing import Any, Final

from vipa_agent.bgp import sessions, statements
from vipa_agent.bgp.vty import Vty, VtyError
from vipa_cli.check.finding import Finding, ok, unknown, warn

CHECK: Final = "FRR"
_DAEMONS: Final = "etc/frr/daemons"
_FOLDER: Final = "run/frr"
_EFFECT: Final = "routers hear of no virtual IP of this node; clients on the LAN are served all the same"


def frr(root: Path) -> list[Finding]:
    """Nothing on machines without bgpd; ``root`` as everywhere."""
    enabled = "bgpd=yes" in _words(root / _DAEMONS)
    if not (root / _FOLDER / "bgpd.vty").exists():
        remedy = "systemctl restart frr; journalctl -u frr"
        return [warn(CHECK, f"bgpd is enabled in /{_DAEMONS} and does not run", remedy, _EFFECT)] if enabled else []
    try:
        vty = Vty(root / _FOLDER, "bgpd")
    except VtyError as error:
        return [unknown(CHECK, str(error), "look as root; the agent needs the group frrvty: docs/bgp.md")]
    try:
        vty.ask("enable")
        return judge(vty.ask("show running-config"), vty.ask("show bgp neighbors json"))
    except VtyError as error:
        return [warn(CHECK, str(error), "systemctl restart frr; journalctl -u frr", _EFFECT)]
    finally:
        vty.close()


def judge(configuration: str, neighbours: str) -> list[Finding]:
    """``configuration``: of ``show running-config``; ``neighbours``: of ``show bgp neighbors json``."""
    running = statements.read(configuration)
    if not running.asn:
        return [warn(CHECK, "no 'router bgp' in the default VRF", "configure one: docs/bgp.md", _EFFECT)]
    found = []
    if not running.import_check:
        found.append(
            warn(
                CHECK,
                "'no bgp network import-check' is set",
                f"vtysh -c 'configure terminal' -c 'router bgp {running.asn}' -c 'bgp network import-check'",
                "a line of vipa's that was saved by 'write memory' is advertised while the address is not here",
            )
        )
    return [*found, *_neighbours(running.asn, neighbours)]


def _neighbours(asn: str, text: str) -> list[Finding]:
    try:
        told = sessions.read(text)
        about: dict[str, dict[str, Any]] = json.loads(text)
    except ValueError:  # FRR says some things as plain text
        told, about = [], {}
    if not told:
        remedy = f"name the routers below 'router bgp {asn}': docs/bgp.md"
        return [warn(CHECK, "bgpd has no neighbor", remedy, _EFFECT)]
    found = []
    for session in told:
        if not session.local:
            remedy = "vtysh -c 'show bgp summary'; addresses, AS numbers, port 179 and BFD on both sides"
            found.append(warn(CHECK, f"the session with {session.peer} is {session.state}", remedy, _EFFECT))
        elif held := _held_back(about[session.peer]):
            remedy = f"neighbor {session.peer} route-map NAME out, or 'no bgp ebgp-requires-policy'"
            found.append(warn(CHECK, f"{session.peer} is sent no {held}: no policy lets it out", remedy, _EFFECT))
    return found or [ok(CHECK, f"AS {asn}, {len(told)} sessions are up")]


def _held_back(about: dict[str, Any]) -> str:
    """Families of which bgpd sends nothing for want of a policy (RFC 8212), "" for none. It says so of one that the
    router has not asked for too; of the others it has a group of neighbours to update."""
    families: dict[str, dict[str, Any]] = about.get("addressFamilyInfo", {})
    names = {"ipv4Unicast": "IPv4", "ipv6Unicast": "IPv6"}
    held = {"outboundEbgpRequiresPolicy", "updateGroupId"}
    return " and ".join(names[f] for f in names if held <= families.get(f, {}).keys())


def _words(path: Path) -> set[str]:
    try:
        return set(path.read_text().split())
    except OSError:
        return set()
