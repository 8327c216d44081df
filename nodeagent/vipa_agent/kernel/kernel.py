"""The facade the shell uses: every action of the election that the kernel carries out, synchronous and thin.

Semantics of each method: vipa.election.actions. One instance per process and network namespace; the namespace is
that of the thread that makes it. Needs CAP_NET_ADMIN (and CAP_NET_RAW for what the wire does).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack

from vipa.election.events import LocalInterface
from vipa_agent.kernel import marks
from vipa_agent.kernel.errors import KernelError, NetlinkRefused, RulesetRefused
from vipa_agent.kernel.flips import Flips, Held
from vipa_agent.kernel.forwarding import Before, Forwarding
from vipa_agent.kernel.gate import Gate
from vipa_agent.kernel.knobs import Knobs, unfit6
from vipa_agent.kernel.libnftables import Nft
from vipa_agent.kernel.links import Links, sender6
from vipa_agent.kernel.mending import Elected
from vipa_agent.kernel.netlink import NETLINK_ROUTE, NetlinkSocket
from vipa_agent.kernel.nfnl import NftSocket
from vipa_agent.kernel.places import Places
from vipa_agent.kernel.renewal import Renewer
from vipa_agent.kernel.steering import Steering

"""What :meth:`Kernel.lacking` says when elections are lost too."""


class Kernel:
    """Gate, addresses, permits and reply steering of one node.

    renewed(interface, until) and lapsed(interface) are called from the renewal thread (``lapsed`` also from within
    ``permit`` and ``move``); they must be thread-safe and return at once, since renewals wait for them. Times are
    CLOCK_BOOTTIME seconds. Raises LibraryMissing, RulesetRefused, NetlinkRefused (all KernelError).
    """

    def __init__(
        self,
        renewed: Callable[[str, float], None],
        lapsed: Callable[[str], None],
        *,
        mark_mask: int = marks.DEFAULT_MASK,
        forwarded_replies: bool = False,
    ) -> None:
        with ExitStack() as undo:
            self._nft = Nft()
            undo.callback(self._nft.close)
            self._nft_socket = NftSocket()
            undo.callback(self._nft_socket.close)
            self._route_socket = NetlinkSocket(NETLINK_ROUTE)
            undo.callback(self._route_socket.close)
            self.links = Links(self._route_socket)
            self._places = Places(self._route_socket)
            self._gate = Gate(self._nft, self._nft_socket)
            self._steering = Steering(
                self._gate.mirror, self._nft, self._route_socket, mask=mark_mask, forwarded_replies=forwarded_replies
            )
            self._forwarding = Forwarding(Knobs(self._route_socket), Before(self._gate.mirror))
            self._flips = Flips(self._gate, self._steering)
            self._gate.open()
            self._wanted = frozenset(self._gate.vips())
            self._own: tuple[tuple[str, str], ...] = ()
            self._places.load(self._wanted.__contains__)
            self._renewer = Renewer(self._flips, self._gate.lock, renewed, lapsed)
            undo.callback(self._renewer.close)
            self._lapsed = lapsed
            self._open_fence = False
            self._waiting: dict[str, tuple[str, ...]] = {}
            """What is to be bound again, and where, once the fence is closed."""
            self._resources = undo.pop_all()

    @property
    def port(self) -> int:
        """Netlink port of the socket that changes addresses, rules and routes."""
        return int(self._route_socket.socket.getsockname()[0])

    def snapshot(self) -> tuple[LocalInterface, ...]:
        """All interfaces with their own addresses (no virtual IPs), by name."""
        return self.links.snapshot(self._wanted | self.bound())

    def bound(self) -> frozenset[str]:
        """Virtual IPs bound, or proxied for, on at least one interface."""
        return self._places.vips()

    def vips(self) -> set[str]:
        """Virtual IPs gated now."""
        return self._gate.vips()

    def guard(
        self, addresses: Iterable[str], own: Sequence[tuple[str, str]], behind: Iterable[tuple[str, str]] | None = None
    ) -> None:
        """Gate exactly these virtual IPs and each own address (with prefix length) to its interface; whole set. What
        is still bound stays gated. Also follows interfaces that came, went or were re-created, and removed tables.
        ``behind``: which of them live behind which bridge; None: as told before."""
        self._wanted = frozenset(addresses)
        self._own = tuple(own)
        if behind is not None:
            self._places.behind = dict(behind)
        try:
            self._apply_guard()
        except (NetlinkRefused, RulesetRefused):
            self._apply_guard()  # an interface went while we were at it: look again, once

    def bind(self, addresses: Iterable[str], interfaces: Iterable[str]) -> None:
        """Bind the addresses on these interfaces and no others (one may have left the list); bound already is success,
        a missing interface is passed over. While the fence is open nothing is bound: it waits for that to end. Raises
        KernelError for an address that is not gated: it would be answered everywhere."""
        every, wanted = tuple(addresses), tuple(interfaces)
        if self._open_fence:
            self._waiting.update(dict.fromkeys(every, wanted))
            return
        ungated = self._gate.ungated(every)
        if ungated:
            raise KernelError(f"{', '.join(sorted(ungated))}: not gated; call guard before bind")
        known = self.links.indexes()
        indexes = [known[name] for name in wanted if name in known]
        self._places.bind(every, indexes, known)
        self._places.unbind(every, but=indexes)

    def unbind(self, addresses: Iterable[str]) -> None:
        """Remove the addresses from every interface; absent is success."""
        every = set(addresses)
        for address in every:
            self._waiting.pop(address, None)
        self._places.unbind(every)
        if every - self._wanted:
            self._gate.release(every - self._wanted)

    def lost(self) -> dict[str, frozenset[str]]:
        """Virtual IPs that someone else removed from interfaces that are still there: names of these by address."""
        live = {ifindex: name for name, ifindex in self.links.indexes().items()}
        return self._places.lost(self._wanted.__contains__, live)

    def rebind(self, address: str, interfaces: Iterable[str]) -> None:
        """Bind a virtual IP again."""
        self._places.rebind(address, interfaces, self.links.indexes())

    def gone(self) -> frozenset[str]:
        """Which of our tables somebody has deleted, as "table arp vipa"; see :meth:`mend`."""
        with self._gate.lock:
            gone = self._gate.gone()
            return gone | {"table inet vipa"} if self._steering.is_gone() else gone

    def mend(self) -> None:
        """Somebody changed our tables: chains, rules and sets anew. What was elected stays so while its permit lives;
        else the interface has lapsed. When it raises, nothing is elected any more."""
        with self._gate.lock:
            elected = Elected(self._gate.mirror, self._flips, self._renewer.permits())
            self._gate.remake()
            elected.drop_others()
            self._steering.doubt()
            self._apply_guard()
            elected.put_back(self._lapse)
        self._close_fence()

    def open_fence(self) -> None:
        """The gate stays broken for a while: until it is mended no virtual IP is bound, nor claimed."""
        names = {ifindex: name for name, ifindex in self.links.indexes().items()}
        for address, ifindex in sorted(self._places.bound):
            self._waiting[address] = (*self._waiting.get(address, ()), names.get(ifindex, ""))
        self._open_fence = True
        self._unbind_all()

    def lacking(self) -> str:
        """What of the ways of replies somebody has removed, for people; "" for nothing. ``guard`` makes it again."""
        ready = {link.name for link in self.links.snapshot(self._wanted | self.bound()) if link.up and link.carrier}
        with self._gate.lock:
            return self._steering.lacking(ready) or self._forwarding.lacking(self.links.indexes())

    def unfit(self, address: str) -> str:
        """Why this node cannot proxy for an address that lives behind a bridge, for people; "" when it can."""
        return unfit6() if ":" in address else ""

    def begin_claim(self, addresses: Sequence[str], timeout_s: float) -> bool:
        """Set the claim elements, which end by themselves after ``timeout_s``."""
        return not self._open_fence and self._flips.begin_claim(addresses, timeout_s)

    def permit(self, addresses: Sequence[str], interface: str, permit_s: float | None) -> tuple[bool, float | None]:
        """Elect ``interface`` if the claims still stand: (ok, until). Raises KernelError for an IPv6 address that the
        kernel does not answer for there (yet): nobody may be called Holder of it."""
        self._decided(addresses, interface)
        return self._flips.permit(addresses, interface, self._shortest(interface, permit_s), self._lapse)

    def move(self, addresses: Sequence[str], old: str, new: str, permit_s: float | None) -> tuple[bool, float | None]:
        """Elect ``new`` instead of ``old`` if that one's permit lives: (ok, until). KernelError as in ``permit``."""
        self._decided(addresses, new)
        kept = self._renewer.permits()
        with self._gate.lock:
            result = self._flips.move(addresses, old, new, self._shortest(new, permit_s), kept=kept, lapsed=self._lapse)
            if result[0] and not self._flips.timed_on(old):
                self._renewer.forget(old)
            return result

    def revoke(self, addresses: Sequence[str], interface: str) -> None:
        """Stop answering for the addresses; they stay bound."""
        self._flips.revoke(addresses, interface)

    def steer(self, addresses: Sequence[str], interface: str) -> None:
        """Replies from the addresses, elected nowhere here, leave by ``interface`` from now on."""
        self._flips.steer(addresses, interface)

    def renew(self, permits: Mapping[str, float]) -> None:
        """Keep exactly these permits alive (interface → permit_s) as long as ``tick`` is called."""
        self._renewer.keep(permits)

    def tick(self) -> None:
        """The event loop is alive."""
        self._renewer.tick()

    def held(self) -> tuple[Held, ...]:
        """What is elected and alive from before a restart, renewed once. To be asked before the first ``guard``."""
        return self._flips.held()

    def clean_stale(self, keep: Iterable[str], copies: Iterable[str] = ()) -> None:
        """Un-elect every virtual IP of ours that is not in ``keep``; unbind it too unless it is one of ``copies``."""
        kept = set(keep)
        self._flips.unelect_all_but(kept)
        self.unbind(self.bound() - kept - set(copies))

    def clean_up(self) -> None:
        """Remove all of ours from the node: addresses first, then steering, then the gate. Goes on past an error and
        raises the first."""
        self._renewer.keep({})
        self._wanted = frozenset()
        first: KernelError | None = None
        settings = lambda: self._forwarding.remove(self.links.indexes())  # noqa: E731
        steps: tuple[Callable[[], None], ...] = (self._unbind_all, self._steering.remove, settings, self._gate.remove)
        for step in steps:
            try:
                step()
            except KernelError as error:
                first = first or error
        if first:
            raise first

    def close(self) -> None:
        """Stop renewing and close everything. What the kernel holds stays, and ends by itself."""
        self._resources.close()

    def _close_fence(self) -> None:
        self._open_fence = False
        waiting, self._waiting = self._waiting, {}
        together: dict[tuple[str, ...], list[str]] = {}
        for address in waiting.keys() & self._gate.vips():
            together.setdefault(waiting[address], []).append(address)
        for interfaces, addresses in together.items():
            self.bind(addresses, interfaces)

    def _unbind_all(self) -> None:
        self._places.unbind(self.bound())

    def _apply_guard(self) -> None:
        links = self.links.snapshot(self._wanted | self.bound())
        indexes = self.links.indexes()
        live = set(indexes.values())
        self._places.forget(live)
        carriers = {name for name, _address in self._own} & indexes.keys()
        bound_on = {ifindex for _address, ifindex in self._places.bound}
        devices = {i: name for name, i in indexes.items() if name in carriers or i in bound_on}
        gated = self._wanted | self.bound()
        bridges = {bridge for bridge in self._places.behind.values() if bridge in indexes} - carriers
        with self._gate.lock:
            self._gate.guard(gated, self._own, devices, {i.name: s for i in links if (s := sender6(i))}, bridges)
            self._steering.apply(gated, self._own, links, indexes, bridges)
            six = any(":" in address for address in self._places.behind)
            self._forwarding.apply(carriers, self._places.behind.values(), six=six, indexes=indexes)

    def _decided(self, addresses: Iterable[str], interface: str) -> None:
        """Raises KernelError unless the kernel answers for each address there, once elected."""
        every = set(addresses)
        ifindex = self.links.indexes().get(interface, 0)
        unbound = {address for address in every if not self._places.has(address, ifindex)}
        if unbound:
            raise KernelError(f"{', '.join(sorted(unbound))}: not bound on {interface}")
        if any(":" in address for address in every):
            undecided = every & self._places.addresses.undecided(ifindex)
            if undecided:
                raise KernelError(f"{', '.join(sorted(undecided))}: tentative or a duplicate on {interface}")

    def _shortest(self, interface: str, permit_s: float | None) -> float | None:
        """One permit serves all virtual IPs of an interface: never longer than what the others said of it."""
        if permit_s is None:
            return None
        return min(permit_s, self._renewer.permits().get(interface, permit_s))

    def _lapse(self, interface: str) -> None:
        self._renewer.forget(interface)
        self._lapsed(interface)
