"""What is old in what the API says, judged from the objects alone. Pure."""

from collections.abc import Iterable, Iterator

from vipa_cli.cluster.kubeconfig import Json
from vipa_cli.cluster.objects import name_of, spec_of, status_of


def stale(vips: Iterable[Json], agents: Iterable[Json]) -> list[str]:
    """A sentence for each object whose status does not follow its spec, or another's status."""
    vips, agents = list(vips), list(agents)
    return [*_plans(agents), *_statuses(vips), *_holders(vips, agents)]


def _plans(agents: Iterable[Json]) -> Iterator[str]:
    for agent in agents:
        given, taken = int(spec_of(agent).get("epoch") or 0), int(status_of(agent).get("epoch") or 0)
        if status_of(agent) and taken < given:
            yield f"the agent on {name_of(agent)} works by plan {taken}, and the operator has given {given}"


def _statuses(vips: Iterable[Json]) -> Iterator[str]:
    for vip in vips:
        wanted, seen = int(vip["metadata"].get("generation") or 0), int(status_of(vip).get("observedGeneration") or 0)
        if seen < wanted:
            yield f"the status of {name_of(vip)} is about its generation {seen}, and the spec is of {wanted}"


def _holders(vips: Iterable[Json], agents: Iterable[Json]) -> Iterator[str]:
    held = {name_of(agent): set(status_of(agent).get("held") or ()) for agent in agents if status_of(agent)}
    for vip in vips:
        node = (status_of(vip).get("holder") or {}).get("node")
        if node in held and name_of(vip) not in held[node]:
            yield f"the status of {name_of(vip)} says {node} serves it, whose agent says it does not"
