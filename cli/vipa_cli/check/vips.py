"""What manifests want of this machine, and what it is: pure, but for reading the manifests."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Final

from vipa.plan import PlannedVip
from vipa.planner import plan, world_of
from vipa_agent.sources.folder import load_files
from vipa_cli.check.finding import Finding, fail, ok, warn
from vipa_cli.check.machine import IPVS_LINK, Link, Machine

_CHECK: Final = "virtual IPs"
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """The virtual IPs that manifests declare, how many objects they hold that are refused, and from where."""

    source: Path
    vips: tuple[PlannedVip, ...]
    refused: int

    def addresses(self, version: int) -> list[str]:
        """All of one IP version."""
        return [a for vip in self.vips for a in vip.addresses if ip_address(a).version == version]


def load(folder: Path) -> Wanted:
    """The manifests of a folder, or one file."""
    loaded = load_files([folder])
    planned = plan(world_of(loaded.objects, loaded.refused))
    refused = {(problem.kind, problem.name) for problem in loaded.problems}
    refused |= {(refusal.kind, refusal.name) for refusal in planned.refusals}
    return Wanted(folder, planned.vips, len(refused))


def service(machine: Machine, wanted: Wanted | None) -> tuple[Link, ...]:
    """The interfaces that are to serve: those that manifests name by an address of theirs; when they name none, or
    there are none, all Ethernet interfaces with an own address."""
    own = {name: {a.partition("/")[0] for v in (4, 6) for a in machine.own(v).get(name, ())} for name in _own(machine)}
    named = {endpoint.address for vip in wanted.vips for endpoint in vip.succession} if wanted else set()
    chosen = {name for name, addresses in own.items() if addresses & named} or set(own)
    return tuple(link for link in machine.lan_links() if link.name in chosen)


def judge(machine: Machine, wanted: Wanted) -> list[Finding]:
    """What stands against serving these virtual IPs here, as far as this machine alone can tell."""
    found = [*_refused(wanted), *_assigned(machine, wanted), *_places(machine, wanted)]
    return found or [ok(_CHECK, f"{len(wanted.vips)} declared by {wanted.source}; nothing here is in their way")]


def _own(machine: Machine) -> set[str]:
    return {name for version in (4, 6) for name in machine.own(version)}


def _refused(wanted: Wanted) -> Iterator[Finding]:
    if wanted.refused:
        found = f"{wanted.refused} objects of {wanted.source} are refused"
        yield warn(_CHECK, found, f"vipa plan -f {wanted.source} says why", "their virtual IPs are not served")
    elif not wanted.vips:
        yield warn(_CHECK, f"{wanted.source} declares none", "write a VirtualIP; see examples", "nothing is served")


def _assigned(machine: Machine, wanted: Wanted) -> Iterator[Finding]:
    """Addresses that are bound here, and not by an agent. What Services name is bound on kube-proxy's own link."""
    names = {address: vip.name for vip in wanted.vips for address in vip.addresses}
    for each in machine.bound:
        address = str(each.address.ip)
        if address in names and not each.ours and each.interface != IPVS_LINK:
            yield fail(
                _CHECK,
                f"{names[address]}: {address} is already on {each.interface} (as /{each.address.network.prefixlen})",
                f"ip address del {each.address} dev {each.interface}, and out of this machine's configuration",
                "this machine serves it whoever is elected, as soon as vipa's tables are not there; and the kernel may "
                "use it as source of its own connections",
            )


def _places(machine: Machine, wanted: Wanted) -> Iterator[Finding]:
    """Interfaces here that a list names, though their subnet does not hold the address; and no place at all."""
    own = _interfaces_by_address(machine)
    candidate_of = 0
    astray: dict[str, list[str]] = {}
    for vip in wanted.vips:
        for endpoint in vip.succession:
            if endpoint.address not in own:
                continue
            interface, networks = own[endpoint.address]
            if all(_held(address, networks) for address in vip.addresses if _same(address, endpoint.address)):
                candidate_of += 1
            else:
                astray.setdefault(f"{interface} ({', '.join(networks)})", []).append(f"{vip.name} {vip.addresses[0]}")
    for where, vips in astray.items():
        yield warn(
            _CHECK,
            f"the subnet of {where} does not hold {_some(vips)}",
            "give the adapter an address of that subnet (with its prefix length), or take it from the list",
            "it is no candidate: it never serves them",
        )
    if wanted.vips and not candidate_of and not astray:
        yield warn(
            _CHECK,
            f"no address of this machine is in the order of any of {len(wanted.vips)} virtual IPs",
            f"vipa plan -f {wanted.source} shows the orders: is an address missing here, or in the list?",
            "this machine serves nothing",
        )


def _interfaces_by_address(machine: Machine) -> Mapping[str, tuple[str, list[str]]]:
    found = {}
    for version in (4, 6):
        for name, addresses in machine.own(version).items():
            for address in addresses:
                found[address.partition("/")[0]] = (name, addresses)
    return found


def _held(address: str, networks: Sequence[str]) -> bool:
    return any(ip_address(address) in ip_interface(network).network for network in networks)


def _same(one: str, other: str) -> bool:
    return ip_address(one).version == ip_address(other).version


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
