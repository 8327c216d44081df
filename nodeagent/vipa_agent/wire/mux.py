"""All packet sockets of the node: opened and closed as interfaces come and go."""

import errno
import select
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from vipa.election.actions import Announce, Probe, SendBeat
from vipa.election.events import ArpSeen, BeatReceived
from vipa.remote import talk
from vipa_agent.wire.nic import Dropped, Nic, NicSocket, Sent
from vipa_agent.wire.sieve import Sieve

Watcher = Callable[[NicSocket], None]


class Mux:
    """The wire as the agent's shell sees it.

    ``opened`` is called with each new socket (to wait on its file descriptors) and ``closing`` with each one just
    before it is closed. ``sieve`` makes one for each. Without ``neighbours`` ARP and ND
    are not listened to. ``asked``, if set, gets what routers ask, which is no heartbeat.

    Sending never raises for what the network does: results say what became of each frame.
    """

    def __init__(
        self,
        port: int,
        opened: Watcher,
        closing: Watcher,
        sieve: Callable[[], Sieve] | None = None,
        neighbours: bool = True,
    ) -> None:
        self._neighbours = neighbours
        self._port = port
        self.asked: Callable[[BeatReceived], None] | None = None
        self._opened = opened
        self._closing = closing
        self._sieve = sieve
        self._sockets: dict[str, NicSocket] = {}
        self._dropped_before: Counter[Dropped] = Counter()
        # One question tells which of all sockets have anything: asking each cost more than reading what there was.
        self._waiting = select.epoll()

    def sync(self, nics: Iterable[Nic]) -> dict[str, str]:
        """Make the sockets fit ``nics``, the whole set of service interfaces. An interface of the same name with
        another ifindex or MAC gets new sockets; what else changed is taken in by the old ones.

        Returns what could not be opened: {interface: message for people}. The next ``sync`` tries those again.
        """
        wanted = {nic.name: nic for nic in nics}
        for name, open_socket in list(self._sockets.items()):
            nic = wanted.get(name)
            if nic is not None and nic == replace(open_socket.nic, addresses=nic.addresses, router=nic.router):
                open_socket.nic = nic
            else:
                self._close(name)
        problems: dict[str, str] = {}
        for name in wanted.keys() - self._sockets.keys():
            try:
                fresh = NicSocket(
                    wanted[name], self._port, self._sieve() if self._sieve else None, neighbours=self._neighbours
                )
            except (OSError, ValueError) as error:
                problems[name] = _explain(name, error)
            else:
                self._sockets[name] = fresh
                for fileno in fresh.filenos():
                    self._waiting.register(fileno, select.EPOLLIN)
                self._opened(fresh)
        return problems

    def close(self) -> None:
        """Close every socket; nothing can be drained any more."""
        for name in list(self._sockets):
            self._close(name)
        self._waiting.close()

    def drain(self) -> list[BeatReceived | ArpSeen]:
        """What waits on all interfaces; see :meth:`NicSocket.drain`."""
        ready = {fileno for fileno, _ in self._waiting.poll(0)}
        if not ready:
            return []
        found = [event for one in self._sockets.values() for event in one.drain(ready)]
        if self.asked is None:
            return found
        beats: list[BeatReceived | ArpSeen] = []
        for event in found:
            if isinstance(event, BeatReceived) and talk.is_ask(event.payload):
                self.asked(event)
            else:
                beats.append(event)
        return beats

    def send_beat(self, action: SendBeat) -> Sent:
        """Carry out ``SendBeat``."""
        on = self._sockets.get(action.interface)
        if on is None:
            return Sent.GONE
        return on.send_beat(action.source_address, action.target_address, action.target_mac, action.payload)

    def probe(self, action: Probe) -> Sent:
        """Carry out ``Probe``."""
        on = self._sockets.get(action.interface)
        return Sent.GONE if on is None else on.probe(action.address, action.sender_address, action.mac)

    def announce(self, action: Announce) -> list[Sent]:
        """Carry out ``Announce``: every form for each address. Returns what became of each frame."""
        on = self._sockets.get(action.interface)
        if on is None:
            return [Sent.GONE] * (2 * len(action.addresses))
        return [result for address in action.addresses for result in on.announce(address)]

    def dropped(self) -> Counter[Dropped]:
        """Frames ignored since the start, on all interfaces there ever were, by reason."""
        for open_socket in self._sockets.values():
            open_socket.count_overflow()
        return sum((s.dropped for s in self._sockets.values()), self._dropped_before)

    def _close(self, name: str) -> None:
        gone = self._sockets.pop(name)
        self._closing(gone)
        for fileno in gone.filenos():
            self._waiting.unregister(fileno)
        gone.count_overflow()
        self._dropped_before += gone.dropped
        gone.close()


def _explain(name: str, error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno == errno.EPERM:
        return f"cannot open packet sockets on {name}: the agent needs the capability NET_RAW"
    return f"cannot open packet sockets on {name}: {error}"
