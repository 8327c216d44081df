"""systemd-networkd: does it leave alone what an agent adds? Read as it reads it: networkd.conf(5), systemd.network(5).

It removes routes and rules that it did not make (ManageForeign…), and, when it starts or configures an interface anew,
addresses too, unless the .network file of that interface says KeepConfiguration= (systemd issue 12050).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vipa_cli.check import unitfile
from vipa_cli.check.finding import Finding, NewFile, ok, warn
from vipa_cli.check.unitfile import Entry

_CHECK: Final = "systemd-networkd"
_NO: Final = ("no", "false", "0", "off", "n", "f")
_KEEPS: Final = ("yes", "true", "1", "on", "y", "t", "static")
_FOREIGN: Final = ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules")
_FOLDERS: Final = tuple(f"{folder}/network" for folder in unitfile.SYSTEMD_DIRS)
_ONE_INTERFACE: Final = ("Name", "MACAddress", "PermanentMACAddress")


@dataclass(frozen=True, slots=True)
class _Network:
    """The .network file that governs interfaces, with all that its drop-ins add."""

    name: str
    entries: tuple[Entry, ...]
    interfaces: tuple[str, ...]


def networkd(root: Path, nics: Mapping[str, str]) -> list[Finding]:
    """``nics``: MAC by name of the interfaces that are to serve. Everything is read below ``root``."""
    found = [*_foreign(root), *_keep(root, nics)]
    return found or [ok(_CHECK, "leaves the addresses, routes and rules of others alone")]


def _foreign(root: Path) -> Iterator[Finding]:
    entries = unitfile.systemd_conf(root, "networkd")
    managed = [key for key in _FOREIGN if unitfile.last(entries, "Network", key, "yes") not in _NO]
    if managed:
        name = unitfile.new_name(unitfile.systemd_drop_ins(root, "networkd"), _FOREIGN)
        path = f"/etc/systemd/networkd.conf.d/{name}"
        yield warn(
            _CHECK,
            f"{' and '.join(managed)} not switched off in networkd.conf",
            f"write {path}, then systemctl restart systemd-networkd",
            "when networkd starts or reloads it removes vipa's routes and rules: replies go the wrong way until the "
            "agent has put them back, within a second",
            (NewFile(path, "[Network]\n" + "".join(f"{key}=no\n" for key in _FOREIGN)),),
        )


def _keep(root: Path, nics: Mapping[str, str]) -> Iterator[Finding]:
    for network in _networks(root, nics):
        if unitfile.last(network.entries, "Network", "KeepConfiguration", "no") in _KEEPS:
            continue
        name = unitfile.new_name(_drop_ins(root, network.name), ["KeepConfiguration"])
        path = f"/etc/systemd/network/{network.name}.d/{name}"
        yield warn(
            _CHECK,
            f"{network.name} governs {', '.join(network.interfaces)} without KeepConfiguration=static",
            f"write {path}, then networkctl reload (with netplan write it all the same: netplan keeps drop-ins)",
            "when networkd starts or configures the interface anew it removes virtual IPs from it; the agent puts them "
            "back within a second",
            (NewFile(path, "[Network]\nKeepConfiguration=static\n"),),
        )


def _networks(root: Path, nics: Mapping[str, str]) -> list[_Network]:
    """The files that govern these interfaces; the first that matches counts."""
    files = [
        (path.name, entries)
        for path in unitfile.by_name(root, _FOLDERS, "*.network")
        if (entries := tuple(_with_drop_ins(root, path)))
    ]
    governed: dict[str, list[str]] = {}
    for nic, mac in nics.items():
        for name, entries in files:
            if _matches(entries, nic, mac):
                if unitfile.last(entries, "Link", "Unmanaged", "no") in _NO:
                    governed.setdefault(name, []).append(nic)
                break
    return [_Network(name, entries, tuple(governed[name])) for name, entries in files if name in governed]


def _with_drop_ins(root: Path, path: Path) -> Iterator[Entry]:
    text = unitfile.read(path)
    if not text.strip():  # masked
        return
    yield from unitfile.parse(text)
    for drop_in in _drop_ins(root, path.name):
        yield from unitfile.parse(unitfile.read(drop_in))


def _drop_ins(root: Path, name: str) -> list[Path]:
    return unitfile.by_name(root, [f"{folder}/{name}.d" for folder in _FOLDERS], "*.conf")


def _matches(entries: tuple[Entry, ...], nic: str, mac: str) -> bool:
    """By name and MAC. What else a [Match] may ask (driver, type, path) is taken for met; without any it meets none."""
    match = [entry for entry in entries if entry.section == "Match"]
    for key in _ONE_INTERFACE:
        words = [word for entry in match if entry.key == key for word in entry.value.split()]
        if not words:
            continue
        if key != "Name":
            if mac.lower() not in [word.lower().replace("-", ":") for word in words]:
                return False
        elif words[0].startswith("!"):  # systemd.network(5): inverts the whole list
            if unitfile.globs([words[0][1:], *words[1:]], nic):
                return False
        elif not unitfile.globs(words, nic):
            return False
    return bool(match)
