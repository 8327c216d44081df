"""Health checks: the virtual IP follows the program behind it, and nothing is lost on the way."""

import time

from vipa_lab.cluster import Cluster
from vipa_lab.echo_server import READY
from vipa_lab.fleet import START_S
from vipa_lab.lab import Lab
from vipa_lab.process import Process

PORT = 8080
DELAY_S = 1.0
CHECKS = f"[{{tcp: {{port: {PORT}}}, interval: 200ms, timeout: 10s, fall: 2}}]"
STAYS_S = 1.5
"""Long enough to hand over ten times at Calm, were anybody to hand over."""


def program(cluster: Cluster, name: str) -> Process:
    """What is checked. The probe's datagrams are answered by another one, so only a move could lose them."""
    started = cluster.node(name).start_echo(PORT)
    started.wait_output(READY, START_S)
    return started


def wait_failing(cluster: Cluster, name: str, role: str) -> None:
    def failing() -> bool:
        said = cluster.erp(name)
        return said.get("role") == role and said.get("failing") == [f"tcp {PORT}: connection refused"]

    cluster.wait(failing, f"{name} is {role} and says that its check fails")


def test_the_address_follows_the_program_and_stays_where_none_runs(lab: Lab) -> None:
    with Cluster(lab, failback=f"{{policy: Delayed, delay: {DELAY_S:g}s}}", checks=CHECKS) as cluster:
        first, second = (program(cluster, name) for name in ("w1", "w2"))
        cluster.start_both()
        probe = cluster.datagrams()
        cluster.wait_answered(probe)

        first.kill()
        cluster.wait_serves("w2/eth1")
        wait_failing(cluster, "w1", "Excluded")
        assert cluster.erp("w1")["reason"] == "HealthCheckFailed"
        assert cluster.moves("w2") == ["HealthCheckFailed"]
        seen_by_other = cluster.erp("w2")["succession"]
        assert [(c["healthy"], c["reason"]) for c in seen_by_other if c["node"] == "w1"] == [
            (False, "HealthCheckFailed")
        ] * 2

        back_s = time.monotonic()
        first = program(cluster, "w1")
        assert cluster.wait_serves("w1/eth1") - back_s >= DELAY_S

        second.kill()
        wait_failing(cluster, "w2", "Excluded")
        first.kill()
        wait_failing(cluster, "w1", "Holder")
        cluster.hold("w1/eth1", STAYS_S)

        second = program(cluster, "w2")
        cluster.wait_serves("w2/eth1")
        cluster.wait_client(probe, "w2")
        result = probe.stop()
        cluster.check_lossless(result)
        assert [segment.node for segment in result.segments] == ["w1", "w2", "w1", "w2"]
        assert cluster.served() == ["w1/eth1", "w2/eth1", "w1/eth1", "w2/eth1"]
