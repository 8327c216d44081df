"""vipa's lines in bgpd's running configuration: read, compared with what is wanted, changed. All else is not vipa's.

One line ``network 10.1.1.7/32 route-map vipa-MED`` for each address, in the default instance, and one route-map
``vipa-MED`` for each MED in use. The route-map's name is what tells vipa's lines from others', so nothing has to be
remembered elsewhere. It calls the route-map ``vipa``, which is the administrator's: where there is none FRR passes over
the call. A prefix that the configuration has a line of its own for is left to it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

OWN_MAP: Final = "vipa"
"""The administrator's route-map, called for each advertisement."""

_INSTANCE: Final = re.compile(r"router bgp ([0-9.]+)(?: as-notation (?:plain|dot|dot\+))?")
"""The default one: those of VRFs and views have more words. The notation (FRR 8.5 and later) is no part of its name."""
_NETWORK: Final = re.compile(r"network (\S+)(.*)")
_OURS: Final = re.compile(r" route-map vipa-(\d+)")
_FAMILIES: Final = frozenset({"address-family ipv4 unicast", "address-family ipv6 unicast"})
"""Other families have ``network`` lines too, which are no advertisement of an address."""
_MAP: Final = re.compile(r"route-map vipa-(\d+) permit 10")


@dataclass(frozen=True, slots=True)
class Running:
    """What bgpd has. ``asn``: of the default instance, "" where there is none; ``networks``: prefix → MED, vipa's own;
    ``maps``: MEDs that have a route-map; ``others``: prefixes that an administrator has advertised; ``import_check``:
    an address that is not bound here is not advertised."""

    asn: str = ""
    networks: dict[str, int] = field(default_factory=dict)
    maps: frozenset[int] = frozenset()
    others: frozenset[str] = frozenset()
    import_check: bool = True


def read(configuration: str) -> Running:
    """From the text of ``show running-config``."""
    asn, inside, family, import_check = "", False, False, True
    networks: dict[str, int] = {}
    others, maps = set(), set()
    for line in configuration.splitlines():
        text = line.strip()
        if line[:1] not in (" ", "!", ""):  # a block of its own begins
            inside, family = bool(found := _INSTANCE.fullmatch(text)), False
            asn = found[1] if found else asn
        if found := _MAP.fullmatch(text):
            maps.add(int(found[1]))
        elif inside and text.startswith(("address-family ", "exit-address-family")):
            family = text in _FAMILIES
        elif inside and text == "no bgp network import-check":
            import_check = False
        elif inside and family and (found := _NETWORK.fullmatch(text)):
            if ours := _OURS.fullmatch(found[2]):
                networks[found[1]] = int(ours[1])
            else:
                others.add(found[1])
    return Running(asn, networks, frozenset(maps), frozenset(others), import_check)


def changes(running: Running, wanted: Mapping[str, int]) -> list[str]:
    """Commands, from ``enable`` to ``end``, that make ``wanted`` (prefix → MED) of what is there, but for the prefixes
    that others have advertised; [] for nothing to do.

    A route-map is whole before the first line names it, and goes after the last that did: FRR advertises nothing by a
    route-map that is not there."""
    wanted = {prefix: med for prefix, med in wanted.items() if prefix not in running.others}
    new = {prefix: med for prefix, med in wanted.items() if running.networks.get(prefix) != med}
    old = {prefix: med for prefix, med in running.networks.items() if prefix not in wanted}
    idle = sorted(running.maps - set(wanted.values()))
    lines = [
        *(line for med in sorted(set(new.values()) - running.maps) for line in _map(med)),
        *_networks(running.asn, new, old),
        *(f"no route-map vipa-{med}" for med in idle),
    ]
    return ["enable", "configure terminal", *lines, "end"] if lines else []


def _map(med: int) -> Iterator[str]:
    yield from (f"route-map vipa-{med} permit 10", f"set metric {med}", f"call {OWN_MAP}", "exit")


def _networks(asn: str, new: Mapping[str, int], old: Mapping[str, int]) -> Iterator[str]:
    if not new and not old:
        return
    yield f"router bgp {asn}"
    for family, colon in (("ipv4", False), ("ipv6", True)):
        adding = [prefix for prefix in new if (":" in prefix) is colon]
        leaving = [prefix for prefix in old if (":" in prefix) is colon]
        if adding or leaving:
            yield f"address-family {family} unicast"
            yield from (f"network {prefix} route-map vipa-{new[prefix]}" for prefix in adding)
            # with its route-map: FRR refuses to remove a line that has another one by now
            yield from (f"no network {prefix} route-map vipa-{old[prefix]}" for prefix in leaving)
            yield "exit-address-family"
    yield "exit"
