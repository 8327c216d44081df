"""The program's manners: what it refuses, what it says, how it goes, and what it leaves behind."""

import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from vipa_lab.cluster import Cluster
from vipa_lab.lab import Lab
from vipa_lab.process import Process

# SIGTERM is answered within 3 s (docs: promises); twice that is allowed to a machine that does ten other things.
STOP_S_MAX = 6.0


def run_agent(cluster: Cluster, node: str, *words: str) -> tuple[int, str]:
    """Exit code and output of one command of the agent's program on a machine."""
    process: Process = cluster.node(node).start([sys.executable, "-m", "vipa_agent.main", *words], "command")
    code = process.wait(30)
    return code, process.output()


def test_a_stopped_agent_hands_over_and_leaves_nothing(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        assert cluster.leftovers("w1") != []
        probe = cluster.datagrams()
        cluster.wait_answered(probe)
        asked_s = time.monotonic()
        assert cluster.agents["w1"].terminate(30) == 0
        assert time.monotonic() - asked_s < STOP_S_MAX
        assert cluster.leftovers("w1") == []
        cluster.wait_serves("w2/eth1")
        cluster.wait_answered(probe)
        result = probe.stop()
        cluster.check_lossless(result)
        assert [segment.node for segment in result.segments] == ["w1", "w2"]
        assert cluster.agents["w2"].terminate(30) == 0  # nobody is left to take over
        assert cluster.leftovers("w2") == []


def test_both_agents_stopped_at_once_end_and_leave_nothing(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        cluster.start_both()
        with ThreadPoolExecutor() as pool:
            assert list(pool.map(lambda agent: agent.terminate(30), cluster.agents.values())) == [0, 0]
        assert [cluster.leftovers(node) for node in ("w1", "w2")] == [[], []]


def machine_state(cluster: Cluster, node: str) -> dict[str, str]:
    """All that an agent may touch, as people would look at it."""
    looks = ["nft list ruleset", "ip rule", "ip -4 route show table all", "ip -4 -o addr"]
    looks += [f"cat /proc/sys/net/ipv4/conf/{nic}/src_valid_mark" for nic in cluster.node(node).nics]
    # a permit's remaining life is another every millisecond
    return {look: re.sub(r" expires \w+", "", cluster.node(node).run(look.split())) for look in looks}


def test_what_a_killed_agent_left_is_cleaned_up(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        before = machine_state(cluster, "w1")
        cluster.start("w1")
        cluster.wait_serves("w1/eth1")
        during = machine_state(cluster, "w1")
        assert all(during[look] != before[look] for look in before), "the comparison below can fail"
        state_dir = cluster.node("w1").state_dir
        code, said = run_agent(cluster, "w1", "cleanup")
        assert code == 1, "an agent serves, be it with another state dir"
        assert "stop it first" in said
        assert "Nothing was touched" in said
        assert machine_state(cluster, "w1") == during
        cluster.agents["w1"].kill()
        assert run_agent(cluster, "w1", "cleanup", "--state-dir", str(state_dir)) == (0, "")
        assert machine_state(cluster, "w1") == before
        assert not state_dir.exists()
        assert run_agent(cluster, "w1", "cleanup") == (0, ""), "nothing to do is good too"
        assert run_agent(cluster, "w1", "cleanup", "--nonsense")[0] == 2


def test_status_for_people_and_programs(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        state = ["--state-dir", str(cluster.node("w1").state_dir)]
        code, words = run_agent(cluster, "w1", "status", *state)
        assert code == 3
        assert words.startswith("vipa-agent: no vipa-agent runs with state dir")
        cluster.start_both()
        code, words = run_agent(cluster, "w1", "status", *state)
        assert code == 0
        assert "erp 10.1.1.7: Holder on eth1 (TopOfList)" in words
        assert "eth1 10.1.1.4/24: Healthy" in words
        assert "(the first signs)" in words
        code, words = run_agent(cluster, "w1", "status", *state, "-o", "json")
        document = json.loads(words)
        assert (code, document["node"], document["epoch"]) == (0, "w1", 0)
        (vip,) = document["vips"]
        assert {key: vip[key] for key in ("name", "addresses", "role", "interface", "reason")} == {
            "name": "erp",
            "addresses": ["10.1.1.7"],
            "role": "Holder",
            "interface": "eth1",
            "reason": "TopOfList",
        }
        assert [(each["name"], each["healthy"]) for each in document["interfaces"]] == [("eth1", True), ("eth2", True)]
        (peer,) = document["peers"]
        assert peer["node"] == "w2"
        assert {path["state"] for path in peer["paths"]} == {"Up"}
        assert cluster.erp("w2")["role"] == "Spare"
        assert cluster.erp("w2")["holder"] == "w1"
        before = machine_state(cluster, "w1")
        other = ["--state-dir", str(cluster.node("w1").run_dir / "other"), "--insecure"]
        code, words = run_agent(cluster, "w1", "--node", "w1", "--manifests", str(cluster.manifests), *other)
        assert code == 2, "a second agent with a state dir of its own would take the tables away"
        assert "there can be only one" in words
        assert machine_state(cluster, "w1") == before


REFUSALS = (
    ((), "heartbeats need a key: give --key-file F"),
    (("--key-file", "/nowhere/key"), "cannot read /nowhere/key: No such file or directory"),
    (("--key-file", "/dev/null"), "no key in it; write one line with a secret"),
    (("--insecure", "--key-file", "/dev/null"), "--key-file and --insecure exclude each other"),
    (("--insecure", "--port", "0"), "--port: 0 is not a UDP port"),
)


def test_an_agent_that_is_told_nonsense_says_so_and_touches_nothing(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        state = ["--state-dir", str(cluster.node("w1").state_dir)]
        for words, message in REFUSALS:
            code, said = run_agent(cluster, "w1", "--node", "w1", "--manifests", str(cluster.manifests), *state, *words)
            assert code == 2, said
            assert message in said
            assert "Traceback" not in said
            assert cluster.leftovers("w1") == []
