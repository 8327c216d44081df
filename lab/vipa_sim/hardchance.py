"""Kinds of faults beyond those of cables, power and processes: planned moves, isolation, strangers, other programs."""

from __future__ import annotations

from functools import partial

from vipa.plan import FailbackPolicy
from vipa_sim.drawing import Drawing, Strike
from vipa_sim.meddling import MEDDLINGS, Meddler, world_reader
from vipa_sim.moves import ends, give
from vipa_sim.world import GATEWAY

STP_MAX_S = 2.0  # enough to outlast every silence; the row of the table has the full 15 s
REMOVALS_MAX = 5


class HardChance(Drawing):
    """See the module."""

    def hardships(self) -> tuple[tuple[Strike, float], ...]:
        """Kinds and their weights."""
        return (
            (self._prefer, 2),
            (self._drain, 1),
            (self._restart, 2),
            (self._meddle, 2),
            (self._plug, 2),
            (self._uplink, 2),
            (self._silence, 1),
            (self._foreign, 2),
            (self._arp_storm, 0.3),
            (self._remove, 1),
            (self._flush, 1),
            (self._remove_permit, 1),
            (self._rename, 1),
            (self._lose_events, 1),
        )

    def _prefer(self, at_s: float, lasts_s: float) -> None:
        """``vipa move``: a node first and at once, and the policy as it was a while later."""
        order = self._rng.sample([m.name for m in self._world.nodes_of("")], len(self._world.nodes_of("")))
        at_once = partial(self._give, order, FailbackPolicy.IMMEDIATE)
        self._at(at_s, f"move to {order[0]}", at_once)
        self._at(at_s + lasts_s, f"{order[0]} stays first", partial(self._give, order, None))

    def _drain(self, at_s: float, lasts_s: float) -> None:
        """A node last and at once; taken off a while later; back at the end."""
        names = [m.name for m in self._world.nodes_of("")]
        gone = self._rng.choice(names)
        others = [name for name in names if name != gone]
        self._at(at_s, f"drain {gone}", partial(self._give, [*others, gone], FailbackPolicy.IMMEDIATE))
        self._at(at_s + lasts_s, f"{gone} is drained", partial(self._give, others, None))
        self._at(at_s + 2 * lasts_s, f"{gone} is uncordoned", partial(self._give, names, None))

    def _give(self, order: list[str], failback: FailbackPolicy | None) -> None:
        give(self._world, ends(self._world, order), failback)

    def _restart(self, at_s: float, lasts_s: float) -> None:
        """SIGTERM, and the supervisor starts the agent again."""
        node = self._busy_node()
        self._at(at_s, f"stop {node}", partial(self._faults.stop, node))
        self._at(at_s + 0.5 + lasts_s, f"start {node}", partial(self._faults.start, node))

    def _meddle(self, at_s: float, lasts_s: float) -> None:
        """Messages of one kind are lost, doubled or late."""
        meddling = self._rng.choice(MEDDLINGS)
        lan = self._world.lan
        meddler = Meddler(self._world, world_reader(self._world), meddling)
        self._at(at_s, f"{meddling} next time", partial(setattr, lan, "meddle", meddler))

    def _plug(self, at_s: float, lasts_s: float) -> None:
        """A cable out and in again; the port listens."""
        node, nic = self._nic()
        listens_s = self._rng.uniform(0.2, STP_MAX_S)
        self._at(at_s, f"carrier down {node}/{nic}", partial(self._faults.carrier, node, nic, up=False))
        plug = partial(self._faults.plug, node, nic, listens_s)
        self._at(at_s + lasts_s / 2, f"plug {node}/{nic}, listens {listens_s:.3f}", plug)

    def _uplink(self, at_s: float, lasts_s: float) -> None:
        """Two switches, and the way between them is dead: NICs and stations on either side."""
        world = self._world
        names = [port.name.removeprefix("station/") for port in world.lan.ports.values()]
        beyond = [name for name in names if self._rng.random() < 0.5]
        self._at(at_s, f"uplink to {','.join(beyond)} dead", partial(self._faults.split, [beyond]))
        self._at(at_s + lasts_s, "join", self._faults.join)

    def _silence(self, at_s: float, lasts_s: float) -> None:
        """The gateway is dead, or every station but the nodes."""
        who = self._rng.choice(([GATEWAY], []))
        self._at(at_s, f"silent {who or 'all'}", partial(self._faults.silence, who))
        self._at(at_s + lasts_s, f"heard {who or 'all'}", partial(self._faults.silence, who, on=False))

    def _foreign(self, at_s: float, lasts_s: float) -> None:
        vip = self._rng.choice(self._world.addresses)
        self._at(at_s, f"foreign owner of {vip}", partial(self._comes, vip))
        self._at(at_s + lasts_s, "it leaves", partial(self._faults.foreign_leaves, vip))

    def _comes(self, vip: str) -> None:
        self._faults.foreign_owner(vip)

    def _arp_storm(self, at_s: float, lasts_s: float) -> None:
        node = self._busy_node()
        self._at(at_s, "ARP storm", self._faults.arp_storm)
        self._at(at_s, f"storm {node}", partial(self._faults.storm, node))
        self._at(at_s + lasts_s, "ARP calm", partial(self._faults.arp_storm, on=False))
        self._at(at_s + lasts_s, f"calm {node}", partial(self._faults.storm, node, on=False))

    def _remove(self, at_s: float, lasts_s: float) -> None:
        """A virtual IP is removed, and again when it is back."""
        vip = self._rng.choice(self._world.addresses)
        node, nic = self._nic()
        for number in range(self._rng.randint(1, REMOVALS_MAX)):
            remove = partial(self._faults.remove_address, node, vip, nic)
            self._at(at_s + number * lasts_s, f"remove {vip} from {node}/{nic}", remove)

    def _flush(self, at_s: float, lasts_s: float) -> None:
        node = self._busy_node()
        self._at(at_s, f"flush {node}", partial(self._faults.flush, node))

    def _remove_permit(self, at_s: float, lasts_s: float) -> None:
        node, nic = self._nic()
        self._at(at_s, f"remove the permit of {node}/{nic}", partial(self._faults.remove_permit, node, nic))

    def _rename(self, at_s: float, lasts_s: float) -> None:
        node, nic = self._nic()
        self._at(at_s, f"rename {node}/{nic}", partial(self._faults.rename, node, nic, f"lan{nic[3:]}"))

    def _lose_events(self, at_s: float, lasts_s: float) -> None:
        node = self._busy_node()
        self._at(at_s, f"events lost {node}", partial(self._faults.lose_events, node))
        self._at(at_s + lasts_s, f"events heard {node}", partial(self._faults.lose_events, node, lost=False))
