"""``vipa check`` on hosts that are deliberately mis-set: each is told what is wrong with it, and nothing else.

One host for all: eth1 and eth2 on one LAN, IPv4 and IPv6. A fault is made, the host is checked, the fault is taken
back. What no namespace holds (files of /etc) is below a root folder that the check is given.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from vipa_cli import ask
from vipa_cli.check import clock
from vipa_cli.check.command import Options, gather, network
from vipa_cli.check.finding import Finding, Level
from vipa_lab.host import Host
from vipa_lab.lab import Lab
from vipa_lab.manifests import preferred_list, virtual_ip
from vipa_lab.node import Node
from vipa_lab.until import until
from vipa_lab.within import within

VIP: Final = "10.1.1.7"
ANSWER_S: Final = 0.12
"""Three questions; an answer takes well under 1 ms, and what has come by then is read however late it is."""


class Checked:
    """The host, a station beside it, and the folder that stands for the host's files."""

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
        text = f"{virtual_ip('erp', VIP)}---\n{preferred_list('10.1.1.4', '10.1.1.5')}"
        (self.manifests / "erp.yaml").write_text(text)

    @property
    def options(self) -> Options:
        """Of every check here."""
        return Options(manifests=self.manifests, root=self.root, state_dir=self.node.state_dir)

    def bad(self) -> list[Finding]:
        """All that is not well, by the checks that look at the network."""
        return [each for each in within(self.node, lambda: network(self.options)) if each.level is not Level.OK]

    def is_answered(self, address: str, asker: str = "10.1.1.100") -> bool:
        """Whether the station's question for it is answered."""
        mine = self.station.nics["eth1"]
        nic = ask.Nic(mine.name, mine.mac, asker, (), has_carrier=True)
        return bool(within(self.station, lambda: ask.ask(nic, [address], ANSWER_S))[address].macs)

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


@pytest.fixture(scope="module")
def host(privileges: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checked]:
    with Lab() as lab:
        yield Checked(lab, tmp_path_factory.mktemp("checked"))


Fault = Callable[[Checked], AbstractContextManager[Any]]
DROP_ND: Final = "ip6 chain in { type filter hook input priority 0; policy drop; ip6 nexthdr tcp accept; }"
NFTABLES_CONF: Final = {
    "etc/nftables.conf": "#!/usr/sbin/nft -f\nflush ruleset\ntable inet filter {\n}\n",
    "lib/systemd/system/nftables.service": "[Service]\nExecStart=/usr/sbin/nft -f /etc/nftables.conf\n",
    "etc/systemd/system/sysinit.target.wants/nftables.service": "",
}
NETWORK_FILES: Final = {
    "etc/systemd/networkd.conf": "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=false\n",
    "etc/systemd/network/10-lan.network": "[Match]\nName=eth*\n",
}

