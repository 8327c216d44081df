"""A switch: a bridge in a machine of its own, and its ports with every fault a LAN can have.

A port stands for the cable too. It keeps its faults while its NIC is deleted, re-created or powered off.

========================  ============================================================================
fault                     what the NIC and its neighbours see
========================  ============================================================================
``down`` / ``up``         carrier lost: the NIC's kernel is told
``block`` / ``unblock``   link stays up and nothing passes either way
``cut`` / ``heal``        one direction is dead, link up
``lose`` / ``heal``       a share of the frames of one direction is dropped at random
``Switch.cut``            one port no longer reaches one other port, one way
``Switch.split``          groups of ports no longer reach each other
``Switch.join``           a trunk to another switch, and its faults: dead beyond the first switch
``Switch.span``           a port whose link is back does not forward yet
========================  ============================================================================
"""

from __future__ import annotations

import errno
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from pyroute2.netlink.exceptions import NetlinkError

from vipa_lab.capture import BRIDGE
from vipa_lab.cuts import Cuts, Direction, render
from vipa_lab.errors import LabError
from vipa_lab.namespace import Namespace
from vipa_lab.nftables import run_nft

# Interface names hold 15 characters (IFNAMSIZ, include/uapi/linux/if.h).
_NAME_MAX: Final = 15


class Switch:
    """Learns MAC addresses like any switch (ageing 300 s, IEEE 802.1D), no spanning tree, forwards at once."""

    def __init__(self, name: str, run_dir: Path) -> None:
        self.name = name
        self.namespace = Namespace(name, run_dir)
        self.ports: dict[str, Port] = {}
        self._cuts = Cuts()
        self._bridge_index: int = self.namespace.netlink(_create_bridge)

    def add_port(self, name: str) -> Port:
        """A free port, called ``name`` (at most 15 characters, as interface names are)."""
        if len(name) > _NAME_MAX:
            raise LabError(f"port name {name!r} is longer than the {_NAME_MAX} characters of an interface name")
        if name in self.ports:
            raise LabError(f"switch {self.name} already has a port {name!r}")
        port = Port(self, name)
        self.ports[name] = port
        return port

    def cut(self, source: Port, target: Port) -> None:
        """Frames from ``source`` no longer reach ``target``; the other way still works."""
        self._cuts.pairs.add((source.name, target.name))
        self.apply_cuts()

    def split(self, *groups: Iterable[Port]) -> None:
        """Ports of different groups no longer reach each other; ports in no group reach everybody."""
        sides = [[port.name for port in group] for group in groups]
        for i, side in enumerate(sides):
            others = [name for j, other in enumerate(sides) if j != i for name in other]
            self._cuts.pairs |= {(a, b) for a in side for b in others}
        self.apply_cuts()

    def heal(self) -> None:
        """Undo every cut, split and loss on this switch. Ports that are down or blocked stay so."""
        self._cuts = Cuts(blocked=self._cuts.blocked)
        self.apply_cuts()

    @property
    def cuts(self) -> Cuts:
        """The present cuts; call :meth:`apply_cuts` after changing them."""
        return self._cuts

    def apply_cuts(self) -> None:
        """Make the kernel do what :attr:`cuts` says, in one transaction."""
        script = render(self._cuts)
        self.namespace.call(lambda: run_nft(script))

    def attach(self, port: Port, index: int, mac: str, nic: str, target_fd: int) -> None:
        """Make the cable: a veth pair whose ends have the same ``index``, the far end named ``nic`` in the namespace
        ``target_fd``. Equal indexes matter: with them the kernel holds a late link-down event back for up to a
        second, as it does for real adapters (net/core/link_watch.c: urgent only when ifindex != iflink)."""

        def create(ipr: Any) -> None:  # noqa: ANN401 - pyroute2 is untyped
            peer = [("IFLA_IFNAME", nic), ("IFLA_NET_NS_FD", target_fd), ("IFLA_ADDRESS", mac)]
            # pyroute2's own `peer=` cannot say the index, so the attribute is given as the kernel takes it.
            ipr.link(
                "add",
                ifname=port.name,
                kind="veth",
                index=index,
                VETH_INFO_PEER={"index": index, "attrs": peer},
            )
            ipr.link("set", index=index, master=self._bridge_index)

        self.namespace.netlink(create)
        port.plugged(index)

    def join(self, other: Switch, index: int) -> Port:
        """A cable to another switch; the port at this end, where its faults are: beyond it every link stays up.
        ``index``: an interface number that neither switch has in use."""
        trunk = self.add_port(f"to-{other.name}")
        self.attach(trunk, index, f"02:76:69:70:fe:{index % 256:02x}", f"to-{self.name}", other.namespace.fd)
        master = other._bridge_index
        other.namespace.netlink(lambda ipr: ipr.link("set", index=index, master=master, state="up"))
        return trunk

    def span(self, forward_delay_s: float) -> None:
        """Spanning tree from now on: a port that gets its link back listens, then learns, each for so long (at least
        2 s), before anything passes."""
        delay = {"br_stp_state": 1, "br_forward_delay": round(forward_delay_s * 100)}  # in 1/100 s, USER_HZ
        self.namespace.netlink(lambda ipr: ipr.link("set", index=self._bridge_index, kind="bridge", **delay))

    def close(self) -> None:
        """Pull the plug of the switch itself: all ports lose carrier."""
        self.namespace.close()


