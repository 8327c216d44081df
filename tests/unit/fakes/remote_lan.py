"""Two nodes and a router between them, as the router hears them; no kernel, no wire."""

from vipa.remote.hearing import Hearing, Hop, Way
from vipa.remote.lans import Lans
from vipa.remote.talk import Adapter, Entry, Part, Report

VIP = "10.1.1.7"
ROUTER = 77
BEAT_S = 0.02
TWO = (Adapter("10.1.1.4", True, (), 30), Adapter("10.1.1.5", True, (), 30))
ONE = (Adapter("10.1.1.6", True, (), 30),)
FAR = (Adapter("10.2.1.4", True, (), 30), None)
LANS = Lans({"eth1": ("10.1.1.1/24",)})


def via(*addresses: str) -> tuple[Hop, ...]:
    """Next hops beyond the router's one interface."""
    return tuple(Hop(address, "eth1") for address in addresses)


class Lan:
    """Two nodes, w1 with 10.1.1.4 and 10.1.1.5, w2 with 10.1.1.6, and time."""

    def __init__(self, adopted: dict[str, Way] | None = None) -> None:
        self.now = 100.0
        self.router = Hearing(ROUTER, self.now, adopted, LANS)
        self.seq = dict.fromkeys(("w1", "w2"), 0)
        self.edition = 0

    def say(
        self,
        node: str,
        part: Part = Part.NONE,
        term: int = 1,
        adapters: tuple[Adapter | None, ...] = (),
        on: tuple[str, ...] = (),
        entries: tuple[Entry, ...] | None = None,
        incarnation: int = 0,
        interface: str = "eth1",
    ) -> str:
        """What became of a report over the adapters ``on``, or all of them."""
        adapters = adapters or (TWO if node == "w1" else ONE)
        self.seq[node] += 1
        self.edition += 1
        entries = (Entry((VIP,), part, term, tuple(range(len(adapters)))),) if entries is None else entries
        head = (node, incarnation or hash(node), self.seq[node], ROUTER, BEAT_S * 1000, self.edition, 0, 1)
        sources = on or tuple(a.address for a in adapters if a is not None)
        said = [Report(*head, adapters, entries, source) for source in sources]
        return {self.router.take(self.now, interface, report.source, report) for report in said}.pop()

    def later(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    def way(self, vip: str = VIP) -> object:
        """Where the router sends it now; "unknown": it has nothing to do with it."""
        return self.router.look(self.now).get(vip, "unknown")
