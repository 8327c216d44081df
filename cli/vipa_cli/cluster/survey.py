"""What is looked at of a whole cluster, fetched once: for ``check`` and ``support-bundle``."""

import time
from typing import Final, NamedTuple

from vipa_cli.cluster.client import Client, escaped
from vipa_cli.cluster.errors import ForbiddenError, NotFoundError, NoTypesError
from vipa_cli.cluster.judgement import stale
from vipa_cli.cluster.kubeconfig import Json
from vipa_cli.cluster.objects import AGENTS, API, NODES, VIPS, if_allowed
from vipa_cli.cluster.pulse import Pulse, pulse

KEY_SECRET: Final = "vipa-heartbeat-key"
METADATA_ONLY: Final = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
"""Kubernetes then sends no data of a Secret."""
_SECOND_LOOK_S: Final = 2.0
"""A plan that was just written is taken by its agents within a second."""


class Survey(NamedTuple):
    """Lists are None where this user may not look. ``types``: plurals the server knows of vipa's group. ``key``:
    whether the heartbeat key is there, None when that is not known. ``stale``: what stayed old for two looks."""

    version: Json
    types: list[str]
    operator: Pulse
    vips: list[Json] | None
    agents: list[Json] | None
    nodes: list[Json] | None
    pods: list[Json] | None
    key: bool | None
    stale: list[str]


def survey(client: Client, namespace: str) -> Survey:
    """Look. ClusterError when the server cannot be reached or does not know this user."""
    version = client.get("/version")
    try:
        types = sorted(r["name"] for r in client.get(API).get("resources") or () if "/" not in r["name"])
    except NoTypesError:
        types = []
    vips, agents = (if_allowed(client, path) if _plural(path) in types else [] for path in (VIPS, AGENTS))
    old = stale(vips or [], agents or [])
    if old:
        time.sleep(_SECOND_LOOK_S)
        vips, agents = if_allowed(client, VIPS), if_allowed(client, AGENTS)
        again = stale(vips or [], agents or [])
        old = [each for each in old if each in again]
    return Survey(
        version=version,
        types=types,
        operator=pulse(client, namespace),
        vips=vips,
        agents=agents,
        nodes=if_allowed(client, NODES),
        pods=if_allowed(client, f"/api/v1/namespaces/{escaped(namespace)}/pods"),
        key=_has_key(client, namespace),
        stale=old,
    )


def _plural(path: str) -> str:
    return path.rpartition("/")[2]


def _has_key(client: Client, namespace: str) -> bool | None:
    try:
        client.get(f"/api/v1/namespaces/{escaped(namespace)}/secrets/{KEY_SECRET}", METADATA_ONLY)
    except NotFoundError:
        return False
    except ForbiddenError:
        return None
    return True
