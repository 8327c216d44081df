"""``support-bundle``: all that helps to understand a cluster's vipa from afar, in one file; secrets are left out."""

import io
import json
import os
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from vipa import __version__
from vipa_cli import exits
from vipa_cli.cluster.checks import judge
from vipa_cli.cluster.client import Client, escaped
from vipa_cli.cluster.errors import ClusterError
from vipa_cli.cluster.kubeconfig import Json
from vipa_cli.cluster.objects import AGENTS, EVENTS, LISTS, NODES, POOLS, VIPS, name_of, spec_of, status_of
from vipa_cli.cluster.scrub import scrub, scrub_text
from vipa_cli.cluster.survey import Survey, survey
from vipa_cli.cluster.view import view

LOG_LINES: Final = 5000
"""An agent writes some ten lines at a failover: this is weeks of a healthy cluster, and a megabyte."""
# For its owner alone: even without secrets it tells much about a network.
_MODE: Final = 0o600


def bundle_command(client: Client, namespace: str, file: Path | None, output: str) -> int:
    """0: written, even when some parts could not be had (errors.txt in it says which)."""
    now = datetime.now(UTC)
    name = f"vipa-support-{now:%Y%m%d-%H%M%S}"
    target = file if file is not None else Path(f"{name}.tar.gz")
    seen = survey(client, namespace)  # before the file is made: with no cluster there is nothing to write
    errors: list[str] = []
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
    except OSError as error:
        raise ClusterError(f"cannot write {target}: {error.strerror}") from None
    count = 0
    with os.fdopen(handle, "wb") as raw, tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for path, text in _parts(client, namespace, seen, now, errors):
            _add(archive, f"{name}/{path}", text, now)
            count += 1
        if errors:
            _add(archive, f"{name}/errors.txt", "\n".join(errors) + "\n", now)
    if output == "json":
        sys.stdout.write(json.dumps({"file": str(target), "files": count, "errors": errors}) + "\n")
    else:
        sys.stdout.write(f"{target}: {count} files; Secrets, tokens and values of variables are left out\n")
        sys.stdout.write("".join(f"not in it: {error}\n" for error in errors))
        sys.stdout.write("It names nodes and addresses of your network: look into it before you pass it on.\n")
    return exits.GOOD


def _parts(client: Client, namespace: str, seen: Survey, now: datetime, errors: list[str]) -> Iterator[tuple[str, str]]:
    versions = {"time": now.isoformat(), "program": __version__, "server": seen.version, "namespace": namespace}
    yield "versions.json", _text(versions)
    yield "check.json", _text([asdict(each) for each in judge(seen, namespace)])
    yield "status.json", _text([view(vip)._asdict() for vip in seen.vips or ()])
    for name, path in _paths(namespace).items():
        if (found := _get(client, path, errors)) is not None:
            yield f"objects/{name}.json", _text(scrub(_without_images(found)))
    for pod in seen.pods or ():
        yield from _logs(client, namespace, pod, errors)


def _paths(namespace: str) -> dict[str, str]:
    core, apps = f"/api/v1/namespaces/{escaped(namespace)}", f"/apis/apps/v1/namespaces/{escaped(namespace)}"
    return {
        "virtualips": VIPS,
        "preferredinterfacelists": LISTS,
        "virtualippools": POOLS,
        "virtualipnodes": AGENTS,
        "nodes": NODES,
        "events-default": EVENTS,
        "events": f"{core}/events",
        "pods": f"{core}/pods",
        "leases": f"/apis/coordination.k8s.io/v1/namespaces/{escaped(namespace)}/leases",
        "daemonsets": f"{apps}/daemonsets",
        "deployments": f"{apps}/deployments",
        "crds": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    }


def _get(client: Client, path: str, errors: list[str]) -> Json | None:
    try:
        found = client.get(path)
    except ClusterError as error:
        errors.append(f"{path}: {error}")
        return None
    if path.endswith("customresourcedefinitions"):
        found["items"] = [each for each in found.get("items") or () if spec_of(each).get("group") == "vipa.dev"]
    return found


def _without_images(found: Json) -> Json:
    """A Node lists every image it has; that is long, and tells of other people's software."""
    for each in found.get("items") or ():
        status_of(each).pop("images", None)
    return found


def _logs(client: Client, namespace: str, pod: Json, errors: list[str]) -> Iterator[tuple[str, str]]:
    for container in spec_of(pod).get("containers") or ():
        pod_name, name = name_of(pod), container["name"]
        path = f"/api/v1/namespaces/{escaped(namespace)}/pods/{escaped(pod_name)}/log?container={escaped(name)}"
        runs = [("", "")]
        statuses = status_of(pod).get("containerStatuses") or ()
        if any(s.get("name") == name and s.get("restartCount") for s in statuses):
            runs.append((".previous", "&previous=true"))
        for suffix, question in runs:
            try:
                text = client.text(f"{path}&tailLines={LOG_LINES}&timestamps=true{question}")
            except ClusterError as error:
                errors.append(f"log of {pod_name}/{name}{suffix}: {error}")
            else:
                yield f"logs/{pod_name}/{name}{suffix}.log", scrub_text(text)


def _text(value: Any) -> str:  # noqa: ANN401 - JSON
    return json.dumps(value, indent=1) + "\n"


def _add(archive: tarfile.TarFile, name: str, text: str, now: datetime) -> None:
    data = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = len(data), int(now.timestamp()), _MODE
    archive.addfile(entry, io.BytesIO(data))
