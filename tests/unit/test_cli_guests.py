"""``vipa guests``: from ranges of addresses to one VirtualIP for each guest."""

import json
from pathlib import Path

import pytest

from vipa_cli.guests import GUESTS_MAX, RangeError, expand, guests_command
from vipa_cli.plan import plan_command

LIST = """
---
apiVersion: vipa.dev/v1alpha1
kind: PreferredInterfaceList
metadata: {name: uplinks}
spec:
  interfaces: [{address: 10.1.1.4}, {address: 10.1.1.5}]
"""


def test_a_range_is_one_group(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guests_command(["10.1.1.21-10.1.1.23"], "br0", "uplinks", "guest") == 0
    file = tmp_path / "guests.yaml"
    file.write_text(capsys.readouterr().out + LIST)
    assert plan_command([str(file)], "json") == 0
    vips = json.loads(capsys.readouterr().out)["vips"]
    assert [vip["name"] for vip in vips] == ["guest-10-1-1-21", "guest-10-1-1-22", "guest-10-1-1-23"]
    assert {tuple(s["address"] for s in vip["succession"]) for vip in vips} == {("10.1.1.4", "10.1.1.5")}


def test_ranges_networks_and_addresses_of_both_families() -> None:
    words = ["10.1.1.31-10.1.2.1", "10.1.1.8/30", "10.1.1.21", "fd00:1::fe-fd00:1::101"]
    found = [str(address) for address in expand(words)]
    assert (found[0], found[226]) == ("10.1.1.31", "10.1.2.1")
    assert found[227:] == [
        *(f"10.1.1.{n}" for n in (8, 9, 10, 11, 21)),
        *(f"fd00:1::{n}" for n in ("fe", "ff", "100", "101")),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["10.1.1.300"], "write 10.1.1.21-10.1.1.36"),
        (["10.1.1.36-10.1.1.21"], "write 10.1.1.21-10.1.1.36"),
        (["10.1.1.21-fd00:1::1"], "a range of one of them"),
        (["10.1.1.33/28"], "has host bits set"),
        (["10.1.1.21", "10.1.1.20-10.1.1.22"], "10.1.1.21 is in 10.1.1.21 too"),
        (["fd00:1::/64"], f"more than {GUESTS_MAX} addresses"),
    ],
)
def test_a_wrong_range_is_named(words: list[str], message: str) -> None:
    with pytest.raises(RangeError, match=message):
        expand(words)


@pytest.mark.parametrize(
    ("bridge", "interface_list", "prefix", "message"),
    [
        ("a bridge", "uplinks", "guest", "--bridge: 'a bridge'"),
        ("br0", "Uplinks", "guest", "--list: 'Uplinks'"),
        ("br0", "uplinks", "guest-", "--prefix: 'guest-'"),
    ],
)
def test_a_wrong_name_is_named(
    bridge: str, interface_list: str, prefix: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guests_command(["10.1.1.21"], bridge, interface_list, prefix) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert not said.out
