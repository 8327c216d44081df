"""The configuration of systemd-networkd, NetworkManager and nftables.service, read as they read it."""

from pathlib import Path

import pytest

from vipa_cli.check import unitfile
from vipa_cli.check.finding import Finding, Level
from vipa_cli.check.flush import flush
from vipa_cli.check.netmanager import network_manager
from vipa_cli.check.networkd import networkd

NICS = {"eth1": "02:00:00:00:00:01", "eth2": "02:00:00:00:00:02"}
LEFT_ALONE = {"etc/systemd/networkd.conf": "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"}
UNIT = "[Service]\nExecStart=/usr/sbin/nft -f /etc/nftables.conf\n"
ENABLED = "etc/systemd/system/sysinit.target.wants/nftables.service"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def mended(root: Path, findings: list[Finding]) -> None:
    """The files are written that the findings name."""
    write(root, {file.path.lstrip("/"): file.content for each in findings for file in each.write})


def bad(findings: list[Finding]) -> list[str]:
    return [each.found for each in findings if each.level is not Level.OK]


def test_unit_files_are_read_as_systemd_does() -> None:
    text = "# no\n; no\n[Match]\nName = eth* \\\n  ens*\n[Network]\nDHCP=\nnonsense\nKeepConfiguration=static # x\n"
    assert list(unitfile.parse(text)) == [
        ("Match", "Name", "eth*    ens*"),
        ("Network", "DHCP", ""),
        ("Network", "KeepConfiguration", "static # x"),
    ]


def test_networkd_is_told_what_to_write(tmp_path: Path) -> None:
    (finding,) = networkd(tmp_path, NICS)
    assert finding.level is Level.WARN
    (file,) = finding.write
    assert file.path == "/etc/systemd/networkd.conf.d/10-vipa.conf"
    assert file.content == "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"
    write(tmp_path, {file.path.lstrip("/"): file.content})
    assert bad(networkd(tmp_path, NICS)) == []


@pytest.mark.parametrize(
    ("files", "good"),
    [
        (LEFT_ALONE, True),
        # the first main file alone counts
        ({"usr/lib/systemd/networkd.conf": LEFT_ALONE["etc/systemd/networkd.conf"]}, True),
        (LEFT_ALONE | {"usr/lib/systemd/networkd.conf": "[Network]\nManageForeignRoutes=yes\n"}, True),
        (
            {"etc/systemd/networkd.conf": ""}
            | {"usr/lib/systemd/networkd.conf": "[Network]\nManageForeignRoutes=no\n"},
            False,
        ),
        # drop-ins go over it, in the order of their names, wherever they are
        (LEFT_ALONE | {"usr/lib/systemd/networkd.conf.d/50.conf": "[Network]\nManageForeignRoutes=yes\n"}, False),
        (
            LEFT_ALONE
            | {
                "etc/systemd/networkd.conf.d/40.conf": "[Network]\nManageForeignRoutes=yes\n",
                "usr/lib/systemd/networkd.conf.d/50.conf": "[Network]\nManageForeignRoutes=off\n",
            },
            True,
        ),
        # one of the same name hides the other
        (
            LEFT_ALONE
            | {
                "etc/systemd/networkd.conf.d/50.conf": "",
                "usr/lib/systemd/networkd.conf.d/50.conf": "[Network]\nManageForeignRoutes=yes\n",
            },
            True,
        ),
        # the section counts, and an empty value is the default
        (
            {"etc/systemd/networkd.conf": "[DHCPv4]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n"},
            False,
        ),
        (LEFT_ALONE | {"run/systemd/networkd.conf.d/1.conf": "[Network]\nManageForeignRoutes=\n"}, False),
    ],
)
def test_which_word_of_networkd_counts(tmp_path: Path, files: dict[str, str], good: bool) -> None:
    findings = networkd(write(tmp_path, files), NICS)
    assert (bad(findings) == []) is good
    mended(tmp_path, findings)
    assert bad(networkd(tmp_path, NICS)) == []


