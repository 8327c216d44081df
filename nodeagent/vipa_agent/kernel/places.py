"""Where virtual IPs are on this node: bound on service interfaces, or proxied for there when they live behind a bridge.

Which of the two is said by ``behind``; both are asked and told in the same words, so that nobody else has to know.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from vipa_agent.kernel.addresses import Addresses
from vipa_agent.kernel.errors import KernelError
from vipa_agent.kernel.guests import Guests, Pair
from vipa_agent.kernel.netlink import NetlinkSocket


class Places:
    """``behind``: bridge by address, of those that live behind one."""

    def __init__(self, route_socket: NetlinkSocket) -> None:
        self.addresses = Addresses(route_socket)
        self._guests = Guests(route_socket)
        self.behind: dict[str, str] = {}

    @property
    def bound(self) -> set[Pair]:
        """(address, ifindex of a service interface)."""
        guests = self._guests.bound
        return self.addresses.bound | guests if guests else self.addresses.bound

    def has(self, address: str, ifindex: int) -> bool:
        """Whether the address is bound, or proxied for, on this interface."""
        return (address, ifindex) in self.addresses.bound or (address, ifindex) in self._guests.bound

    def vips(self) -> frozenset[str]:
        """Virtual IPs of which anything is there."""
        return frozenset(address for address, _ifindex in self.bound) | self._guests.routed.keys()

    def load(self, is_ours: Callable[[str], bool]) -> None:
        """Read what is there, as :meth:`Addresses.load`."""
        self.addresses.load(is_ours)
        self._guests.load()

    def bind(self, addresses: Iterable[str], ifindexes: Collection[int], indexes: Mapping[str, int]) -> None:
        """Have every address on these interfaces, and what was the other way before no more. ``indexes``: by name.
        Raises NetlinkRefused, and KernelError for a bridge that is not there."""
        every = tuple(addresses)
        guests = [address for address in every if address in self.behind]
        own = [address for address in every if address not in self.behind]
        if missing := sorted({self.behind[a] for a in guests} - indexes.keys()):
            raise KernelError(f"{', '.join(missing)}: no such bridge, so {', '.join(guests)} cannot be served")
        self.addresses.unbind(guests)
        self._guests.unbind(own)
        self.addresses.bind(own, ifindexes)
        self._guests.bind(guests, ifindexes, {a: indexes[self.behind[a]] for a in guests})

    def unbind(self, addresses: Iterable[str], *, but: Collection[int] = ()) -> None:
        """Have the addresses on no interface ``but`` these; absent is success. Raises NetlinkRefused."""
        every = tuple(addresses)
        self.addresses.unbind(every, but=but)
        self._guests.unbind(every, but=but)

    def lost(self, is_ours: Callable[[str], bool], live: Mapping[int, str]) -> dict[str, frozenset[str]]:
        """What somebody else removed from interfaces that are still there (``live``: name by ifindex, of those that are
        up for proxies, which go when an interface is set down): names by address."""
        present = self.addresses.in_kernel(is_ours)
        lost = {pair for pair in self.addresses.bound - present if pair[1] in live}
        self.addresses.bound &= present | lost
        lost |= {pair for pair in self._guests.lost() if pair[1] in live}
        return {of: frozenset(live[i] for address, i in lost if address == of) for of in {a for a, _ in lost}}

    def rebind(self, address: str, names: Iterable[str], indexes: Mapping[str, int]) -> None:
        """Bind again what :meth:`lost` told."""
        bridge = self.behind.get(address, "")
        self.bind([address], [indexes[name] for name in names if name in indexes and name != bridge], indexes)

    def forget(self, live: Collection[int]) -> None:
        """Interfaces that are not among these went, and with them what was there."""
        self.addresses.bound = {pair for pair in self.addresses.bound if pair[1] in live}
        self._guests.forget(lambda ifindex: ifindex not in live)
