"""Which way counts where agents on the LAN and the API server both speak. Pure."""

from collections.abc import Collection, Mapping

from vipa.remote.hearing import End, Hop, Way
from vipa.remote.lans import Lans


def told_ways(next_hops: Mapping[str, Collection[str]], lans: Lans, routed: Collection[str]) -> dict[str, Way]:
    """What the API server says, by virtual IP, as ways of a router with these ``lans``. One whose next hops are all
    elsewhere has none, nor has one without any that never was here: ``routed`` have a route now."""
    found: dict[str, Way] = {}
    for vip, addresses in next_hops.items():
        hops = tuple(Hop(address, lan[0]) for address in sorted(addresses) if (lan := lans.beyond(address)))
        if hops:
            found[vip] = hops
        elif not addresses and (vip in routed or lans.beyond(vip)):
            found[vip] = End.REFUSED
    return found


def joined(
    heard: Mapping[str, Way | None],
    spoken_of: Collection[str],
    told: Mapping[str, Way] | None,
    routed: Collection[str],
) -> dict[str, Way | None]:
    """``heard`` where agents speak of a virtual IP now, whatever they say, and ``told`` where none does. ``told`` None:
    the API server has not answered since the start; what there is stays until it does."""
    if told is None:
        silent = {vip for vip in routed if vip not in spoken_of and not isinstance(heard.get(vip), tuple)}
        return {**heard, **dict.fromkeys(silent)}
    mute = {vip for vip, way in heard.items() if vip not in spoken_of and way in (None, End.REFUSED)}
    return {**told, **{vip: way for vip, way in heard.items() if vip not in mute or vip not in told}}