@pytest.mark.parametrize(
    ("files", "governed"),
    [
        ({"10-lan.network": "[Match]\nName=eth*\n"}, "10-lan.network governs eth1, eth2"),
        ({"10-lan.network": "[Match]\nName=eth2\n"}, "10-lan.network governs eth2"),
        ({"10-lan.network": "[Match]\nName=!eth2 ens*\n"}, "10-lan.network governs eth1"),
        ({"10-lan.network": "[Match]\nMACAddress=02-00-00-00-00-02\n"}, "10-lan.network governs eth2"),
        ({"10-lan.network": "[Match]\nName=eth1\n[Network]\nKeepConfiguration=static\n"}, ""),
        ({"10-lan.network": "[Match]\nName=eth1\n[Network]\nKeepConfiguration=dhcp\n"}, "10-lan.network governs eth1"),
        ({"10-lan.network": "[Match]\nName=eth1\n[Link]\nUnmanaged=yes\n"}, ""),
        ({"10-lan.network": "[Network]\nDHCP=yes\n"}, ""),
        # the first that matches governs
        (
            {
                "20-all.network": "[Match]\nName=*\n",
                "10-one.network": "[Match]\nName=eth*\n[Network]\nKeepConfiguration=yes\n",
            },
            "",
        ),
        (
            {
                "10-lan.network": "[Match]\nName=eth1\n",
                "10-lan.network.d/10-vipa.conf": "[Network]\nKeepConfiguration=yes\n",
            },
            "",
        ),
        (
            {"10-lan.network": "[Match]\nName=eth1\n", "10-lan.network.d/50.conf": "[Network]\nKeepConfiguration=no\n"},
            "10-lan.network governs eth1",
        ),
        # an empty file hides nothing but those of its name
        ({"10-lan.network": "", "20-lan.network": "[Match]\nName=eth1\n"}, "20-lan.network governs eth1"),
    ],
)
def test_which_network_file_governs(tmp_path: Path, files: dict[str, str], governed: str) -> None:
    write(tmp_path, LEFT_ALONE | {f"etc/systemd/network/{name}": text for name, text in files.items()})
    findings = networkd(tmp_path, NICS)
    assert bad(findings) == ([f"{governed} without KeepConfiguration=static"] if governed else [])
    mended(tmp_path, findings)
    assert bad(networkd(tmp_path, NICS)) == []


def test_network_manager_is_told_what_to_write(tmp_path: Path) -> None:
    write(tmp_path, {"etc/NetworkManager/NetworkManager.conf": "[keyfile]\nunmanaged-devices=interface-name:docker*\n"})
    (finding,) = network_manager(tmp_path, NICS)
    assert finding.found == "it manages eth1, eth2"
    (file,) = finding.write
    assert file.path == "/etc/NetworkManager/conf.d/10-vipa.conf"
    assert file.content == "[keyfile]\nunmanaged-devices+=interface-name:eth1;interface-name:eth2\n"
    write(tmp_path, {file.path.lstrip("/"): file.content})
    assert bad(network_manager(tmp_path, NICS | {"docker0": "02:00:00:00:00:03"})) == []


@pytest.mark.parametrize(
    ("said", "managed"),
    [
        ("[keyfile]\nunmanaged-devices=*\n", ""),
        ("[keyfile]\nunmanaged-devices=interface-name:eth?\n", ""),
        ("[keyfile]\nunmanaged-devices=interface-name:=eth*\n", "eth1, eth2"),
        ("[keyfile]\nunmanaged-devices=mac:02:00:00:00:00:01,interface-name:ens*\n", "eth2"),
        ("[keyfile]\nunmanaged-devices=*,except:interface-name:eth2\n", "eth2"),
        ("[keyfile]\nunmanaged-devices=*,except:type:wifi,except:type:gsm\n", ""),
        ("[keyfile]\nunmanaged-devices=except:interface-name:eth2\n", "eth2"),
        ("[main]\nunmanaged-devices=*\n", "eth1, eth2"),
        ("[device-lan]\nmatch-device=interface-name:eth*\nmanaged=0\n", ""),
        ("[device]\nmanaged=0\n[device-lan]\nmatch-device=interface-name:eth2\nmanaged=1\n", "eth2"),
        ("[keyfile]\nunmanaged-devices=*\n[device-lan]\nmatch-device=interface-name:eth2\nmanaged=true\n", "eth2"),
        ("[keyfile]\nunmanaged-devices=*\nunmanaged-devices-=*\n", "eth1, eth2"),
    ],
)
def test_what_network_manager_manages(tmp_path: Path, said: str, managed: str) -> None:
    write(tmp_path, {"etc/NetworkManager/conf.d/50.conf": said})
    findings = network_manager(tmp_path, NICS)
    assert bad(findings) == ([f"it manages {managed}"] if managed else [])
    if "[device-lan]" not in said:  # the first section that speaks of a device has the last word
        mended(tmp_path, findings)
        assert bad(network_manager(tmp_path, NICS)) == []


