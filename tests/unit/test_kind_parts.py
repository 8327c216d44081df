"""The pure parts of the kind cluster's making."""

import ipaddress
import json
from pathlib import Path

import pytest
import yaml

from vipa_lab.errors import LabError
from vipa_lab.kind import dockerd, images, lean_runtime, machine, places, roots
from vipa_lab.kind.network import pod_config, pod_routes


def test_addresses_of_the_lan_are_apart_from_what_docker_gives() -> None:
    lan = ipaddress.ip_network(places.LAN_SUBNET)
    by_docker = ipaddress.ip_network(places.LAN_RANGE)
    given = [address for pair in places.SERVICE_ADDRESSES.values() for address in pair]
    given += [places.CLIENT_ADDRESS, places.LAN_GATEWAY, "10.1.1.7"]
    assert len(set(given)) == len(given)
    for address in map(ipaddress.ip_address, given):
        assert address in lan
        assert address not in by_docker


def test_names_of_links_fit_the_kernel() -> None:
    assert all(len(name) <= 15 for name in (*places.LINKS, places.SECOND_NIC))
    assert len(set(places.LINKS)) == len(places.LINKS)


def test_every_node_has_a_route_to_the_pods_of_every_other() -> None:
    ranges = {"a": "10.244.0.0/24", "b": "10.244.1.0/24", "c": "10.244.2.0/24"}
    addresses = {"a": "10.1.0.2", "b": "10.1.0.3", "c": "10.1.0.4"}
    assert pod_routes("b", ranges, addresses) == (
        "ip route replace 10.244.0.0/24 via 10.1.0.2\nip route replace 10.244.2.0/24 via 10.1.0.4\n"
    )


def test_pods_get_addresses_of_their_node() -> None:
    text = json.dumps(pod_config("10.244.1.0/24"))
    assert '"ranges": [[{"subnet": "10.244.1.0/24"}]]' in text


def status(bounding: int) -> str:
    return f"Name:\tpython3\nCapInh:\t0000000000000000\nCapBnd:\t{bounding:016x}\n"


def test_what_a_machine_lacks() -> None:
    whole = (1 << 41) - 1
    assert lean_runtime.lacking(status(whole)) == set()
    assert lean_runtime.lacking(status(whole & ~(1 << 24))) == {"CAP_SYS_RESOURCE"}
    assert lean_runtime.lacking(status(whole & ~1)) == {"CAP_CHOWN"}


def test_what_is_lacking_is_not_asked_for() -> None:
    process = {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"], "effective": ["CAP_SYS_RESOURCE"]}}
    lean_runtime.lessen(process, {"CAP_SYS_RESOURCE"})
    assert process == {"capabilities": {"bounding": ["CAP_CHOWN"], "effective": []}}
    lean_runtime.lessen({"args": ["sh"]}, {"CAP_SYS_RESOURCE"})


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (["create", "--bundle", "here", "id"], "here"),
        (["create", "--bundle=here", "id"], "here"),
        (["create", "-b", "here", "id"], "here"),
        (["create", "id"], ""),
        (["create", "--bundled", "there"], ""),
    ],
)
def test_options_of_an_oci_runtime(words: list[str], value: str) -> None:
    assert lean_runtime.option(words, "--bundle", "-b") == value


def test_another_package_is_another_root() -> None:
    first = roots.Root("node", "trixie", ("systemd",))
    assert first.key == roots.Root("other", "trixie", ("systemd",)).key
    assert first.key != roots.Root("node", "trixie", ("systemd", "jq")).key
    assert first.key != roots.Root("node", "forky", ("systemd",)).key
    assert first.key != roots.Root("node", "trixie", ("systemd",), ("--variant=essential",)).key


@pytest.mark.parametrize(
    ("name", "text", "url"),
    [
        ("sources.list", "deb http://one.example/debian trixie main\n", "http://one.example/debian"),
        (
            "sources.list",
            "deb [signed-by=/k.gpg] http://two.example/debian/ trixie main\n",
            "http://two.example/debian/",
        ),
        (
            "sources.list.d/debian.sources",
            "Types: deb\nURIs: http://three.example/debian\n",
            "http://three.example/debian",
        ),
    ],
)
def test_debian_comes_from_where_apt_takes_it(tmp_path: Path, name: str, text: str, url: str) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d/a.list").write_text("deb http://other.example/tools stable main\n")
    (tmp_path / name).write_text(f"# deb http://old.example/debian\n{text}")
    assert roots.mirror(tmp_path) == url


def test_without_a_mirror_it_says_how_to_name_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LabError, match="DEBIAN_MIRROR"):
        roots.mirror(tmp_path)
    monkeypatch.setenv("DEBIAN_MIRROR", "http://mine.example/debian")
    assert roots.mirror(tmp_path) == "http://mine.example/debian"


def test_our_dockerd_leaves_the_machine_alone(tmp_path: Path) -> None:
    made = dockerd.configuration(tmp_path)
    assert made["iptables"] is made["ip-forward"] is False
    assert made["bridge"] == "none"
    assert all(str(tmp_path) in str(made[key]) for key in ("hosts", "exec-root", "pidfile"))


def test_what_was_before_is_kept_whole(tmp_path: Path) -> None:
    file = tmp_path / "before.json"
    assert machine.read(file) is None
    before = machine.Before("boot", "unix:///s", own=True, sysctls={"kernel.panic": "0"})
    machine.write(before, file)
    assert machine.read(file) == before


def test_after_another_boot_nothing_is_put_back() -> None:
    # Would fail to write, were it tried: there is no such key.
    machine.restore(machine.Before("another boot", "unix:///s", own=True, sysctls={"kernel.no_such_key": "0"}))


@pytest.mark.parametrize("way", ["stock", "packages"])
def test_clusters_have_the_nodes_that_tests_know(way: str) -> None:
    text = (places.RECIPE / f"cluster-{way}.yaml").read_text().replace("REPOSITORY", images.REPOSITORY)
    cluster = yaml.safe_load(text)
    assert [node["role"] for node in cluster["nodes"]] == ["control-plane", "worker", "worker"]
    assert len(places.NODES) == len(cluster["nodes"])
    for patch in cluster.get("kubeadmConfigPatches", []):
        assert yaml.safe_load(patch)["kind"]
