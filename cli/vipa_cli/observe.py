"""``vipa observe``: who answers for a virtual IP on the wire, and is it who should."""

import json
import sys
from dataclasses import asdict, dataclass
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Any, Final

from vipa.planner import plan, world_of
from vipa_agent.sources.folder import load_files
from vipa_agent.status import StatusError, read_status
from vipa_cli import exits
from vipa_cli.ask import Answers, AskError, Nic, ask, find_nic

# Candidates answer for their own addresses at once; ten questions get past a lost one.
_RESOLVE_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Declared:
    """Who may answer, by what this machine knows. ``elected`` is the one address that should, "" when not known;
    ``here``: this machine itself is to answer, which it cannot hear."""

    source: str
    candidates: tuple[str, ...]
    elected: str = ""
    here: bool = False


@dataclass(frozen=True, slots=True)
class Observation:
    """``macs``: answers by MAC; ``endpoints``: the candidate each MAC belongs to, where known."""

    vip: str
    interface: str
    asked: int
    macs: dict[str, int]
    endpoints: dict[str, str]
    at_once: int
    good: bool
    verdict: str
    declared: str


def observe_command(vip: str, interface: str, seconds: float, file: Path | None, state_dir: Path, output: str) -> int:
    """0: exactly one answers and it is the one declared; 1: none, several, another; 2: usage; 3: cannot ask."""
    try:
        IPv4Address(vip)
    except AddressValueError:
        return _say(exits.USAGE, f"{vip!r} is no IPv4 address; write for example 10.1.1.7")
    if file is not None and not file.exists():
        return _say(exits.USAGE, f"there is no file {file}")
    declared = from_file(file, vip) if file is not None else from_agent(state_dir, vip)
    if declared is None and file is not None:
        return _say(exits.USAGE, f"{file} declares no virtual IP {vip} that is accepted; see vipa plan -f {file}")
    try:
        nic = find_nic(vip, interface)
        others = [a for a in declared.candidates if a not in nic.addresses] if declared else []
        owners = _owners(nic, declared, ask(nic, others, _RESOLVE_S) if others else {})
        answers = ask(nic, [vip], seconds)[vip]
    except AskError as error:
        return _say(exits.USAGE if error.usage else exits.CANNOT_TELL, str(error))
    good, verdict = judge(answers, owners, declared)
    seen = Observation(
        vip=vip,
        interface=nic.name,
        asked=answers.asked,
        macs=answers.macs,
        endpoints={mac: owners[mac] for mac in answers.macs if mac in owners},
        at_once=answers.at_once,
        good=good,
        verdict=verdict,
        declared=declared.source if declared else "",
    )
    _print(seen, output)
    return exits.GOOD if good else exits.NOT_GOOD


def judge(answers: Answers, owners: dict[str, str], declared: Declared | None) -> tuple[bool, str]:
    """Whether it is as it should be, and one sentence. ``owners``: candidate address by MAC."""
    names = {mac: f"{mac} ({owners[mac]})" if mac in owners else mac for mac in answers.macs}
    if declared and declared.here:
        if answers.macs:
            return False, f"this machine serves it, and yet {' and '.join(names.values())} answers"
        return True, "this machine serves it, and nobody else answers"
    if not answers.macs:
        return False, "nobody answers"
    if answers.at_once:
        return False, f"several answer at once: {' and '.join(names.values())} ({answers.at_once} times)"
    if len(answers.macs) > 1:
        return False, f"it moved while it was watched, or several answer: {', then '.join(names.values())}; look again"
    (mac,) = answers.macs
    if declared is None:
        return True, f"{mac} answers; nothing is declared here to compare with (no agent runs; see -f)"
    if mac not in owners:
        return False, f"{mac} answers, which is no candidate's: a foreign machine has the address"
    if declared.elected and owners[mac] != declared.elected:
        return False, f"{names[mac]} answers, but {declared.elected} is elected"
    return True, f"{names[mac]} answers, as declared"


def from_file(file: Path, vip: str) -> Declared | None:
    """What the manifests say of ``vip``, None when nothing."""
    loaded = load_files([file])
    for planned in plan(world_of(loaded.objects, loaded.refused)).vips:
        if vip in planned.addresses:
            return Declared(str(file), tuple(endpoint.address for endpoint in planned.succession))
    return None


def from_agent(state_dir: Path, vip: str) -> Declared | None:
    """What the agent on this machine knows of ``vip``, None when there is none or it knows nothing."""
    try:
        document: dict[str, Any] = read_status(state_dir)
    except StatusError:
        return None
    for known in document["vips"]:
        if vip in known["addresses"]:
            candidates = tuple(c["address"] for c in known.get("succession", ()))
            elected = next((c["address"] for c in known.get("succession", ()) if c["elected"]), "")
            here = known["role"] == "Holder"
            return Declared(f"the agent on {document['node']}", candidates, elected, here)
    return None


def _owners(nic: Nic, declared: Declared | None, found: dict[str, Answers]) -> dict[str, str]:
    owners = {mac: address for address, answers in found.items() for mac in answers.macs}
    if declared and nic.address in declared.candidates:
        owners[nic.mac] = nic.address
    return owners


def _print(seen: Observation, output: str) -> None:
    if output == "json":
        sys.stdout.write(json.dumps(asdict(seen), indent=1) + "\n")
        return
    sys.stdout.write(f"{seen.vip}, asked {seen.asked} times on {seen.interface}\n")
    for mac, count in seen.macs.items():
        sys.stdout.write(f"  {mac} {seen.endpoints.get(mac, '')} answered {count} times\n")
    if seen.declared:
        sys.stdout.write(f"declared by {seen.declared}\n")
    sys.stdout.write(f"{'good' if seen.good else 'NOT GOOD'}: {seen.verdict}\n")


def _say(code: int, message: str) -> int:
    sys.stderr.write(f"vipa observe: {message}\n")
    return code
