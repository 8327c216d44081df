"""Next hops from the API server: ``status.nextHops`` of every VirtualIP, followed in a thread of its own."""

import threading
import time
from collections.abc import Callable, Collection
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import structlog

from vipa.remote.hearing import Way
from vipa.remote.lans import Lans
from vipa.remote.ways import told_ways
from vipa_cli.cluster.client import Client
from vipa_cli.cluster.errors import ClusterError, GoneError
from vipa_cli.cluster.kubeconfig import find_access
from vipa_cli.cluster.objects import VIPS, name_of, status_of

log = structlog.get_logger()

RETRY_S: Final = 2.0
"""Between attempts at a server that is away."""


class ApiHops:
    """``changed`` is called, in the thread, after each change. While the server is away what it said last counts."""

    def __init__(self, kubeconfig: Path, changed: Callable[[], None]) -> None:
        self._access = find_access(kubeconfig, "")
        self._changed = changed
        self._hops: dict[str, dict[str, tuple[str, ...]]] | None = None
        """By VirtualIP: the next hops of each of its addresses."""

    def start(self) -> None:
        """Begin to follow."""
        threading.Thread(target=self._run, name="api", daemon=True).start()

    def ways(self, lans: Lans, routed: Collection[str]) -> dict[str, Way] | None:
        """The way of each virtual IP, by :func:`told_ways`; None: the server has not answered yet."""
        if self._hops is None:
            return None
        return told_ways({vip: hops for of in list(self._hops.values()) for vip, hops in of.items()}, lans, routed)

    def _run(self) -> None:
        trouble = ""
        while True:
            try:
                self.follow()
                trouble = ""
            except GoneError:
                continue  # it was too long ago: list again
            except ClusterError as error:
                if str(error) != trouble:
                    log.warning("API server away: routes stay by what it said last", detail=str(error))
                trouble = str(error)
                time.sleep(RETRY_S)

    def follow(self) -> None:
        """List, then follow until the server ends it. Raises ClusterError."""
        client = Client(self._access)
        listed = client.get(VIPS)
        hops = self._hops = {name_of(vip): _hops(vip) for vip in listed["items"]}
        self._changed()
        since = listed["metadata"]["resourceVersion"]
        for event in client.watch(VIPS, since):
            vip = event["object"]
            if event["type"] == "DELETED":
                hops = {name: of for name, of in hops.items() if name != name_of(vip)}
            elif event["type"] in ("ADDED", "MODIFIED"):
                hops = {**hops, name_of(vip): _hops(vip)}
            else:
                continue
            self._hops = hops
            self._changed()


def _hops(vip: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """By address of a VirtualIP that was accepted: its next hops of that family."""
    status = status_of(vip)
    hops: list[str] = status.get("nextHops") or []
    return {
        address: tuple(hop for hop in hops if ip_address(hop).version == ip_address(address).version)
        for address in status.get("addresses") or ()
    }
