"""vipa's objects at the API server, as JSON; and finding the one somebody means."""

from collections.abc import Iterable, Sequence
from typing import Final

from vipa_cli.cluster.client import Client, escaped
from vipa_cli.cluster.errors import ForbiddenError, NotFoundError, UsageError
from vipa_cli.cluster.kubeconfig import Json

API: Final = "/apis/vipa.dev/v1alpha1"
VIPS: Final = f"{API}/virtualips"
LISTS: Final = f"{API}/preferredinterfacelists"
POOLS: Final = f"{API}/virtualippools"
AGENTS: Final = f"{API}/virtualipnodes"
NODES: Final = "/api/v1/nodes"
EVENTS: Final = "/api/v1/namespaces/default/events"
"""Where Kubernetes puts events about objects that are in no namespace."""
LEASE: Final = "vipa-operator"
DRAIN: Final = "vipa.dev/drain"
MOVE_TO: Final = "vipa.dev/move-to"
"""Annotations that the operator reads (vipa_operator.reconcile)."""


def name_of(thing: Json) -> str:
    """metadata.name."""
    return str(thing["metadata"]["name"])


def status_of(thing: Json) -> Json:
    """status, empty when nobody has written any."""
    return thing.get("status") or {}


def spec_of(thing: Json) -> Json:
    """spec."""
    return thing.get("spec") or {}


def listed(client: Client, path: str) -> list[Json]:
    """All objects of a kind, by name."""
    return sorted(client.get(path).get("items") or [], key=name_of)


def one_vip(client: Client, wanted: str) -> Json:
    """The VirtualIP that has ``wanted`` for its name or one of its addresses; UsageError names similar ones."""
    if not _is_address(wanted):
        try:
            return client.get(f"{VIPS}/{escaped(wanted)}")
        except NotFoundError:
            pass  # the list knows what it might have been
    return pick(listed(client, VIPS), wanted)


def some_vips(client: Client, wanted: Sequence[str]) -> list[Json]:
    """Those of ``wanted``, in that order; all without any."""
    if not wanted:
        return listed(client, VIPS)
    found = {}
    for each in wanted:
        vip = one_vip(client, each)
        found[name_of(vip)] = vip
    return list(found.values())


def pick(vips: Iterable[Json], wanted: str) -> Json:
    """The one of ``vips`` with that name or address; UsageError when there is none."""
    vips = list(vips)
    for vip in vips:
        if wanted == name_of(vip) or wanted in addresses(vip):
            return vip
    known = [name_of(vip) for vip in vips] + [address for vip in vips for address in addresses(vip)]
    raise UsageError(f"there is no virtual IP {wanted}{_near(wanted, known, 'VirtualIP')}")


def one_node(client: Client, wanted: str) -> Json:
    """The Kubernetes Node; UsageError names similar ones."""
    try:
        return client.get(f"{NODES}/{escaped(wanted)}")
    except NotFoundError:
        known = [name_of(node) for node in listed(client, NODES)]
        raise UsageError(f"there is no node {wanted}{_near(wanted, known, 'Node')}") from None


def addresses(vip: Json) -> list[str]:
    """What is served, or wanted while nothing is."""
    return list(status_of(vip).get("addresses") or spec_of(vip).get("addresses") or ())


def condition(vip: Json, kind: str) -> Json:
    """The condition of that type, empty without it."""
    return next((c for c in status_of(vip).get("conditions") or () if c.get("type") == kind), {})


def endpoint_text(candidate: Json) -> str:
    """node/interface, or the address alone where nothing else is known."""
    node, interface = candidate.get("node", ""), candidate.get("interface", "")
    return f"{node}/{interface}" if node else str(candidate.get("address", "?"))


def if_allowed(client: Client, path: str) -> list[Json] | None:
    """All objects of a kind that is only useful, not needed: None when this user may not list them."""
    try:
        return listed(client, path)
    except ForbiddenError:
        return None


def _near(wanted: str, known: Sequence[str], kind: str) -> str:
    if not known:
        return f": there is no {kind} at all yet"
    from difflib import get_close_matches  # only a mistake pays for it

    near = get_close_matches(wanted, known, n=3, cutoff=0.5)
    if near:
        return f"; meant {' or '.join(near)}?"
    few = ", ".join(known[:10])
    return f"; there are: {few}{', …' if len(known) > 10 else ''}"


def _is_address(text: str) -> bool:
    # Names of objects are RFC 1123 labels: no dots, no colons.
    return "." in text or ":" in text
