"""What the LAN says: does another machine have an address of this one, or answer for a virtual IP?"""

import errno
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_interface
from typing import Final

from vipa.plan import PlannedVip
from vipa_cli.ask import Answers, AskError, Nic, ask
from vipa_cli.check.finding import Finding, fail, ok, unknown
from vipa_cli.check.machine import Link, Machine

_NOBODY: Final = "0.0.0.0"
"""RFC 5227 section 2.1.1: who asks for an own address must not claim it by asking. IPv6 is asked for by :: then."""
_ASK_S: Final = 0.07
"""Two questions (vipa_cli.ask asks every 50 ms), so that one may be lost; an answer takes 1 ms on any LAN."""
_AT_ONCE: Final = 25
"""So that 2,000 virtual IPs are no storm: 500 questions a second."""


def wire(machine: Machine, serving: Sequence[Link], vips: Sequence[PlannedVip]) -> list[Finding]:
    """Asks on every interface that serves and has carrier; takes 0.1 s each, and for every 25 virtual IPs."""
    able = []
    found: list[Finding] = []
    for link in serving:
        if not link.up or not link.carrier:
            continue
        try:
            found += _own(machine, link)
            able.append(link)
        except AskError as error:
            found.append(_not_asked(error))
    try:
        found += _virtual(machine, able, vips)
    except AskError as error:
        found.append(_not_asked(error))
    return found or [
        ok("LAN", "nobody else answers for an address of this machine" + (" or a virtual IP" * bool(vips)))
    ]


def _not_asked(error: AskError) -> Finding:
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno == errno.ENOBUFS:
        # net/core/dev.c: what a rule drops on its way out, and what does not fit the queue, ends as ENOBUFS.
        return fail(
            "LAN",
            f"{error}: something on this machine drops questions on their way out",
            "look at netdev egress rules (nft list chains netdev) and at tc filter show dev … egress",
            "an agent cannot probe, announce, or be heard",
        )
    return unknown("LAN", str(error), "run as root")


def _own(machine: Machine, link: Link) -> Iterator[Finding]:
    addresses = [a.partition("/")[0] for version in (4, 6) for a in machine.own(version).get(link.name, ())]
    if not addresses:
        return
    nic = Nic(link.name, link.mac, _NOBODY, tuple(addresses), has_carrier=True)
    for address, macs in _strangers(ask(nic, addresses, _ASK_S), machine).items():
        yield fail(
            "own addresses",
            f"{' and '.join(macs)} on {link.name}'s LAN has {address} too, which is {link.name}'s own",
            "find that MAC on the switch, and give one of the two machines another address",
            "peers and clients reach now one, now the other: heartbeats and next hops are not to be trusted",
        )


def _virtual(machine: Machine, serving: Sequence[Link], vips: Sequence[PlannedVip]) -> Iterator[Finding]:
    by_address = {a: vip for vip in vips for a in vip.addresses}
    for nic, addresses in _askers(machine, serving, by_address).items():
        answers: dict[str, Answers] = {}
        for start in range(0, len(addresses), _AT_ONCE):
            answers |= ask(nic, addresses[start : start + _AT_ONCE], _ASK_S)
        for address, macs in _strangers(answers, machine).items():
            vip = by_address[address]
            owners = ask(nic, [endpoint.address for endpoint in vip.succession], _ASK_S)
            known = {mac for each in owners.values() for mac in each.macs}
            if strange := [mac for mac in macs if mac not in known]:
                yield fail(
                    "LAN",
                    f"{' and '.join(strange)} answers for {vip.name}'s {address}, and is no candidate of it",
                    "find that MAC on the switch and take the address from it, or give the virtual IP another one",
                    "no agent claims it while that station answers [Conflict]",
                )


def _strangers(answers: Mapping[str, Answers], machine: Machine) -> dict[str, list[str]]:
    """MACs that are not this machine's, by address asked for."""
    ours = machine.macs()
    found = {address: [mac for mac in each.macs if mac not in ours] for address, each in answers.items()}
    return {address: macs for address, macs in found.items() if macs}


def _askers(machine: Machine, serving: Sequence[Link], targets: Mapping[str, PlannedVip]) -> dict[Nic, list[str]]:
    """Which interface asks for which virtual IPs: the first whose subnet holds it. By ARP it asks as itself, since
    stations that answer for everything (proxy ARP) do not answer nobody."""
    own = {version: machine.own(version) for version in (4, 6)}
    found: dict[str, list[str]] = {}
    for target in targets:
        address = ip_address(target)
        for link in serving:
            # An address that is both own and virtual is another finding; asking from it would answer itself.
            mine = [ip_interface(each) for each in own[address.version].get(link.name, ())]
            if any(address in each.network and address != each.ip for each in mine):
                found.setdefault(link.name, []).append(target)
                break
    nics = {}
    for link in serving:
        if link.name in found:
            mine = [ip_interface(each) for each in own[4].get(link.name, ())]
            asker = next((str(each.ip) for each in mine if str(each.ip) not in targets), _NOBODY)
            nics[Nic(link.name, link.mac, asker, (), has_carrier=True)] = found[link.name]
    return nics
