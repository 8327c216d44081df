"""Can this machine pass on what is for guests behind a bridge (``attachment: VirtualEthernet``)? Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from vipa.plan import PlannedVip
from vipa_cli.check.finding import Finding, NewFile, fail, ok, warn
from vipa_cli.check.machine import Machine
from vipa_cli.check.ruleset import Ruleset
from vipa_cli.check.settings import Values
from vipa_cli.check.verdict import Fate, Packet, fate

_CHECK: Final = "guests"
_FORWARD_FILE: Final = NewFile(
    "/etc/sysctl.d/50-vipa-guests.conf", "net.ipv6.conf.all.forwarding = 1\nnet.ipv6.conf.all.proxy_ndp = 1\n"
)


def judge(
    machine: Machine, values6: Values, rules: Ruleset | None, nics: Sequence[str], vips: Sequence[PlannedVip]
) -> list[Finding]:
    """``nics``: the adapters that serve; ``rules``: None where they cannot be read. [] without any guest."""
    guests = {address: vip.bridge for vip in vips if vip.bridge for address in vip.addresses}
    if not guests:
        return []
    found = [
        *_bridges(machine, sorted(set(guests.values()))),
        *_settings6(values6, [address for address in guests if ":" in address]),
        *(_passed_on(rules, nics, guests) if rules is not None else ()),
    ]
    return found or [ok(_CHECK, f"{len(guests)} behind {', '.join(sorted(set(guests.values())))}; nothing stops them")]


def _bridges(machine: Machine, wanted: Sequence[str]) -> Iterator[Finding]:
    links = {link.name: link for link in machine.links}
    for bridge in wanted:
        if bridge not in links:
            effect = "this machine is no candidate for the guests behind it (BridgeMissing)"
            yield warn(_CHECK, f"there is no interface {bridge}", "make it, if guests are to run here", effect)
        elif not links[bridge].up:
            effect = "no guest behind it is served here (BridgeMissing)"
            yield fail(_CHECK, f"{bridge} is down", f"ip link set {bridge} up", effect)


def _settings6(values: Values, guests: Sequence[str]) -> Iterator[Finding]:
    if guests and not values.get("all", {}).get("forwarding"):
        yield fail(
            _CHECK,
            f"net.ipv6.conf.all.forwarding is 0, and there are IPv6 guests ({guests[0]})",
            "set it to 1, and accept_ra=2 on adapters whose default route a router advertises; vipa does not, since "
            "that would end such routes. proxy_ndp the agent sets by itself, but not in a pod",
            "no IPv6 guest is served here (NotForwarding)",
            (_FORWARD_FILE,),
        )


def _passed_on(rules: Ruleset, nics: Sequence[str], guests: Mapping[str, str]) -> Iterator[Finding]:
    """Chains that drop what is passed on between adapters and bridges, each once for all guests."""
    said = set()
    for address, bridge in guests.items():
        family = "ip6" if ":" in address else "ip"
        for nic in nics:
            asks, answers = (nic, bridge, "daddr"), (bridge, nic, "saddr")
            for packet in (_packet(family, *way, address) for way in (asks, answers)):
                for chain in rules.hooked((family, "inet"), ("forward",)):
                    if str(chain) not in said and fate(rules, chain, packet) is Fate.DROPPED:
                        said.add(str(chain))
                        yield fail(
                            _CHECK,
                            f"{chain} drops what is passed on between {nic} and {bridge}",
                            f"let it through: iifname {bridge} accept; oifname {bridge} accept",
                            f"clients reach no guest behind {bridge}, or hear no answer",
                        )


def _packet(family: str, into: str, out: str, side: str, address: str) -> Packet:
    numbers = {"ip": ("ip", 0x0800, "ipv4", 2), "ip6": ("ip6", 0x86DD, "ipv6", 10)}[family]
    facts: dict[str, tuple[object, ...]] = {
        "meta.protocol": numbers[:2],
        "meta.nfproto": numbers[2:],
        "meta.iifname": (into,),
        "meta.oifname": (out,),
        f"{family}.{side}": (address,),
        "ct.state": ("new",),
    }
    return Packet(frozenset({"ether", family}), facts)
