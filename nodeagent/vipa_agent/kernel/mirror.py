"""What we know to be in the kernel's sets, so that a change sends only what differs.

One transaction is one :class:`Change`. The memory follows only when the kernel took all of it; when it refused
something unexpected (another program touched our table) the memory is read anew.
"""

import errno
from collections.abc import Iterable, Mapping
from typing import Final

from vipa_agent.kernel.errors import NetlinkRefused
from vipa_agent.kernel.nfnl import Batch, Element, Failure, NftSocket, SetRef
from vipa_agent.kernel.sets import FAMILIES, IFNAMSIZ

ELEMENTS_PER_CHANGE: Final = 2000
"""2,000 of our elements take at most 200 kB: inside a default send buffer."""

PAIRED: Final = frozenset(ref for family in FAMILIES for e in family.all for ref in (e.elected, e.steady))
"""The sets kept as :class:`Pairs`."""


class Pairs(dict[bytes, bytes]):
    """Contents of a set keyed by ``address . interface``, also found by either part. With 2,000 virtual IPs, looking
    through all of them for each one's permit took 4 s in sum."""

    def __init__(self) -> None:
        super().__init__()
        self._by_address: dict[bytes, set[bytes]] = {}
        self._by_interface: dict[bytes, set[bytes]] = {}

    def __setitem__(self, key: bytes, data: bytes) -> None:
        super().__setitem__(key, data)
        self._by_address.setdefault(key[:-IFNAMSIZ], set()).add(key)
        self._by_interface.setdefault(key[-IFNAMSIZ:], set()).add(key)

    def __delitem__(self, key: bytes) -> None:
        super().__delitem__(key)
        self._by_address[key[:-IFNAMSIZ]].discard(key)
        self._by_interface[key[-IFNAMSIZ:]].discard(key)

    def of_address(self, address: bytes) -> frozenset[bytes]:
        """Keys with this address."""
        return frozenset(self._by_address.get(address, ()))

    def of_interface(self, interface: bytes) -> frozenset[bytes]:
        """Keys with this interface."""
        return frozenset(self._by_interface.get(interface, ()))

    def count_of_interface(self, interface: bytes) -> int:
        """Number of keys with this interface."""
        return len(self._by_interface.get(interface, ()))


class Change:
    """One transaction in the making."""

    def __init__(self, known: Mapping[SetRef, Mapping[bytes, bytes]]) -> None:
        self.batch = Batch()
        self.learned: list[tuple[SetRef, bytes, bytes | None]] = []
        self._known = known

    def put(self, target: SetRef, elements: Mapping[bytes, bytes], *, tag: str = "") -> None:
        """Make the elements be there with this data (b"" in a set)."""
        known = self._known.get(target, {})
        new = {key: data for key, data in elements.items() if known.get(key) != data}
        stale = [key for key in new if key in known]
        if stale:
            self.batch.delete(target, stale, tag=tag)
        if new:
            self.batch.add(target, [Element(key, data) for key, data in new.items()], tag=tag)
        self.learned += [(target, key, data) for key, data in new.items()]

    def drop(self, target: SetRef, keys: Iterable[bytes], *, tag: str = "") -> None:
        """Make the elements be absent."""
        known = self._known.get(target, {})
        present = [key for key in keys if key in known]
        if present:
            self.batch.delete(target, present, tag=tag)
        self.learned += [(target, key, None) for key in present]


class Mirror:
    """The sets' contents as last seen: ``known[set][key] = data``."""

    def __init__(self, nft_socket: NftSocket) -> None:
        self.socket = nft_socket
        self.known: dict[SetRef, dict[bytes, bytes]] = {}

    def load(self, targets: Iterable[SetRef]) -> None:
        """Read these sets. Raises NetlinkRefused when one is not there."""
        for target in targets:
            found: dict[bytes, bytes] = Pairs() if target in PAIRED else {}
            for element in self.socket.elements(target):
                found[element.key] = element.data
            self.known[target] = found

    def pairs(self, target: SetRef) -> Pairs:
        """Contents of a set keyed by ``address . interface``."""
        found = self.known[target]
        assert isinstance(found, Pairs), target
        return found

    def reload(self) -> None:
        """Read anew every set that was ever loaded."""
        self.load(tuple(self.known))

    def forget(self, targets: Iterable[SetRef]) -> None:
        """Their table is gone."""
        for target in targets:
            self.known.pop(target, None)

    def change(self) -> Change:
        """Begin a transaction."""
        return Change(self.known)

    def commit(self, change: Change) -> tuple[Failure, ...]:
        """Send it; empty means that all of it holds. Raises NetlinkRefused when it was refused as a whole."""
        if not len(change.batch):
            return ()
        failures = self.socket.commit(change.batch.build())
        if not failures:
            for target, key, data in change.learned:
                if data is None:
                    del self.known[target][key]
                else:
                    self.known.setdefault(target, {})[key] = data
        return failures

    def sync(self, wanted: dict[SetRef, Mapping[bytes, bytes]]) -> None:
        """Make each set hold exactly this: additions in the order given, then removals in reverse order, in
        transactions of at most ``ELEMENTS_PER_CHANGE`` elements. Raises NetlinkRefused."""
        if not self._sync_once(wanted):
            self.reload()  # someone else changed our table: compare with what is there now
            if not self._sync_once(wanted):
                raise NetlinkRefused(errno.EAGAIN, "table vipa keeps changing under us (does a second agent run here?)")

    def _sync_once(self, wanted: dict[SetRef, Mapping[bytes, bytes]]) -> bool:
        for target, elements in wanted.items():
            items = list(elements.items())
            for first in range(0, len(items), ELEMENTS_PER_CHANGE):
                change = self.change()
                change.put(target, dict(items[first : first + ELEMENTS_PER_CHANGE]))
                if self.commit(change):
                    return False
        for target in reversed(wanted):
            stale = [key for key in self.known.get(target, {}) if key not in wanted[target]]
            for first in range(0, len(stale), ELEMENTS_PER_CHANGE):
                change = self.change()
                change.drop(target, stale[first : first + ELEMENTS_PER_CHANGE])
                if self.commit(change):
                    return False
        return True
