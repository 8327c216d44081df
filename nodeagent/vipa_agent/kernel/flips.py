"""Who answers: claim, permit, move, revoke, lapse, and what was held before a restart. Each is one transaction.

The permit is one timed ``alive`` element per interface, so it is shared by the virtual IPs elected there. Hence the one
danger to keep out: a *new* permit on an interface must not bring back virtual IPs whose permit there had lapsed. A
transaction that makes an ``alive`` element out of nothing therefore happens only where nothing timed is elected.
"""

import errno
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vipa_agent.kernel import sets
from vipa_agent.kernel.clock import boottime_s
from vipa_agent.kernel.errors import NetlinkRefused
from vipa_agent.kernel.gate import Gate
from vipa_agent.kernel.mirror import Change
from vipa_agent.kernel.nfnl import Batch, Element, Failure, Transaction, missing
from vipa_agent.kernel.steering import Steering

_TRIES: Final = 3
"""Renewing and making a permit alternate: the tables' elements may end one jiffy (4 ms at HZ=250) apart."""

_CLAIM, _ALIVE, _OLD = "claim", "alive", "old permit"


@dataclass(frozen=True, slots=True)
class Held:
    """One address still served from before a restart. ``permit_s`` and ``until`` (CLOCK_BOOTTIME) are None when the
    permit is untimed; a timed one was renewed just now."""

    address: str
    interface: str
    permit_s: float | None
    until: float | None


def renewal(interface: str, permit_s: float) -> Transaction:
    """Delete + add of the permit in every table: fails and adds nothing when it has lapsed."""
    batch = Batch()
    _renew(batch, interface, permit_s)
    return batch.build()


