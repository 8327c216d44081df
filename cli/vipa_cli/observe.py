"""``vipa observe``: who answers for a virtual IP on the wire, and is it who should."""

import json
import sys
from argparse import Namespace
from dataclasses import asdict, dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from vipa.planner import plan, world_of
from vipa_agent.sources.folder import load_files
from vipa_agent.status import StatusError, read_status
from vipa_cli import exits
from vipa_cli.ask import Answers, AskError, Nic, ask, find_nic
from vipa_cli.cluster.errors import ClusterError, UsageError

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


def observe_command(
    wanted: str,
    interface: str,
    seconds: float,
    file: Path | None,
    state_dir: Path,
    output: str,
    *,
    cluster: Namespace | None = None,
) -> int:
    """``wanted``: an address; or a name where ``cluster``, the words that say which, is given. 0: exactly one answers
    and it is the one declared; 1: none, several, another; 2: usage; 3: cannot ask."""
    try:
        vip, declared = (
            from_cluster(cluster, wanted, state_dir)
            if cluster is not None
            else _declared_here(_address(wanted), file, state_dir)
        )
    except ClusterError as error:
        return _say(error.code, str(error))
    if declared is None and file is not None:
        return _say(exits.USAGE, f"{file} declares no virtual IP {vip} that is accepted; see vipa plan -f {file}")
    try:
        nic = find_nic(vip, interface)
        if declared and declared.elected in nic.addresses:
            declared = replace(declared, here=True)
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


def _address(text: str) -> str:
    """Canonical, as plans and agents write it."""
    try:
        return str(ip_address(text))
    except ValueError:
        raise UsageError(f"{text!r} is no IP address; write for example 10.1.1.7 or fd00::7") from None


def _declared_here(vip: str, file: Path | None, state_dir: Path) -> tuple[str, Declared | None]:
    return vip, from_file(file, vip) if file else from_agent(state_dir, vip)


def from_cluster(arguments: Namespace, wanted: str, state_dir: Path) -> tuple[str, Declared | None]:
    """Address, and what the API server says of the virtual IP. One that was not named and does not help is no reason to
    give up: the agent here may know. ClusterError."""
    from vipa_cli.cluster.arguments import client_of
    from vipa_cli.cluster.declared import declared

    try:
        found = declared(client_of(arguments), _address(wanted) if _is_address(wanted) else wanted)
    except ClusterError as error:
        named = arguments.plugin or arguments.kubeconfig is not None or arguments.context
        if named or (isinstance(error, UsageError) and not _is_address(wanted)):
            raise
        vip = _address(wanted)
        known = from_agent(state_dir, vip)
        if known is None:
            sys.stderr.write(f"vipa observe: the cluster says nothing of it: {error}\n")
        return vip, known
    return _address(found.address), Declared(found.source, found.candidates, found.elected)


def _is_address(text: str) -> bool:
    try:
        _address(text)
    except UsageError:
        return False
    return True


def from_file(file: Path, vip: str) -> Declared | None:
    """What the manifests say of ``vip``, None when nothing."""
    if not file.exists():
        raise UsageError(f"there is no file {file}")
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
    candidates = declared.candidates if declared else ()
    if own := next((address for address in nic.addresses if address in candidates), ""):
        owners[nic.mac] = own
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