def test_which_file_of_network_manager_counts(tmp_path: Path) -> None:
    everything, nothing = "[keyfile]\nunmanaged-devices=*\n", "[keyfile]\nunmanaged-devices=\n"
    write(tmp_path, {"usr/lib/NetworkManager/conf.d/90.conf": everything})
    assert bad(network_manager(tmp_path, NICS)) == []
    write(tmp_path, {"etc/NetworkManager/NetworkManager.conf": nothing})
    assert bad(network_manager(tmp_path, NICS)) != [], "the main file comes after /usr/lib"
    write(tmp_path, {"etc/NetworkManager/conf.d/10.conf": everything})
    assert bad(network_manager(tmp_path, NICS)) == [], "and before /etc's drop-ins"
    write(tmp_path, {"var/lib/NetworkManager/NetworkManager-intern.conf": nothing})
    assert bad(network_manager(tmp_path, NICS)) != [], "its own comes last"


def test_a_flush_is_told_with_the_tables_to_remove_instead(tmp_path: Path) -> None:
    rules = "flush ruleset\ntable inet filter {\n chain a { }\n}\ntable nat {\n}\n"
    write(tmp_path, {"lib/systemd/system/nftables.service": UNIT, "etc/nftables.conf": rules})
    (dormant,) = flush(tmp_path)
    assert (dormant.level, "not enabled" in dormant.found) == (Level.OK, True)
    write(tmp_path, {ENABLED: ""})
    (finding,) = flush(tmp_path)
    assert finding.level is Level.WARN
    assert "table inet filter; delete table inet filter; table ip nat; delete table ip nat" in finding.remedy


@pytest.mark.parametrize(
    ("rules", "good"),
    [
        ("table inet filter {\n}\n", True),
        ("# flush ruleset\ntable inet filter {\n}\n", True),
        ("flush ruleset ip\n", True),
        ("flush ruleset inet\n", False),
        ("flush  ruleset;\n", False),
        ('include "nftables.d/*.nft"\n', False),
    ],
)
def test_what_flushes_vipas_tables(tmp_path: Path, rules: str, good: bool) -> None:
    files = {"lib/systemd/system/nftables.service": UNIT, "etc/nftables.conf": rules, ENABLED: ""}
    write(tmp_path, files | {"etc/nftables.d/10.nft": "flush ruleset\n"})
    assert (bad(flush(tmp_path)) == []) is good


def test_commands_of_the_unit_that_flush(tmp_path: Path) -> None:
    more = (
        "ExecReload=/sbin/nft 'flush ruleset; include \"/etc/nftables.conf\";'\nExecStop=/usr/sbin/nft flush ruleset\n"
    )
    write(
        tmp_path,
        {
            "usr/lib/systemd/system/nftables.service": UNIT + more,
            "etc/nftables.conf": "table inet fw {\n}\n",
            ENABLED: "",
        },
    )
    (finding,) = flush(tmp_path)
    assert finding.found == "its ExecReload= and its ExecStop= say flush ruleset"
    assert (
        "let /etc/nftables.conf begin, instead of flush ruleset: table inet fw; delete table inet fw" in finding.remedy
    )
    (file,) = finding.write
    assert file.content == (
        "[Service]\nExecReload=\nExecReload=/usr/sbin/nft -f /etc/nftables.conf\n"
        "ExecStop=\nExecStop=-/usr/sbin/nft delete table inet fw\n"
    )
    write(tmp_path, {file.path.lstrip("/"): file.content})
    assert bad(flush(tmp_path)) == []
