"""``check`` of a cluster: is everything of vipa there, alive, of one version, and up to date?"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from vipa import __version__
from vipa_cli import exits
from vipa_cli.check.finding import Finding, Level, fail, ok, warn
from vipa_cli.cluster.client import Client
from vipa_cli.cluster.objects import name_of, spec_of, status_of
from vipa_cli.cluster.strangers import excluded
from vipa_cli.cluster.survey import KEY_SECRET, Survey, survey
from vipa_cli.cluster.table import Paper
from vipa_cli.cluster.view import view

OLDEST_MINOR: Final = 31
"""The CRDs' rules use isIP() of Kubernetes 1.31."""
TYPES: Final = ("preferredinterfacelists", "virtualipnodes", "virtualippools", "virtualips")
AGENT_ACCOUNT: Final = "vipa-agent"
_NAMES_SHOWN: Final = 5
_STYLES: Final = {Level.OK: "good", Level.WARN: "warn", Level.FAIL: "bad", Level.UNKNOWN: "warn"}


def cluster_check_command(client: Client, namespace: str, output: str) -> int:
    """0: nothing failed (warnings aside); 1: something did."""
    findings = list(judge(survey(client, namespace), namespace))
    if output == "json":
        sys.stdout.write(json.dumps([asdict(each) for each in findings], indent=1) + "\n")
    else:
        show(findings, Paper())
    return exits.NOT_GOOD if any(each.level is Level.FAIL for each in findings) else exits.GOOD


def show(findings: list[Finding], paper: Paper) -> None:
    """A paragraph each."""
    for each in findings:
        paper.line(f"{each.level.value:4}  {each.check}: {each.found}", _STYLES[each.level], hang=6)
        if each.remedy:
            paper.line(f"→ {each.remedy}", indent=6, hang=2)


def judge(seen: Survey, namespace: str) -> Iterator[Finding]:
    """All findings."""
    yield _server(seen)
    missing = [kind for kind in TYPES if kind not in seen.types]
    if missing:
        yield fail("types", f"the server does not know {', '.join(missing)}", "apply crds/, or install the chart")
        return
    yield ok("types", "all four resource types are there")
    yield _operator(seen, namespace)
    yield from _agents(seen, namespace)
    yield from _versions(seen)
    yield _key(seen, namespace)
    yield _stale(seen)
    yield _vips(seen)


def _server(seen: Survey) -> Finding:
    version = str(seen.version.get("gitVersion", "?"))
    # Providers write 1.31+.
    minor = re.sub(r"\D.*", "", str(seen.version.get("minor", "")))
    if seen.version.get("major") == "1" and minor and int(minor) < OLDEST_MINOR:
        return fail("server", f"Kubernetes {version}", f"vipa needs 1.{OLDEST_MINOR} or newer")
    return ok("server", f"Kubernetes {version}")


def _operator(seen: Survey, namespace: str) -> Finding:
    if seen.operator.alive is None:
        return warn("operator", seen.operator.says, "ask for the right to read Leases there")
    if seen.operator.alive:
        return ok("operator", seen.operator.says)
    return fail(
        "operator",
        f"{seen.operator.says}; nothing that changes is planned, though addresses still fail over",
        f"kubectl -n {namespace} get pods; is vipa in another namespace? give --namespace",
    )


