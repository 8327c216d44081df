"""What ``vipa check`` says of settings, rules and rights is what the kernel then does."""

import re
import sys
from collections.abc import Iterator
from typing import Final

import pytest

from vipa_cli import ask
from vipa_cli.check import clock, firewall, machine, ruleset, settings
from vipa_cli.check.finding import Level
from vipa_lab.lab import Lab
from vipa_lab.mis_set import VIP, MisSet
from vipa_lab.within import within

ANSWER_S: Final = 0.12
"""Three questions; an answer takes well under 1 ms, and what has come by then is read however late it is."""
WITHOUT_RIGHTS: Final = """
from vipa_cli.check import kernel
rights = kernel.rights()
print(rights.found)
raise SystemExit(rights.level == "fail")
"""


@pytest.fixture(scope="module")
def host(privileges: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MisSet]:
    with Lab() as lab:
        yield MisSet(lab, tmp_path_factory.mktemp("checked"))


def is_answered(host: MisSet, address: str, asker: str = "10.1.1.100") -> bool:
    """Whether the station's question for it is answered."""
    mine = host.station.nics["eth1"]
    nic = ask.Nic(mine.name, mine.mac, asker, (), has_carrier=True)
    return bool(within(host.station, lambda: ask.ask(nic, [address], ANSWER_S))[address].macs)


@pytest.mark.parametrize(
    ("value", "level", "inside", "outside"),
    [
        (0, Level.OK, True, True),
        (1, Level.OK, True, True),
        (2, Level.WARN, True, False),
        (3, Level.FAIL, False, False),
        (8, Level.FAIL, False, False),
    ],
)
def test_what_is_said_of_arp_ignore_is_what_the_kernel_does(
    host: MisSet, value: int, level: Level, inside: bool, outside: bool
) -> None:
    bound = f"{VIP}/32 dev eth1 scope host"
    with (
        host.sysctl("ipv4/conf/all/arp_ignore", value),
        host.commands(f"ip addr add {bound}", f"ip addr del {bound}"),
    ):
        found = within(host.node, lambda: settings.judge4(settings.read(), machine.read().own()))
        assert next(each.level for each in found if each.check == "arp_ignore") == level
        assert (is_answered(host, VIP), is_answered(host, VIP, "172.16.5.5")) == (inside, outside)


ARP_RULES: Final = (
    "type filter hook input priority 0; policy drop; arp operation reply accept;",
    'type filter hook input priority 0; iifname "eth*" drop;',
    "type filter hook input priority 0; policy drop; arp operation vmap { request : accept, reply : drop };",
    "type filter hook input priority 0; arp htype 6 drop; arp operation { request, reply } accept; drop;",
    "type filter hook output priority 0; arp operation != request drop;",
)


@pytest.mark.parametrize("rules", ARP_RULES)
def test_what_is_said_of_a_firewall_is_what_it_does(host: MisSet, rules: str) -> None:
    with host.nft(f"arp chain some {{ {rules} }}"):
        rules_here = within(host.node, ruleset.read)
        (said,) = firewall.firewall(rules_here, ["eth1"], [], has6=False, wanted6=False, bridges=False)
        assert (said.level is Level.OK) is is_answered(host, "10.1.1.4")


def test_without_rights_no_agent_works(host: MisSet) -> None:
    argv = [sys.executable, "-c", WITHOUT_RIGHTS]
    process = host.node.start(argv, "check", capabilities=("net_raw",))
    assert process.wait(60) == 1, process.output()
    assert "missing here: NET_ADMIN" in process.output()


def test_a_host_that_was_suspended_is_told(host: MisSet) -> None:
    assert clock.suspended() == [] or clock.suspended()[0].level is Level.WARN
    script = "from vipa_cli.check import clock; print(clock.suspended())"
    said = host.node.run(["unshare", "--time", "--boottime", "99999", sys.executable, "-c", script])
    assert re.search(r"this machine was suspended for \d\d+,\d{3} s", said)
