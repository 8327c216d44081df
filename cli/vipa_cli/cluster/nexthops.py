"""``nexthops``: where a load balancer in front sends traffic for a virtual IP, in its own words; followed if asked."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import quote

from vipa_cli import exits
from vipa_cli.cluster.agenthops import follow, once
from vipa_cli.cluster.client import Client
from vipa_cli.cluster.errors import ClusterError, GoneError, UsageError
from vipa_cli.cluster.kubeconfig import Json
from vipa_cli.cluster.objects import VIPS, addresses, name_of, one_vip, status_of

# Between attempts at a server that is away: it is asked again by every watcher of the cluster.
_RETRY_S: Final = 2.0
# ipvsadm(8): a service for all ports has to be persistent; this is its default.
_PERSISTENT_S: Final = 300


def nexthops_command(client: Client, wanted: str, form: str, port: int, *, watch: bool) -> int:
    """Print them in ``form``; with ``watch`` again after each change, until Ctrl-C. 0: there are some; 1: none."""
    teller = _Teller(form, port)
    vip = one_vip(client, wanted)
    teller.tell(vip)
    if not watch:
        return exits.GOOD if status_of(vip).get("nextHops") else exits.NOT_GOOD
    while True:
        try:
            _follow(client, vip, teller)
            vip = one_vip(client, name_of(vip))
            teller.tell(vip)
            teller.trouble("")
        except UsageError:
            raise  # it was deleted
        except GoneError:
            vip["metadata"]["resourceVersion"] = ""  # too long ago: from now on
        except ClusterError as error:
            # A server that is away, or comes back and does not know everybody's rights yet.
            teller.trouble(str(error))
            time.sleep(_RETRY_S)


def agents_nexthops_command(agents: Sequence[str], wanted: str, form: str, port: int, *, watch: bool) -> int:
    """The same, asked of ``agents`` over HTTP."""
    teller = _Teller(form, port)
    if watch:
        follow(agents, wanted, teller.tell, teller.trouble)
    vip = once(agents, wanted)
    teller.tell(vip)
    return exits.GOOD if status_of(vip).get("nextHops") else exits.NOT_GOOD


class _Teller:
    """Says what is new, once."""

    def __init__(self, form: str, port: int) -> None:
        self._form, self._port = FORMS[form], port
        self._said = self._trouble = ""

    def tell(self, vip: Json) -> None:
        text = self._form(vip, self._port)
        if text != self._said:
            sys.stdout.write(text)
            sys.stdout.flush()
        self._said = text

    def trouble(self, text: str) -> None:
        if text and text != self._trouble:
            sys.stderr.write(f"vipa nexthops: {text}; still trying\n")
        self._trouble = text


def _follow(client: Client, vip: Json, teller: _Teller) -> None:
    """Until the watch ends."""
    since = vip["metadata"].get("resourceVersion", "")
    for event in client.watch(f"{VIPS}?fieldSelector={quote(f'metadata.name={name_of(vip)}')}", since):
        if event["type"] == "DELETED":
            raise UsageError(f"the virtual IP {name_of(vip)} was deleted")
        if event["type"] in ("ADDED", "MODIFIED"):
            teller.tell(event["object"])


def _hops(vip: Json, address: str) -> list[str]:
    """Those of the same family as ``address``."""
    family = ip_address(address).version
    return [hop for hop in status_of(vip).get("nextHops") or () if ip_address(hop).version == family]


def plain(vip: Json, port: int) -> str:
    """One address a line."""
    return "".join(f"{hop}\n" for hop in status_of(vip).get("nextHops") or ())


def as_json(vip: Json, port: int) -> str:
    """One line, so that a watch is a line for each change."""
    hops: Sequence[str] = status_of(vip).get("nextHops") or []
    return json.dumps({"name": name_of(vip), "addresses": addresses(vip), "nextHops": hops}) + "\n"


def iproute2(vip: Json, port: int) -> str:
    """Commands for a router: each can be given again and again. Without next hops the route says unreachable, so that
    clients hear so at once."""
    lines = []
    for address in addresses(vip):
        target = f"{address}/{ip_address(address).max_prefixlen}"
        family = f"-{ip_address(address).version}"
        hops = "".join(f" nexthop via {hop} weight 1" for hop in _hops(vip, address))
        lines.append(
            f"ip {family} route replace {target}{hops}" if hops else f"ip {family} route replace unreachable {target}"
        )
    return "".join(f"{line}\n" for line in lines)


def ipvsadm(vip: Json, port: int) -> str:
    """For ``ipvsadm --restore`` after ``ipvsadm --clear``: direct routing, as the nodes themselves have the address."""
    lines = []
    for address in addresses(vip):
        service = f"{_bracketed(address)}:{port}"
        persistent = "" if port else f" -p {_PERSISTENT_S}"
        lines.append(f"-A -t {service} -s rr{persistent}")
        lines += [f"-a -t {service} -r {_bracketed(hop)}:{port} -g -w 1" for hop in _hops(vip, address)]
    return "".join(f"{line}\n" for line in lines)


def haproxy(vip: Json, port: int) -> str:
    """``server`` lines for a backend. haproxy connects to the interface's own address, so the service must listen
    there, not on the virtual IP alone."""
    names = {c.get("address"): f"{c.get('node')}-{c.get('interface')}" for c in status_of(vip).get("succession") or ()}
    hops = status_of(vip).get("nextHops") or ()
    # Without a port haproxy takes the client's, and then it has none to check.
    suffix = f":{port} check" if port else ""
    return "".join(f"    server {names.get(hop, hop)} {_bracketed(hop)}{suffix}\n" for hop in hops)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


FORMS: Final[dict[str, Callable[[Json, int], str]]] = {
    "plain": plain,
    "json": as_json,
    "iproute2": iproute2,
    "ipvsadm": ipvsadm,
    "haproxy": haproxy,
}