FAULTS: Final[dict[str, tuple[Fault, Level, str, str]]] = {
    # name: the fault; how bad it is, the check that finds it, words it is told in
    "answers nothing": (lambda h: h.sysctl("ipv4/conf/eth1/arp_ignore", 8), Level.FAIL, "arp_ignore", "8 on eth1"),
    "answers its subnet": (lambda h: h.sysctl("ipv4/conf/all/arp_ignore", 2), Level.WARN, "arp_ignore", "eth1, eth2"),
    "not host scope": (lambda h: h.sysctl("ipv4/conf/eth2/arp_ignore", 3), Level.FAIL, "arp_ignore", "3 on eth2"),
    "ARP filter": (lambda h: h.sysctl("ipv4/conf/all/arp_filter", 1), Level.FAIL, "arp_filter", "share a LAN"),
    "deaf to moves": (
        lambda h: h.sysctl("ipv4/conf/all/drop_gratuitous_arp", 1),
        Level.WARN,
        "drop_gratuitous_arp",
        "on for eth1",
    ),
    "secondary at risk": (
        lambda h: h.commands("ip addr add 10.1.1.9/24 dev eth1", "ip addr del 10.1.1.9/24 dev eth1"),
        Level.WARN,
        "promote_secondaries",
        "off on eth1",
    ),
    "lost router": (
        lambda h: h.commands(
            "ip -6 route add default via fd00::1 dev eth1 proto ra;sysctl -qw net.ipv6.conf.eth1.forwarding=1",
            "sysctl -qw net.ipv6.conf.eth1.forwarding=0;ip -6 route del default",
        ),
        Level.WARN,
        "accept_ra",
        "on eth1 was advertised",
    ),
    "another's mark": (
        lambda h: h.commands("ip rule add fwmark 0x100 table 100", "ip rule del fwmark 0x100 table 100"),
        Level.WARN,
        "firewall marks",
        "0x100/0xffffffff (IPv4",
    ),
    "another's mark, IPv6": (
        lambda h: h.commands(
            "ip -6 rule add fwmark 0x200000/0xf00000 table 100", "ip -6 rule del fwmark 0x200000/0xf00000 table 100"
        ),
        Level.WARN,
        "firewall marks",
        "0x200000/0xf00000 (IPv6",
    ),
    "overwritten mark": (
        lambda h: h.nft("inet chain pre { type filter hook prerouting priority 0; tcp dport 5 meta mark set 1; }"),
        Level.WARN,
        "firewall marks",
        "overwrite vipa's bits: inet host pre",
    ),
    "taken priority": (
        lambda h: h.commands("ip rule add priority 7118 from 9.9.9.9 table 9", "ip rule del priority 7118"),
        Level.WARN,
        "routing rules",
        "7118 (IPv4)",
    ),
    "taken table": (
        lambda h: h.commands("ip route add 10.9.0.0/16 dev eth1 table 7119", "ip route flush table 7119"),
        Level.WARN,
        "routing tables",
        "7119 (IPv4)",
    ),
    "rule for everything": (
        lambda h: h.commands("ip rule add priority 100 table 100", "ip rule del priority 100"),
        Level.WARN,
        "routing rules",
        "100 (IPv4, table 100)",
    ),
    "virtual IP configured": (
        lambda h: h.commands(f"ip addr add {VIP}/32 dev eth2", f"ip addr del {VIP}/32 dev eth2"),
        Level.FAIL,
        "virtual IPs",
        f"{VIP} is already on eth2 (as /32)",
    ),
    "virtual IP elsewhere": (lambda h: h.station_has(f"{VIP}/24"), Level.FAIL, "LAN", "answers for erp's 10.1.1.7"),
    "own address elsewhere": (lambda h: h.station_has("10.1.1.5/24"), Level.FAIL, "own addresses", "has 10.1.1.5 too"),
    "own address twice": (lambda h: h.third("10.1.1.5/24"), Level.FAIL, "own addresses", "on eth2 and eth3"),
    "one MAC": (
        lambda h: h.third("10.1.1.6/24", mac=h.eth1.mac),
        Level.FAIL,
        "MAC addresses",
        "eth1 and eth3, on one LAN",
    ),
    "two MTUs": (
        lambda h: h.commands("ip link set eth2 mtu 1400", "ip link set eth2 mtu 1500"),
        Level.WARN,
        "MTU",
        "eth1 1500 and eth2 1400",
    ),
    "no cable": (lambda h: h.dark(), Level.WARN, "adapters", "eth2 has no carrier"),
    "firewall drops ARP": (
        lambda h: h.nft("arp chain in { type filter hook input priority 0; policy drop; }"),
        Level.FAIL,
        "firewall",
        "arp host in drops ARP that comes in",
    ),
    "firewall drops some ARP": (
        lambda h: h.nft("arp chain out { type filter hook output priority 0; limit rate 9/second accept; drop; }"),
        Level.WARN,
        "firewall",
        "arp host out may drop ARP that goes out",
    ),
    "firewall drops discovery": (
        lambda h: h.nft(DROP_ND),
        Level.WARN,
        "firewall",
        "drops IPv6 neighbour discovery that comes in",
    ),
    "nothing leaves": (
        lambda h: h.nft('netdev chain out { type filter hook egress device "eth1" priority 0; ether type arp drop; }'),
        Level.FAIL,
        "firewall",
        "netdev host out drops ARP that goes out",
    ),
    "another manager": (lambda h: h.program("keepalived"), Level.WARN, "other managers", "keepalived runs here"),
    "networkd": (
        lambda h: h.program("systemd-networkd"),
        Level.WARN,
        "systemd-networkd",
        "ManageForeignRoutes and ManageForeignRoutingPolicyRules not switched off",
    ),
    "networkd, addresses": (
        lambda h: h.program("systemd-networkd", NETWORK_FILES),
        Level.WARN,
        "systemd-networkd",
        "10-lan.network governs eth1, eth2",
    ),
    "NetworkManager": (lambda h: h.program("NetworkManager"), Level.WARN, "NetworkManager", "it manages eth1, eth2"),
    "nftables reload": (lambda h: h.files(NFTABLES_CONF), Level.WARN, "nftables.service", "says flush ruleset"),
    "kube-proxy": (
        lambda h: h.commands("ip link add kube-ipvs0 type bridge", "ip link del kube-ipvs0"),
        Level.WARN,
        "kube-proxy",
        "IPVS mode without strictARP",
    ),
}


