"""``vipa check`` on hosts that are deliberately mis-set: each is told what is wrong with it, and nothing else.

One host for all (:mod:`vipa_lab.mis_set`): a fault is made, the host is checked, the fault is taken back.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Final

import pytest

from vipa_agent.kernel.kernel import Kernel
from vipa_cli.check.command import Options, gather, network
from vipa_cli.check.finding import Finding, Level
from vipa_lab.lab import Lab
from vipa_lab.mis_set import VIP, VIP6, MisSet
from vipa_lab.until import until
from vipa_lab.within import within


@pytest.fixture(scope="module")
def host(privileges: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MisSet]:
    with Lab() as lab:
        yield MisSet(lab, tmp_path_factory.mktemp("checked"))


def options(host: MisSet) -> Options:
    return Options(manifests=host.manifests, root=host.root, state_dir=host.node.state_dir)


def bad(host: MisSet) -> list[Finding]:
    """All that is not well, by the checks that look at the network."""
    return [each for each in within(host.node, lambda: network(options(host))) if each.level is not Level.OK]


@contextmanager
def stacked(*faults: AbstractContextManager[Any]) -> Iterator[None]:
    """All at once."""
    with ExitStack() as stack:
        for fault in faults:
            stack.enter_context(fault)
        yield


Fault = Callable[[MisSet], AbstractContextManager[Any]]
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
    "virtual IP elsewhere, IPv6": (
        lambda h: h.station_has(f"{VIP6}/64"),
        Level.FAIL,
        "LAN",
        "answers for erp's fd00::7",
    ),
    "no IPv6": (
        lambda h: h.commands(
            "sysctl -qw net.ipv6.conf.eth2.disable_ipv6=1",
            "sysctl -qw net.ipv6.conf.eth2.disable_ipv6=0;ip addr add fd00::5/64 dev eth2 nodad",
        ),
        Level.FAIL,
        "disable_ipv6",
        "IPv6 is off on eth2",
    ),
    "own address elsewhere": (lambda h: h.station_has("10.1.1.5/24"), Level.FAIL, "own addresses", "has 10.1.1.5 too"),
    "own address twice": (lambda h: h.third("10.1.1.5/24"), Level.FAIL, "own addresses", "on eth2 and eth3"),
    "own address elsewhere, IPv6": (
        lambda h: h.duplicate("fd00::99/64"),
        Level.FAIL,
        "own addresses",
        "has fd00::99 too",
    ),
    "not in the list": (
        lambda h: h.listed("10.1.1.200", "10.1.1.201"),
        Level.WARN,
        "virtual IPs",
        "no address of this machine is in the order",
    ),
    "another LAN": (
        lambda h: stacked(h.third("10.2.2.2/24"), h.listed("10.2.2.2", "10.1.1.4", "10.1.1.5")),
        Level.WARN,
        "virtual IPs",
        "the subnet of eth3 (10.2.2.2/24) does not hold erp 10.1.1.7",
    ),
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
        Level.FAIL,
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


ALSO: Final = {
    "nothing leaves": [("LAN", Level.FAIL)],
    "own address elsewhere, IPv6": [("own addresses", Level.FAIL)],  # the kernel's own word
}
"""What else tells of a fault, before."""


def test_a_healthy_host_gives_no_alarm(host: MisSet) -> None:
    findings = within(host.node, lambda: gather(options(host)))
    # Its clock and its processors are this test machine's.
    machine = {"clock", "punctuality", "suspend", "time of day"}
    assert [each for each in findings if each.level is not Level.OK and each.check not in machine] == []
    assert {"arp_ignore", "adapters", "LAN", "virtual IPs", "firewall", "firewall marks"} <= {f.check for f in findings}


def test_a_host_that_serves_gives_no_alarm(host: MisSet) -> None:
    kernel = within(host.node, lambda: Kernel(lambda _interface, _until: None, lambda _interface: None))
    try:
        within(host.node, lambda: kernel.guard((VIP,), (("eth1", "10.1.1.4/24"), ("eth2", "10.1.1.5/24"))))
        within(host.node, lambda: kernel.bind((VIP,), ("eth1", "eth2")))
        until(lambda: kernel.begin_claim((VIP,), 0.1) and kernel.permit((VIP,), "eth1", None)[0])
        assert bad(host) == []
    finally:
        within(host.node, kernel.clean_up)
        kernel.close()


@pytest.mark.parametrize("name", FAULTS)
def test_each_mis_set_host_is_found_out(host: MisSet, name: str) -> None:
    fault, level, check, words = FAULTS[name]
    with fault(host):
        told = bad(host)
    assert [(each.check, each.level) for each in told] == [*ALSO.get(name, ()), (check, level)], told
    assert words in told[-1].found
    assert all(each.effect and each.remedy for each in told)