class Port:
    """One port of a switch. All faults are idempotent and have an inverse."""

    def __init__(self, switch: Switch, name: str) -> None:
        self.switch = switch
        self.name = name
        self._index: int | None = None
        self._is_up = True
        self._is_blocked = False

    @property
    def is_up(self) -> bool:
        """False between :meth:`down` and :meth:`up`."""
        return self._is_up

    def down(self) -> None:
        """The NIC loses carrier."""
        self._is_up = False
        self._apply()

    def up(self) -> None:
        """Carrier comes back (a blocked port stays blocked)."""
        self._is_up = True
        self._apply()

    def block(self) -> None:
        """Nothing passes either way while the link stays up. By nft, not by bridge port state: the kernel sets a
        disabled port forwarding again at the next, possibly late, link event (net/bridge/br_if.c)."""
        self.switch.cuts.blocked.add(self.name)
        self.switch.apply_cuts()

    def unblock(self) -> None:
        """Inverse of :meth:`block`."""
        self.switch.cuts.blocked.discard(self.name)
        self.switch.apply_cuts()

    def cut(self, direction: Direction) -> None:
        """Nothing passes in one direction, seen from the NIC: ``to_nic`` makes it deaf, ``from_nic`` mute."""
        self.switch.cuts.silent.add((self.name, direction))
        self.switch.apply_cuts()

    def lose(self, percent: float, direction: Direction | None = None) -> None:
        """Drop ``percent`` (0-100) of the frames at random, in one direction or, with None, in each."""
        if not 0 <= percent <= 100:
            raise LabError(f"a loss of {percent} % is no share: say 0 to 100")
        for each in ("to_nic", "from_nic") if direction is None else (direction,):
            self.switch.cuts.loss_percent[(self.name, each)] = percent
        self.switch.apply_cuts()

    def heal(self) -> None:
        """Undo :meth:`cut` and :meth:`lose` on this port."""
        self.switch.cuts.heal_port(self.name)
        self.switch.apply_cuts()

    def plugged(self, index: int) -> None:
        """A cable was plugged in; the port's faults hold for it too."""
        self._index = index
        self._apply()

    def unplug(self) -> None:
        """Remove the cable with both its ends."""
        if self._index is None:
            return
        index, self._index = self._index, None
        if not self.switch.namespace.is_open:
            return

        def delete(ipr: Any) -> None:  # noqa: ANN401 - pyroute2 is untyped
            try:
                ipr.link("del", index=index)
            except NetlinkError as error:
                # The far end may have taken both away already, with its namespace.
                if error.code != errno.ENODEV:
                    raise

        self.switch.namespace.netlink(delete)

    def _apply(self) -> None:
        index = self._index
        if index is None:
            return
        state = "up" if self._is_up else "down"
        self.switch.namespace.netlink(lambda ipr: ipr.link("set", index=index, state=state))


def _create_bridge(ipr: Any) -> int:  # noqa: ANN401 - pyroute2 is untyped
    # mcast_snooping off: a cheap switch floods multicast, and IPv6 neighbour discovery must not depend on a querier.
    ipr.link("add", ifname=BRIDGE, kind="bridge", br_stp_state=0, br_forward_delay=0, br_mcast_snooping=0)
    index = int(ipr.link_lookup(ifname=BRIDGE)[0])
    ipr.link("set", index=index, state="up")
    return index
