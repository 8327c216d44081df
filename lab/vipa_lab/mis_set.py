"""One host that is mis-set for a while, in many ways, each with its way back: what ``vipa check`` is tried on.

Two adapters on one LAN, IPv4 and IPv6, a third without an address, and a station beside it. What no namespace holds
(files below /etc) is below a root folder of its own.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from vipa_lab.host import Host
from vipa_lab.lab import Lab
from vipa_lab.manifests import preferred_list, virtual_ip
from vipa_lab.node import Node
from vipa_lab.until import until

VIP: Final = "10.1.1.7"
VIP6: Final = "fd00::7"


class MisSet:
    """The host (``node``), the ``station``, ``root`` for the host's files, and ``manifests`` of one virtual IP."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab = lab
        self.switch = lab.add_switch()
        self.node: Node = lab.add_node("w1")
        self.eth1 = self.node.add_nic(self.switch, "10.1.1.4/24", "fd00::4/64")
        self.eth2 = self.node.add_nic(self.switch, "10.1.1.5/24", "fd00::5/64")
        self.node.add_nic(self.switch)
        self.station: Host = lab.add_station("printer")
        self.station.add_nic(self.switch, "10.1.1.100/24")
        lab.settle()
        self.root = folder / "root"
        self.root.mkdir()
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.manifests = folder / "manifests"
        self.manifests.mkdir()
        self._list("10.1.1.4", "10.1.1.5")

    @contextmanager
    def sysctl(self, key: str, value: int) -> Iterator[None]:
        """A setting below /proc/sys/net, for a while."""
        path = Path("/proc/sys/net") / key
        before = self.node.namespace.call(path.read_text)
        self.node.namespace.call(lambda: path.write_text(str(value)))
        try:
            yield
        finally:
            self.node.namespace.call(lambda: path.write_text(before))

    @contextmanager
    def commands(self, there: str, back: str) -> Iterator[None]:
        """Commands of ip and nft, and those that take them back; several by semicolons."""
        self._run(there)
        try:
            yield
        finally:
            self._run(back)

    def _run(self, commands: str) -> None:
        for command in commands.split(";"):
            self.node.run(command.split())

    @contextmanager
    def nft(self, text: str) -> Iterator[None]:
        """A table "host" of the family that the text begins with."""
        family, _, rules = text.partition(" ")
        words = f"table {family} host {{ {rules}\n}}"
        self.node.run(["nft", words])
        try:
            yield
        finally:
            self.node.run(["nft", "delete", "table", family, "host"])

    @contextmanager
    def program(self, name: str, files: dict[str, str] | None = None) -> Iterator[None]:
        """A program of that name runs, and these files are there."""
        path = self.bin / name
        path.symlink_to("/bin/sleep")
        process = self.node.start([str(path), "60"], name)
        try:
            with self.files(files or {}):
                yield
        finally:
            process.kill()
            path.unlink()

    @contextmanager
    def files(self, files: dict[str, str]) -> Iterator[None]:
        """Files of the host."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        try:
            yield
        finally:
            for name in files:
                (self.root / name).unlink()

    @contextmanager
    def dark(self) -> Iterator[None]:
        """The cable of eth2 is pulled."""
        self.eth2.port.down()
        until(lambda: not self.eth2.carrier())
        try:
            yield
        finally:
            self.eth2.port.up()
            until(self.eth2.is_operational)

    def _list(self, *addresses: str) -> None:
        (self.manifests / "erp.yaml").write_text(virtual_ip("erp", f"{VIP}, {VIP6}") + preferred_list(*addresses))

    @contextmanager
    def listed(self, *addresses: str) -> Iterator[None]:
        """The list names these instead of the host's own."""
        self._list(*addresses)
        try:
            yield
        finally:
            self._list("10.1.1.4", "10.1.1.5")

    @contextmanager
    def duplicate(self, address: str) -> Iterator[None]:
        """An IPv6 address that the station has is added to eth1, and the kernel finds out."""
        words = f"{address} dev eth1"
        looks = self.sysctl("ipv6/conf/eth1/accept_dad", 1)  # machines of the lab do not look, to be quick
        with looks, self.station_has(address), self.commands(f"ip addr add {words}", f"ip addr del {words}"):
            until(lambda: "dadfailed" in self.node.run(["ip", "-6", "addr", "show", "dev", "eth1"]))
            yield

    @contextmanager
    def station_has(self, address: str) -> Iterator[None]:
        """The station has an address."""
        self.station.nics["eth1"].add_address(address)
        try:
            yield
        finally:
            self.station.nics["eth1"].remove_address(address)

    @contextmanager
    def third(self, address: str, mac: str = "") -> Iterator[None]:
        """The third adapter, which has no address else, has this one, and maybe another's MAC."""
        before = self.node.nics["eth3"].mac
        self._run(f"ip link set eth3 address {mac or before};ip addr add {address} dev eth3")
        try:
            yield
        finally:
            self._run(f"ip addr del {address} dev eth3;ip link set eth3 address {before}")