ALSO: Final = {"nothing leaves": [("LAN", Level.FAIL)]}
"""What else tells of a fault, before."""
WITHOUT_RIGHTS: Final = """
from vipa_cli.check import kernel
rights = kernel.rights()
print(rights.found)
raise SystemExit(rights.level == "fail")
"""


def test_a_healthy_host_gives_no_alarm(host: Checked) -> None:
    findings = within(host.node, lambda: gather(host.options))
    # Its clock and its processors are this test machine's.
    machine = {"clock", "punctuality", "suspend", "time of day"}
    assert [each for each in findings if each.level is not Level.OK and each.check not in machine] == []
    assert {"arp_ignore", "adapters", "LAN", "virtual IPs", "firewall", "firewall marks"} <= {f.check for f in findings}


@pytest.mark.parametrize("name", FAULTS)
def test_each_mis_set_host_is_found_out(host: Checked, name: str) -> None:
    fault, level, check, words = FAULTS[name]
    with fault(host):
        bad = host.bad()
    told = [(each.check, each.level) for each in bad]
    assert told == [(check, level), *ALSO.get(name, ())][::-1], bad
    (finding,) = (each for each in bad if each.check == check)
    assert words in finding.found
    assert all(each.effect and each.remedy for each in bad)


@pytest.mark.parametrize(
    ("value", "level", "inside", "outside"),
    [
        (0, None, True, True),
        (1, None, True, True),
        (2, Level.WARN, True, False),
        (3, Level.FAIL, False, False),
        (8, Level.FAIL, False, False),
    ],
)
def test_what_is_said_of_arp_ignore_is_what_the_kernel_does(
    host: Checked, value: int, level: Level | None, inside: bool, outside: bool
) -> None:
    bound = f"{VIP}/32 dev eth1 scope host"
    with (
        host.sysctl("ipv4/conf/all/arp_ignore", value),
        host.commands(f"ip addr add {bound}", f"ip addr del {bound}"),
    ):
        assert next((each.level for each in host.bad() if each.check == "arp_ignore"), None) == level
        assert (host.is_answered(VIP), host.is_answered(VIP, "172.16.5.5")) == (inside, outside)


ARP_RULES: Final = (
    "type filter hook input priority 0; policy drop; arp operation reply accept;",
    'type filter hook input priority 0; iifname "eth*" drop;',
    "type filter hook input priority 0; policy drop; arp operation vmap { request : accept, reply : drop };",
    "type filter hook input priority 0; arp htype 6 drop; arp operation { request, reply } accept; drop;",
    "type filter hook output priority 0; arp operation != request drop;",
)


@pytest.mark.parametrize("rules", ARP_RULES)
def test_what_is_said_of_a_firewall_is_what_it_does(host: Checked, rules: str) -> None:
    with host.nft(f"arp chain some {{ {rules} }}"):
        assert any(each.check == "firewall" for each in host.bad()) is not host.is_answered("10.1.1.4")


def test_without_rights_no_agent_works(host: Checked) -> None:
    argv = [sys.executable, "-c", WITHOUT_RIGHTS]
    process = host.node.start(argv, "check", capabilities=("net_raw",))
    assert process.wait(60) == 1, process.output()
    assert "missing here: NET_ADMIN" in process.output()


def test_a_host_that_was_suspended_is_told(host: Checked) -> None:
    assert clock.suspended() == [] or clock.suspended()[0].level is Level.WARN
    script = "from vipa_cli.check import clock; print(clock.suspended())"
    said = host.node.run(["unshare", "--time", "--boottime", "99999", sys.executable, "-c", script])
    assert "this machine was suspended for 99,999 s" in said or "100," in said
