"""NetworkManager: are the service interfaces unmanaged? Read as it reads it: NetworkManager.conf(5).

On an interface that it manages it removes, at an activation or reapply, addresses that are not in its profile. Its word
on the device comes from [keyfile] unmanaged-devices and [device…] managed; profiles are not read.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from vipa_cli.check import unitfile
from vipa_cli.check.finding import Finding, NewFile, ok, warn
from vipa_cli.check.unitfile import Entry

_CHECK: Final = "NetworkManager"
_BEFORE: Final = ("etc/NetworkManager/conf.d", "run/NetworkManager/conf.d", "usr/lib/NetworkManager/conf.d")
_NO: Final = ("no", "false", "0", "off")


def network_manager(root: Path, nics: Mapping[str, str]) -> list[Finding]:
    """``nics``: MAC by name of the interfaces that are to serve. Everything is read below ``root``."""
    entries = list(_entries(root))
    managed = _managed(entries, nics)
    if not managed:
        return [ok(_CHECK, "leaves the service interfaces alone")]
    beside = unitfile.by_name(root, _BEFORE[:1], "*.conf")
    path = f"/etc/NetworkManager/conf.d/{unitfile.new_name(beside, ['unmanaged-devices'])}"
    return [
        warn(
            _CHECK,
            f"it manages {', '.join(managed)}",
            f"write {path}, then systemctl reload NetworkManager; the adapters' own addresses must then come from "
            "elsewhere (ifupdown, systemd-networkd). If they cannot: no nmcli connection up or device reapply there",
            "when it activates the adapter or applies its profile anew, it removes virtual IPs from it; the agent puts "
            "them back within a second",
            (NewFile(path, _drop_in(entries, nics)),),
        )
    ]


def _drop_in(entries: Sequence[Entry], nics: Mapping[str, str]) -> str:
    """What was said before stays said: unmanaged-devices= would replace it, += adds. Where an exception or a device's
    own section outdoes the list, such a section of ours too."""
    words = ";".join(f"interface-name:{nic}" for nic in nics)
    text = f"[keyfile]\nunmanaged-devices+={words}\n"
    if _managed([*entries, *unitfile.parse(text)], nics):
        text += f"[device-vipa]\nmatch-device={words}\nmanaged=0\n"
    return text


def _managed(entries: Sequence[Entry], nics: Mapping[str, str]) -> list[str]:
    unmanaged = _unmanaged_devices(entries)
    managed = []
    for nic, mac in nics.items():
        said = _said_of_device(entries, nic, mac)  # it overrules the list
        if said if said is not None else not _listed(unmanaged, nic, mac):
            managed.append(nic)
    return managed


def _entries(root: Path) -> Iterator[Entry]:
    """/usr/lib and /run come before the main file, /etc's drop-ins after it, and last what it has written itself; of
    one name /etc hides /run, and that /usr/lib."""
    files = unitfile.by_name(root, _BEFORE, "*.conf")
    early = [path for path in files if path.parent != root / _BEFORE[0]]
    early.sort(key=lambda path: (path.parent != root / _BEFORE[2], path.name))
    late = [path for path in files if path.parent == root / _BEFORE[0]]
    main = root / "etc/NetworkManager/NetworkManager.conf"
    own = root / "var/lib/NetworkManager/NetworkManager-intern.conf"
    for path in (*early, main, *late, own):
        yield from unitfile.parse(unitfile.read(path))


def _unmanaged_devices(entries: Sequence[Entry]) -> list[str]:
    """The list that counts; ``+=`` and ``-=`` change what was said before."""
    words: list[str] = []
    for section, key, value in entries:
        if section != "keyfile" or key.rstrip("+-") != "unmanaged-devices":
            continue
        said = [word.strip() for word in value.replace(",", ";").split(";") if word.strip()]
        if key.endswith("+"):
            words += said
        elif key.endswith("-"):
            words = [word for word in words if word not in said]
        else:
            words = said
    return words


def _said_of_device(entries: Sequence[Entry], nic: str, mac: str) -> bool | None:
    """``managed`` of the first [device…] section that meets the interface and says it; plain [device] comes last."""
    named = dict.fromkeys(entry.section for entry in entries if entry.section.startswith("device"))
    for section in sorted(named, key=lambda name: name == "device"):
        said = {entry.key: entry.value for entry in entries if entry.section == section}
        match = [word.strip() for word in said.get("match-device", "*").replace(",", ";").split(";") if word.strip()]
        if "managed" in said and _listed(match, nic, mac):
            return said["managed"].lower() not in _NO
    return None


def _listed(words: Sequence[str], nic: str, mac: str) -> bool:
    """Appendix "Device List Format": an exception that meets wins over all else; nothing but exceptions is all else."""
    exceptions = [word.removeprefix("except:") for word in words if word.startswith("except:")]
    others = [word for word in words if not word.startswith("except:")]
    if any(_meets(word, nic, mac) for word in exceptions):
        return False
    return any(_meets(word, nic, mac) for word in others) or (bool(exceptions) and not others)


def _meets(word: str, nic: str, mac: str) -> bool:
    kind, colon, value = word.partition(":")
    if word == "*":
        return True
    if colon and kind == "interface-name":
        return nic == value[1:] if value.startswith("=") else unitfile.globs([value.removeprefix("~")], nic)
    if colon and kind == "mac":
        return value.lower() == mac.lower()
    if colon and kind == "type":
        return value == "ethernet"
    return word in (nic, mac)