def _agents(seen: Survey, namespace: str) -> Iterator[Finding]:
    if seen.agents is None or seen.nodes is None:
        yield warn("agents", "may not list Nodes and VirtualIPNodes", "ask for the right to list them")
        return
    reported = {name_of(agent) for agent in seen.agents if (status_of(agent).get("agent") or {}).get("version")}
    nodes = {name_of(node) for node in seen.nodes}
    silent = sorted(nodes - reported)
    pods = f"kubectl -n {namespace} get pods -o wide; a node may be left out on purpose (agent.nodeSelector)"
    if not reported & nodes:
        yield fail("agents", f"none of {len(nodes)} nodes has an agent that reports", pods)
    elif silent:
        yield warn("agents", f"no agent has ever reported from {_some(silent)}, of {len(nodes)} nodes", pods)
    else:
        yield ok("agents", f"agents on all {len(nodes)} nodes have reported")
    yield from _pods(seen, reported & nodes, namespace)
    gone = sorted(name_of(agent) for agent in seen.agents if name_of(agent) not in nodes)
    if gone:
        yield warn("nodes", f"VirtualIPNode {_some(gone)} is left of a Node that is gone", "the operator removes it")
    if out := [f"{name_of(node)} is {why}" for node in seen.nodes if (why := excluded(node))]:
        yield warn("excluded", _some(out, "; "), "these nodes serve nothing until that is over")


def _pods(seen: Survey, reported: set[str], namespace: str) -> Iterator[Finding]:
    """Statuses are written on change only, so that a dead agent's looks like that of a content one: its Pod tells."""
    if seen.pods is None:
        yield warn("agents' pods", f"may not list pods of namespace {namespace}", "ask for the right to list them")
        return
    pods = [pod for pod in seen.pods if spec_of(pod).get("serviceAccountName") == AGENT_ACCOUNT]
    conditions = ((pod, status_of(pod).get("conditions") or ()) for pod in pods)
    ready = {
        spec_of(pod).get("nodeName")
        for pod, said in conditions
        if any(c.get("type") == "Ready" and c.get("status") == "True" for c in said)
    }
    if dead := sorted(reported - ready):
        yield fail(
            "agents' pods",
            f"no agent is ready on {_some(dead)}, though one has reported from there",
            f"kubectl -n {namespace} get pods -o wide, and the logs of those that are not ready",
        )
    elif reported:
        yield ok("agents' pods", "an agent is ready on each node that has reported")


def _versions(seen: Survey) -> Iterator[Finding]:
    by_version: dict[str, list[str]] = {}
    for agent in seen.agents or ():
        if version := (status_of(agent).get("agent") or {}).get("version"):
            by_version.setdefault(version, []).append(name_of(agent))
    if not by_version:
        return
    if len(by_version) > 1:
        text = "; ".join(f"{version} on {_some(names)}" for version, names in sorted(by_version.items()))
        yield warn("versions", f"agents differ: {text}", "let the rollout end: kubectl rollout status")
    elif __version__ not in by_version:
        yield warn("versions", f"agents are {next(iter(by_version))}, this program is {__version__}", "use the same")
    else:
        yield ok("versions", f"agents and this program are {__version__}")


def _key(seen: Survey, namespace: str) -> Finding:
    if seen.key is None:
        return ok("heartbeat key", f"not looked for: you may not read Secrets of namespace {namespace}")
    if seen.key:
        return ok("heartbeat key", f"Secret {KEY_SECRET} is there")
    return fail("heartbeat key", f"there is no Secret {KEY_SECRET} in namespace {namespace}", "install the chart anew")


def _stale(seen: Survey) -> Finding:
    if seen.stale:
        return warn("statuses", _some(seen.stale, "; "), "see the logs of the operator and of those agents")
    return ok("statuses", "every status is up to date")


def _vips(seen: Survey) -> Finding:
    views = [view(vip) for vip in seen.vips or ()]
    bad = [each.name for each in views if each.wrong]
    if bad:
        return warn("virtual IPs", f"{len(bad)} of {len(views)} are not good: {_some(bad)}", "kubectl vipa status")
    alone = [each.name for each in views if not each.redundant]
    if alone:
        return warn("virtual IPs", f"{_some(alone)}: no spare could take over", "kubectl vipa explain NAME")
    return ok("virtual IPs", f"all {len(views)} are good" if views else "there is none yet")


def _some(names: list[str], joint: str = ", ") -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return joint.join(names[:_NAMES_SHOWN]) + more
