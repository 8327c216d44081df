"""Guests behind a bridge of a node: machines on a LAN of their own that one of the node's adapters leads to."""

from typing import Final

from vipa_lab.lab import Lab
from vipa_lab.node import Node
from vipa_lab.switch import Switch
from vipa_lab.until import until

BRIDGE: Final = "br0"


class Guests:
    """The bridge br0 of ``node`` and the LAN behind it. One more adapter of the node is the bridge's port, and no
    service interface. The bridge goes with the node's power."""

    def __init__(self, lab: Lab, node: Node) -> None:
        self._lab = lab
        self._node = node
        self.lan: Switch = lab.add_switch(f"in-{node.name}")
        port = node.add_nic(self.lan)
        node.run(["ip", "link", "add", BRIDGE, "type", "bridge"])
        node.run(["ip", "link", "set", BRIDGE, "up"])
        node.run(["ip", "link", "set", port.name, "master", BRIDGE])

    def add(self, name: str, address: str, address6: str = "") -> Node:
        """A guest. ``address``: with the prefix length of the LAN, which it takes to be its own ("10.1.1.7/24").
        ``address6``: without prefix length; all else is behind the bridge's link-local address."""
        guest = self._lab.add_node(name)
        guest.add_nic(self.lan, address, *([f"{address6}/128"] if address6 else []))
        self._lab.settle()
        if address6:
            route = ["ip", "-6", "route", "add", "default", "via", self.link_local(), "dev", "eth1"]
            guest.run(route)
        return guest

    def link_local(self) -> str:
        """The bridge's."""

        def found() -> str:
            words = self._node.run(["ip", "-6", "-o", "addr", "show", "dev", BRIDGE, "scope", "link", "-tentative"])
            return words.split()[3].partition("/")[0] if words else ""

        return until(found, f"a link-local address of {BRIDGE}")