class Flips:
    """Changes of who answers, on the gate's sets."""

    def __init__(self, gate: Gate, steering: Steering) -> None:
        self._gate = gate
        self._mirror = gate.mirror
        self._steering = steering
        self._until: dict[str, float] = {}

    def begin_claim(self, addresses: Sequence[str], timeout_s: float) -> bool:
        """Set (or set anew) the claim elements for ``timeout_s``; False when the kernel refused."""
        with self._gate.lock:
            batch = Batch()
            for family, of_family in sets.by_family(addresses):
                keys = [sets.address_key(address) for address in of_family]
                # One left over from a claim not carried through is added to, not replaced: kernels before 6.13 leave
                # its end as it was, which is the safe side.
                batch.add(family.claims, [Element(key, timeout_ms=round(timeout_s * 1000)) for key in keys])
            return not self._mirror.socket.commit(batch.build())

    def permit(
        self, addresses: Sequence[str], interface: str, permit_s: float | None, lapsed: Callable[[str], None]
    ) -> tuple[bool, float | None]:
        """Delete the claims, elect, renew or make the permit. (ok, until); until is None for an untimed permit.

        ``lapsed(interface)`` is called when the permit that other virtual IPs hold there has ended.
        """
        with self._gate.lock:
            others = self._has_others(interface, addresses)
            fresh = not others and not self._believed_alive(interface)
            for _ in range(1 if others else _TRIES):
                change = self._mirror.change()
                for family, of_family in sets.by_family(addresses):
                    keys = [sets.address_key(address) for address in of_family]
                    change.batch.delete(family.claims, keys, tag=_CLAIM)
                self._elect(change, addresses, interface, timed=permit_s is not None)
                until = None
                if permit_s is not None:
                    _permit(change.batch, interface, permit_s, fresh=fresh)
                    until = boottime_s() + permit_s
                failures = self._mirror.commit(change)
                if not failures:
                    self._learn(interface, until)
                    return True, until
                if not missing(failures, _ALIVE):
                    break
                if others:
                    self.lapse(interface)
                    lapsed(interface)
                    break
                fresh = not fresh
            self._reread_unless(failures, _CLAIM, _ALIVE)
            return False, None

    def move(
        self,
        addresses: Sequence[str],
        old: str,
        new: str,
        permit_s: float | None,
        *,
        kept: Mapping[str, float],
        lapsed: Callable[[str], None],
    ) -> tuple[bool, float | None]:
        """Un-elect ``old``, elect ``new``, switch reply marks. Fails when the permit of ``old`` has lapsed.

        ``kept``: what ``old`` is renewed with, for the virtual IPs that stay there. ``lapsed`` as in :meth:`permit`.
        """
        timed = permit_s is not None
        with self._gate.lock:
            if not self._elected_on(addresses, old, timed=timed):
                return False, None
            staying = self._has_others(old, addresses)
            others = self._has_others(new, addresses)
            fresh = not others and not self._believed_alive(new)
            for _ in range(1 if others else _TRIES):
                change = self._mirror.change()
                until = None
                if permit_s is not None:
                    _end(change.batch, old, tag=_OLD)
                    if staying:
                        _make(change.batch, old, kept.get(old, permit_s), tag=_OLD)
                    _permit(change.batch, new, permit_s, fresh=fresh)
                    until = boottime_s() + permit_s
                self._elect(change, addresses, new, timed=timed)
                failures = self._mirror.commit(change)
                if not failures:
                    if timed and not staying:
                        self._until.pop(old, None)
                    self._learn(new, until)
                    return True, until
                if not missing(failures, _ALIVE):
                    break
                fresh = not fresh
            for tag, interface in ((_OLD, old), (_ALIVE, new)):
                if any(failure.tag == tag for failure in failures):
                    self.lapse(interface)
                    lapsed(interface)
            self._reread_unless(failures, _OLD, _ALIVE)
            return False, None

    def revoke(self, addresses: Sequence[str], interface: str) -> None:
        """Un-elect the addresses on ``interface``; replies go on leaving as they did. Not elected is success."""
        with self._gate.lock:
            for _ in range(_TRIES):
                change = self._mirror.change()
                self._unelect(change, addresses, interface)
                if not self._mirror.commit(change):
                    return
                try:
                    self._mirror.reload()
                except NetlinkRefused as error:
                    if error.code != errno.ENOENT:
                        raise
                    for ref, key, _data in change.learned:  # they went with the tables, which somebody removed
                        if key in self._mirror.known[ref]:
                            del self._mirror.known[ref][key]
                    return

    def steer(self, addresses: Sequence[str], interface: str) -> None:
        """Replies from the addresses leave by ``interface``; who answers stays as it is."""
        with self._gate.lock:
            for _ in range(_TRIES):
                change = self._mirror.change()
                self._steering.flip(change, addresses, interface)
                if not self._mirror.commit(change):
                    return
                self._mirror.reload()

    def lapse(self, interface: str) -> None:
        """Un-elect every timed virtual IP of ``interface``: its permit has ended."""
        with self._gate.lock:
            self._until.pop(interface, None)
            self.revoke(sorted(self.timed_on(interface)), interface)

    def unelect_all_but(self, keep: Iterable[str]) -> None:
        """Un-elect every address that is not in ``keep``."""
        kept = set(keep)
        with self._gate.lock:
            records = (family.record for family in sets.FAMILIES)
            for ref in [ref for record in records for ref in (record.elected, record.steady)]:
                for address, interface in [sets.pair_of(pair) for pair in self._mirror.known[ref]]:
                    if address not in kept:
                        self.revoke([address], interface)

    def end_permit(self, interface: str) -> None:
        """Remove the permit of an interface where nothing is to be renewed any more; absent is success."""
        with self._gate.lock:
            self._until.pop(interface, None)
            both = Batch()
            _end(both, interface, tag=_ALIVE)
            if self._mirror.socket.commit(both.build()):  # gone in one table at least
                for alive in sets.ALIVE:
                    single = Batch()
                    single.delete(alive, [sets.interface_key(interface)])
                    self._mirror.socket.commit(single.build())

    def until(self, interface: str) -> float:
        """End of the permit as far as it was made or renewed; long ago for none."""
        return self._until.get(interface, 0.0)

    def renewed(self, interface: str, until: float) -> None:
        """The renewal thread extended a permit."""
        self._until[interface] = until

    def held(self) -> tuple[Held, ...]:
        """What the kernel serves for us from before a restart, its permits renewed. The lapsed is un-elected."""
        with self._gate.lock:
            known = self._mirror.known
            records = [family.record for family in sets.FAMILIES]
            steady = [sets.pair_of(pair) for record in records for pair in known[record.steady]]
            held = [Held(address, interface, None, None) for address, interface in steady]
            timed = [sets.pair_of(pair) for record in records for pair in known[record.elected]]
            permits = {
                sets.interface_of(e.key): (e.timeout_ms or 0) / 1000
                for e in self._mirror.socket.elements(sets.ALIVE[0])
            }
            for interface in sorted({interface for _address, interface in timed}):
                permit_s = permits.get(interface)
                until = boottime_s() + (permit_s or 0)
                if not permit_s or self._mirror.socket.commit(renewal(interface, permit_s)):
                    self.lapse(interface)
                    continue
                self._until[interface] = until
                held += [Held(address, name, permit_s, until) for address, name in timed if name == interface]
            return tuple(sorted(held, key=lambda h: (h.interface, h.address)))

    def _elect(self, change: Change, addresses: Sequence[str], interface: str, *, timed: bool) -> None:
        """Elected there, in this kind, and nowhere else."""
        for family, of_family in sets.by_family(addresses):
            keys = {sets.pair_key(address, interface): b"" for address in of_family}
            for elections in family.all:
                target = elections.elected if timed else elections.steady
                for ref in (elections.elected, elections.steady):
                    of = self._mirror.pairs(ref).of_address
                    pairs = [pair for address in of_family for pair in of(sets.address_key(address))]
                    change.drop(ref, [pair for pair in pairs if ref != target or pair not in keys])
                change.put(target, keys)
        self._steering.flip(change, addresses, interface)

    def _unelect(self, change: Change, addresses: Iterable[str], interface: str) -> None:
        for family, of_family in sets.by_family(addresses):
            keys = [sets.pair_key(address, interface) for address in of_family]
            for elections in family.all:
                for ref in (elections.elected, elections.steady):
                    change.drop(ref, keys)

    def timed_on(self, interface: str) -> set[str]:
        """Addresses with a timed election on ``interface``."""
        key = sets.interface_key(interface)
        records = (self._mirror.pairs(family.record.elected) for family in sets.FAMILIES)
        return {sets.pair_of(pair)[0] for record in records for pair in record.of_interface(key)}

    def _has_others(self, interface: str, addresses: Sequence[str]) -> bool:
        """Whether addresses besides these have a timed election on ``interface``."""
        key = sets.interface_key(interface)
        records = [self._mirror.pairs(family.record.elected) for family in sets.FAMILIES]
        pairs = {sets.pair_key(address, interface) for address in addresses}
        mine = sum(pair in record for record in records for pair in pairs)
        return sum(record.count_of_interface(key) for record in records) > mine

    def _believed_alive(self, interface: str) -> bool:
        """Whether the permit should be there: a wrong guess is found out, but an aborted transaction waits 16 ms."""
        return self._until.get(interface, 0.0) > boottime_s()

    def _learn(self, interface: str, until: float | None) -> None:
        if until is not None:
            self._until[interface] = until

    def _elected_on(self, addresses: Sequence[str], interface: str, *, timed: bool) -> bool:
        for family, of_family in sets.by_family(addresses):
            known = self._mirror.known[family.record.elected if timed else family.record.steady]
            if not all(sets.pair_key(address, interface) in known for address in of_family):
                return False
        return True

    def _reread_unless(self, failures: Sequence[Failure], *expected: str) -> None:
        """A refusal nobody foresaw means that our memory of the sets is wrong."""
        if not missing(failures, *expected):
            self._mirror.reload()


def _permit(batch: Batch, interface: str, permit_s: float, *, fresh: bool) -> None:
    if fresh:
        _make(batch, interface, permit_s, tag=_ALIVE)
    else:
        _renew(batch, interface, permit_s)


def _renew(batch: Batch, interface: str, permit_s: float) -> None:
    _end(batch, interface, tag=_ALIVE)
    _make(batch, interface, permit_s, tag=_ALIVE)


def _end(batch: Batch, interface: str, *, tag: str) -> None:
    for alive in sets.ALIVE:
        batch.delete(alive, [sets.interface_key(interface)], tag=tag)


def _make(batch: Batch, interface: str, permit_s: float, *, tag: str) -> None:
    element = Element(sets.interface_key(interface), timeout_ms=round(permit_s * 1000))
    for alive in sets.ALIVE:
        batch.add(alive, [element], tag=tag, exclusive=True)
