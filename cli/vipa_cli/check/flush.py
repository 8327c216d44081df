"""nftables.service: does loading its rules remove everybody else's? Debian's and Fedora's do."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from vipa_cli.check import unitfile
from vipa_cli.check.finding import Finding, NewFile, ok, warn

_CHECK: Final = "nftables.service"
_UNIT_DIRS: Final = ("etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system")
_FLUSH: Final = re.compile(r"\bflush\s+ruleset\b(?!\s+(?:arp|ip|ip6|bridge)\b)")
_INCLUDE: Final = re.compile(r'^\s*include\s+"([^"]+)"', re.MULTILINE)
_TABLE: Final = re.compile(
    r"^\s*(?:add\s+|create\s+)?table\s+((?:ip6?|inet|arp|bridge|netdev)\s+)?([\w-]+)", re.MULTILINE
)
_FILE: Final = re.compile(r"-f\s+(\S+)")
_DEPTH_MAX: Final = 16
"""nftables/include/nftables.h, MAX_INCLUDE_DEPTH."""


def flush(root: Path) -> list[Finding]:
    """Everything is read below ``root``."""
    unit = _unit(root)
    if not unit:
        return []
    lines = [entry for entry in unit if entry.section == "Service" and entry.key.startswith("Exec")]
    files = dict.fromkeys(path for line in lines for path in _FILE.findall(line.value))
    texts = {path: text for start in files for path, text in _included(root, start)}
    flushing = [path for path, text in texts.items() if _FLUSH.search(_code(text))]
    commands = sorted({line.key for line in lines if _FLUSH.search(line.value)})
    if not flushing and not commands:
        return [ok(_CHECK, "loads its rules without removing those of others")]
    where = " and ".join([*flushing, *(f"its {key}=" for key in commands)])
    if not _enabled(root):
        return [ok(_CHECK, f"not enabled, or it would remove vipa's tables too (flush ruleset in {where})")]
    where += " say flush ruleset" if len(flushing) + len(commands) > 1 else " says flush ruleset"
    remedy, write = _remedy(texts, flushing, commands)
    effect = (
        "each reload removes vipa's gate and permits: until the agent has put them back, within a second, every "
        "adapter here answers for the virtual IPs bound on it, and what this node held it must claim anew"
    )
    return [warn(_CHECK, where, remedy, effect, write)]


def _remedy(texts: dict[str, str], flushing: list[str], commands: list[str]) -> tuple[str, tuple[NewFile, ...]]:
    parts, write = [], []
    tables = list(dict.fromkeys(_tables("\n".join(texts.values()))))
    # Adding a table first makes that deleting it never fails; "destroy table" is newer (nft 1.0.8).
    own = "\n".join(f"table {table}\ndelete table {table}" for table in tables) or "delete table inet filter"
    # Loaded again without a flush before, rules would be there twice.
    first = flushing or [path for path in texts if set(commands) - {"ExecStop"}][:1]
    if first:
        parts.append(f"let {', '.join(first)} begin, instead of flush ruleset: {'; '.join(own.splitlines())}")
    if commands:
        path = "/etc/systemd/system/nftables.service.d/10-vipa.conf"
        lines = []
        for key in commands:
            lines.append(f"{key}=")
            if key == "ExecStop":
                lines += [f"{key}=-/usr/sbin/nft delete table {table}" for table in tables]
            else:
                lines += [f"{key}=/usr/sbin/nft -f {path_}" for path_ in list(texts)[:1]]
        write.append(NewFile(path, "[Service]\n" + "\n".join(lines) + "\n"))
        parts.append(f"write {path}, then systemctl daemon-reload")
    return "; ".join(parts), tuple(write)


def _unit(root: Path) -> list[unitfile.Entry]:
    """nftables.service with its drop-ins; an empty Exec line forgets those before it."""
    paths = unitfile.by_name(root, _UNIT_DIRS, "nftables.service")
    if not paths:
        return []
    drop_ins = unitfile.by_name(root, [f"{folder}/nftables.service.d" for folder in _UNIT_DIRS], "*.conf")
    kept: list[unitfile.Entry] = []
    for path in (*paths, *drop_ins):
        for entry in unitfile.parse(unitfile.read(path)):
            if not entry.value:
                kept = [each for each in kept if (each.section, each.key) != (entry.section, entry.key)]
            else:
                kept.append(entry)
    return kept


def _enabled(root: Path) -> bool:
    folders = [root / folder for folder in _UNIT_DIRS[:2]]
    links = [path for folder in folders for path in folder.glob("*.wants/nftables.service")]
    return any(path.is_symlink() or path.exists() for path in links)


def _included(root: Path, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """The file and what it includes; patterns are followed, and paths that are not whole are below /etc."""
    whole = path if path.startswith("/") else f"/etc/{path}"
    text = unitfile.read(root / whole.lstrip("/"))
    yield whole, text
    if depth < _DEPTH_MAX:
        for pattern in _INCLUDE.findall(_code(text)):
            inner = pattern if pattern.startswith("/") else f"/etc/{pattern}"
            for found in sorted(root.glob(inner.lstrip("/"))):
                yield from _included(root, f"/{found.relative_to(root)}", depth + 1)


def _tables(text: str) -> Iterator[str]:
    for family, name in _TABLE.findall(_code(text)):
        yield f"{family.strip() or 'ip'} {name}"


def _code(text: str) -> str:
    """Without comments."""
    return re.sub(r"#.*", "", text)
