"""API server, operator, agents and clients, all real: what people do with kubectl, seen from the LAN."""

import re
import subprocess
import sys
import time
from pathlib import Path

from vipa_lab.kube.accounts import add_node
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.wholecluster import CONVERGE_S, WholeCluster
from vipa_lab.lab import Lab
from vipa_lab.manifests import preferred_list, virtual_ip

# Between a change and everything that follows from it: before the operator saw it, while it writes, while agents move.
KILLED_AFTER_S = (0.0, 0.02, 0.08, 0.3)
VIPA = Path(sys.executable).parent / "vipa"
# Promised: two seconds from kubectl apply to Ready; two cores may be busy with anything else.
READY_S_MAX = 20.0
# Times to apply until one was that fast: a machine may stand still once.
TRIES = 3


def vipa(cluster: WholeCluster, *words: str) -> str:
    done = subprocess.run(
        [VIPA, *words, "--kubeconfig", cluster.api.admin],
        capture_output=True,
        text=True,
        timeout=CONVERGE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def gated(cluster: WholeCluster, name: str) -> bool:
    """Whether anything in a machine's nftables names the address."""
    return re.search(rf"\b{re.escape(cluster.vip)}\b", cluster.node(name).run(["nft", "list", "ruleset"])) is not None


def test_from_apply_to_delete(lab: Lab, api: ApiServer, tmp_path: Path) -> None:
    with WholeCluster(lab, api, tmp_path, timing="Default", stack="dual") as cluster:
        ready_s = [cluster.start_whole()]
        while ready_s[-1] >= READY_S_MAX and len(ready_s) < TRIES:
            cluster.api.objects.delete("virtualips", "erp")
            cluster.wait(lambda: not cluster.answerer(), "nobody answers", CONVERGE_S)
            ready_s.append(cluster.apply_until_ready())
        sys.stdout.write(f"\nkubectl apply to Ready: {', '.join(f'{s:.2f} s' for s in ready_s)}\n")
        assert ready_s[-1] < READY_S_MAX
        cluster.wait_holder("w1/eth1")

        def told() -> tuple[list[str], list[str], str]:
            status = cluster.vip_object()["status"]
            reasons = [each["reason"] for each in status["succession"][1:]]
            return status.get("nextHops", []), reasons, cluster.condition("Redundant")["status"]

        # Next hops: only the machine that has it bound. What spares say comes a second later than what the holder says.
        hops = [hop for nic in cluster.node("w1").nics.values() for hop in (nic.address, nic.address6)]
        wanted = (hops, ["LowerInList", "LowerInList"], "True")
        cluster.wait(lambda: told() == wanted, f"the status says {wanted}", CONVERGE_S)

        probes = [cluster.datagrams(address) for address in cluster.vips]
        for probe in probes:
            cluster.wait_answered(probe)
        cluster.write("list.yaml", preferred_list("10.1.1.6", "10.1.1.4", "10.1.1.5"))
        cluster.apply()
        cluster.wait_holder("w2/eth1")
        for probe in probes:
            cluster.wait_answered(probe)
            cluster.check_lossless(probe.stop())

        assert all(gated(cluster, name) for name in ("w1", "w2"))
        cluster.api.objects.delete("virtualips", "erp")
        for name in ("w1", "w2"):
            cluster.wait(lambda name=name: cluster.bound_on(name) == [], f"nothing is bound on {name}", CONVERGE_S)  # type: ignore[misc]
            cluster.wait(lambda name=name: not gated(cluster, name), f"no rule on {name} names it", CONVERGE_S)  # type: ignore[misc]
            cluster.wait(lambda name=name: cluster.status(name)["vips"] == [], f"{name} knows of none", CONVERGE_S)  # type: ignore[misc]


def test_moves_and_drains_lose_nothing(lab: Lab, api: ApiServer, tmp_path: Path) -> None:
    with WholeCluster(lab, api, tmp_path, failback="{policy: Never}") as cluster:
        cluster.start_whole()
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        vipa(cluster, "move", "erp", "--to", "w2")
        cluster.wait_holder("w2/eth1")
        vipa(cluster, "drain", "w2")
        cluster.wait_holder("w1/eth1")
        cluster.wait_answered(probe)
        cluster.check_lossless(probe.stop())
        assert cluster.served() == ["w1/eth1", "w2/eth1", "w1/eth1"]

        def said() -> str:
            events = cluster.api.objects.list("events", "default")
            return " ".join(each["message"] for each in events if each["involvedObject"]["name"] == "erp")

        cluster.wait(lambda: "w2/eth1" in said(), "an Event that tells of it", CONVERGE_S)


def test_without_the_operator_nothing_moves_and_failover_goes_on(lab: Lab, api: ApiServer, tmp_path: Path) -> None:
    with WholeCluster(lab, api, tmp_path, failback="{policy: Never}") as cluster:
        cluster.start_whole()
        cluster.operator.kill()
        cluster.hold("w1/eth1", 2.0)
        cluster.nic("w1/eth1").port.down()
        cluster.wait_serves("w1/eth2")
        cluster.power_off("w1")
        cluster.wait_serves("w2/eth1")
        cluster.operator.start()
        cluster.wait_holder("w2/eth1")
        assert cluster.condition("Ready")["status"] == "True"
        assert cluster.served() == ["w1/eth1", "w1/eth2", "w2/eth1"]


def a_second_virtual_ip_and_a_third_node(cluster: WholeCluster) -> None:
    """And one whose address is taken, which is refused."""
    add_node(cluster.api, "w3")
    cluster.write("pos.yaml", virtual_ip("pos", "10.1.1.8"))
    cluster.write("twice.yaml", virtual_ip("twice", "10.1.1.7"))
    cluster.apply()
    pos = cluster.datagrams("10.1.1.8")
    cluster.wait_client(pos, "w1")
    pos.stop()
    refused = cluster.api.objects.wait(
        "virtualips",
        "twice",
        lambda o: any(
            c["type"] == "Accepted" and c["status"] == "False" for c in o.get("status", {}).get("conditions", [])
        ),
        CONVERGE_S,
    )
    assert "erp" in str(refused["status"]["conditions"])


def test_more_objects_and_a_deleted_virtualipnode_disturb_nobody(lab: Lab, api: ApiServer, tmp_path: Path) -> None:
    with WholeCluster(lab, api, tmp_path) as cluster:
        cluster.start_whole()
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        a_second_virtual_ip_and_a_third_node(cluster)
        before = {name: cluster.node_object(name) for name in ("w1", "w2")}

        def back(name: str) -> bool:
            found = api.objects.find("virtualipnodes", name)
            return (
                found is not None
                and found["metadata"]["uid"] != before[name]["metadata"]["uid"]
                and found["spec"].get("assignments") == before[name]["spec"]["assignments"]
                and found.get("status", {}).get("epoch") == found["spec"]["epoch"] > before[name]["spec"]["epoch"]
            )

        api.objects.delete("virtualipnodes", "w1")
        cluster.wait(lambda: back("w1"), "w1 is told its share again", CONVERGE_S)
        # All of them, and an operator that was not there when it happened.
        before = {name: cluster.node_object(name) for name in ("w1", "w2")}
        cluster.operator.kill()
        for name in before:
            api.objects.delete("virtualipnodes", name)
        cluster.operator.start()
        for name in before:
            cluster.wait(lambda name=name: back(name), f"{name} is told its share again", CONVERGE_S)  # type: ignore[misc]
        cluster.wait_holder("w1/eth1")
        cluster.hold("w1/eth1", 2.0)
        cluster.wait_answered(probe)
        cluster.check_lossless(probe.stop())
        assert cluster.served() == ["w1/eth1"]
        assert cluster.condition("Ready")["status"] == "True"


def change(cluster: WholeCluster, path: str, body: dict[str, object]) -> None:
    """A merge patch, in milliseconds: kubectl would take longer than what it is to interrupt."""
    status, answer = cluster.api.rest.ask(
        "PATCH", f"/apis/vipa.dev/v1alpha1/{path}", body, "application/merge-patch+json"
    )
    assert status == 200, answer


def test_an_operator_killed_at_any_moment_of_a_change_costs_nothing(lab: Lab, api: ApiServer, tmp_path: Path) -> None:
    with WholeCluster(lab, api, tmp_path, failback="{policy: Immediate}") as cluster:
        cluster.start_whole()
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        lists = api.objects.list("preferredinterfacelists")
        path = f"preferredinterfacelists/{lists[0]['metadata']['name']}"
        served = ["w1/eth1"]

        def killed(after_s: float, to: str) -> None:
            time.sleep(after_s)
            cluster.operator.kill()
            cluster.operator.start()
            cluster.wait_holder(f"{to}/eth1")
            served.append(f"{to}/eth1")

        def moved() -> bool:
            return "vipa.dev/move-to" not in cluster.vip_object()["metadata"].get("annotations", {})

        for after_s in KILLED_AFTER_S[::2]:  # reordered: one write less than a request
            to, other = ("w2", "w1") if served[-1] == "w1/eth1" else ("w1", "w2")
            order = [{"node": to, "interface": "eth1"}, {"node": other, "interface": "eth1"}]
            change(cluster, path, {"spec": {"interfaces": order}})
            killed(after_s, to)
        for after_s in KILLED_AFTER_S:  # moved
            to = "w2" if served[-1] == "w1/eth1" else "w1"
            change(cluster, "virtualips/erp", {"metadata": {"annotations": {"vipa.dev/move-to": to}}})
            killed(after_s, to)
            cluster.wait(moved, "the request is removed", CONVERGE_S)
        cluster.wait_answered(probe)
        cluster.check_lossless(probe.stop())
        assert cluster.served() == served
