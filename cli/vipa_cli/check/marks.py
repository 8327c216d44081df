"""Who else uses the bits of the firewall mark, the rule priorities and the route tables that steer replies? Pure, but
for iptables' own words. All of it matters only where two adapters share a LAN: elsewhere an agent steers nothing."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from vipa_agent.kernel.marks import DEFAULT_MASK
from vipa_agent.kernel.routes import RULE_BASE, TABLE_BASE
from vipa_cli.check.finding import Finding, ok, warn
from vipa_cli.check.machine import Machine, Rule
from vipa_cli.check.room import NETWORK
from vipa_cli.check.ruleset import Ruleset

_ALL: Final = 0xFFFFFFFF
_PRIORITIES: Final = range(RULE_BASE, RULE_BASE + 5)
"""vipa_agent.kernel.routes: five rules in a row."""
_WRONG_WAY: Final = "replies of virtual IPs may leave by the wrong adapter, and be lost when that one's path is dead"
_NARROW: Final = (
    f"vipa uses the bits {DEFAULT_MASK:#010x}: give the other program a mask without them (Calico: iptablesMarkMask "
    "and nftablesMarkMask 0xff000000; Tailscale cannot: run it elsewhere)"
)
_SHOWN: Final = 3
_TARGET: Final = re.compile(r"-j (MARK|CONNMARK) (--\S+)(?: (?!--)(\S+))?(?:.*--nfmask (\S+))?")
_IPTABLES_S: Final = 10.0


def judge(machine: Machine, setters: Iterable[str]) -> list[Finding]:
    """``setters``: rules that set marks and touch vipa's bits, for people."""
    if not machine.steers:
        return [ok("firewall marks", "not used: no two adapters share a LAN")]
    found = [*_looking(machine.rules), *_setting(list(setters)), *_colliding(machine), *_first(machine.rules)]
    return found or [ok("firewall marks", f"nobody else uses the bits {DEFAULT_MASK:#x}, nor vipa's rules and tables")]


def _looking(rules: Iterable[Rule]) -> Iterator[Finding]:
    foreign = [rule for rule in rules if rule.mark and not rule.ours and rule.mask & DEFAULT_MASK]
    if foreign:
        listed = ", ".join(
            f"{rule.mark:#x}/{rule.mask:#x} (IPv{rule.version}, priority {rule.priority})" for rule in foreign
        )
        found = f"routing rules of others look at vipa's bits: {listed}"
        yield warn(
            "firewall marks", found, _NARROW, f"their rule no longer meets packets that vipa marks; {_WRONG_WAY}"
        )


def _setting(setters: list[str]) -> Iterator[Finding]:
    if setters:
        more = f", and {len(setters) - _SHOWN} more" if len(setters) > _SHOWN else ""
        found = f"rules that overwrite vipa's bits: {'; '.join(setters[:_SHOWN])}{more}"
        yield warn("firewall marks", found, _NARROW, f"packets they meet lose vipa's mark: {_WRONG_WAY}")


def _colliding(machine: Machine) -> Iterator[Finding]:
    taken = [rule for rule in machine.rules if rule.priority in _PRIORITIES and not rule.ours]
    if taken:
        listed = ", ".join(f"{rule.priority} (IPv{rule.version})" for rule in taken)
        remedy = f"give them another priority than {_PRIORITIES[0]} to {_PRIORITIES[-1]}"
        yield warn("routing rules", f"others have rules at vipa's priorities: {listed}", remedy, _WRONG_WAY)
    if machine.strange_tables:
        listed = ", ".join(f"{table} (IPv{version})" for version, table in machine.strange_tables)
        remedy = f"give them tables outside of {TABLE_BASE} to {TABLE_BASE + 15}"
        yield warn("routing tables", f"others have routes in vipa's tables: {listed}", remedy, _WRONG_WAY)


def _first(rules: Iterable[Rule]) -> Iterator[Finding]:
    before = [rule for rule in rules if rule.catches_all and rule.priority < _PRIORITIES[0] and not rule.ours]
    if before:
        listed = ", ".join(f"{rule.priority} (IPv{rule.version}, table {rule.table})" for rule in before)
        yield warn(
            "routing rules",
            f"come before vipa's, and take every packet that their table has a route for: {listed}",
            f"give them priorities above {_PRIORITIES[-1]}, or narrow them (from, iif, fwmark, suppress_prefixlength)",
            _WRONG_WAY,
        )


def setters(rules: Ruleset) -> list[str]:
    """Chains of nftables with rules that change vipa's bits of the mark; rules of iptables, where it is used."""
    chains = [str(chain) for chain in rules.chains.values() if any(_touches(rule) for rule in chain.rules)]
    if has_xt(rules):
        chains += [line for program in ("iptables", "ip6tables") for line in read_iptables(_saved(program))]
    return chains


def _touches(rule: Iterable[Mapping[str, Any]]) -> bool:
    for expression in rule:
        mangle = expression.get("mangle")
        if mangle and mangle.get("key") == _MARK and changed(mangle["value"]) & DEFAULT_MASK:
            return True
    return False


_MARK: Final = {"meta": {"key": "mark"}}


def changed(value: Any) -> int:  # noqa: ANN401 - JSON
    """Bits in which the mark may differ after ``meta mark set value``."""
    if value == _MARK:
        return 0
    if isinstance(value, dict):
        for operator in ("|", "^", "&"):
            if operator in value:
                left, right = value[operator]
                if operator == "&" and isinstance(right, int):
                    return changed(left) | ~right & _ALL if _keeps(left) else _ALL
                return changed(left) | _possible(right)
    return _ALL


def _keeps(value: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether the mark itself is part of ``value``."""
    if isinstance(value, dict):
        return value == _MARK or any(_keeps(each) for op in ("|", "^", "&") for each in value.get(op, ()))
    return False


def _possible(value: Any) -> int:  # noqa: ANN401 - JSON
    """Bits that ``value`` may have."""
    if isinstance(value, int):
        return value
    if isinstance(value, dict) and "&" in value:
        left, right = value["&"]
        return _possible(left) & _possible(right)
    return _ALL


def has_xt(rules: Ruleset) -> bool:
    """Whether iptables sets marks here: by its nftables version, or the old one, whose tables nftables does not see."""
    names = {"MARK", "CONNMARK"}
    new = any(e.get("xt", {}).get("name") in names for c in rules.chains.values() for rule in c.rules for e in rule)
    return new or any(_text(NETWORK / name) for name in ("ip_tables_names", "ip6_tables_names"))


def read_iptables(saved: str) -> list[str]:
    """Rules of iptables-save's text that change vipa's bits."""
    found = []
    for line in saved.splitlines():
        target = _TARGET.search(line)
        if target and _bits(target) & DEFAULT_MASK:
            found.append(line)
    return found


def _bits(target: re.Match[str]) -> int:
    kind, option, value, nfmask = target.groups()
    if kind == "CONNMARK":  # saving changes the connection's mark, not the packet's
        return (int(nfmask, 0) if nfmask else _ALL) if option == "--restore-mark" else 0
    number, _, mask = (value or "").partition("/")
    try:
        # iptables-extensions(8), --set-xmark: zero out the bits of the mask, then XOR.
        return int(number, 0) | (int(mask, 0) if mask else _ALL)
    except ValueError:
        return _ALL


def _saved(program: str) -> str:
    texts = []
    for name in (f"{program}-nft-save", f"{program}-legacy-save"):
        path = shutil.which(name)
        if path:
            done = subprocess.run([path], capture_output=True, text=True, timeout=_IPTABLES_S, check=False)
            texts.append(done.stdout)
    return "".join(texts)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
