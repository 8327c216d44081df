"""The API server is away: nothing moves, a dead machine is taken over as ever, and afterwards the status is true."""

import time
from pathlib import Path

from vipa.timing import PROFILES, Timing, claim_delay_s
from vipa_lab.cluster import WAIT_S
from vipa_lab.kube.apicluster import ApiCluster
from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.objects import Object
from vipa_lab.kube.wholecluster import CONVERGE_S, WholeCluster
from vipa_lab.lab import Lab
from vipa_lab.manifests import virtual_ip
from vipa_operator.election import LEASE_S

CALM = PROFILES[Timing.CALM]
OUTAGE_S = LEASE_S + 5.0
"""Longer than any operator leads without an API server."""
TRUE_S = 5.0
# What a busy machine adds to a figure.
SLACK_S = 15.0


def shares(api: ApiServer) -> dict[str, Object]:
    """What the agents are told."""
    return {each["metadata"]["name"]: each["spec"] for each in api.objects.list("virtualipnodes")}


def test_the_api_is_away_until_nobody_leads_and_a_machine_dies(frail_api: ApiServer, lab: Lab, tmp_path: Path) -> None:
    api = frail_api
    with WholeCluster(lab, api, tmp_path) as cluster:
        cluster.start_whole()
        cluster.wait_status(lambda: cluster.reported_holders() == ["w1"], "the holder in the API")
        told = shares(api)
        stopped_s = time.monotonic()
        api.stop()
        cluster.hold("w1/eth1", OUTAGE_S / 3)
        off_s = time.monotonic()
        cluster.power_off("w1")
        taken_s = cluster.wait_serves("w2/eth1")
        assert taken_s - off_s < CALM.silence_s + CALM.interval_s + claim_delay_s(CALM, 1) + SLACK_S
        cluster.wait(lambda: not cluster.operator.leads(), "without an API server nobody leads", CONVERGE_S)
        cluster.hold("w2/eth1", max(0.0, stopped_s + OUTAGE_S - time.monotonic()))
        api.start()
        back_s = time.monotonic()
        cluster.wait_status(lambda: "w2" in cluster.reported_holders(), "the agent's status is true", CONVERGE_S)
        cluster.wait_status(lambda: cluster.holder() == "w2/eth1", "the virtual IP's status is true", CONVERGE_S)
        took_s = time.monotonic() - back_s
        assert took_s <= TRUE_S + SLACK_S, f"true after {took_s:.1f} s"
        assert cluster.operator.leads()
        assert shares(api) == told, "who leads again tells nobody what he knows"
        cluster.write("pos.yaml", virtual_ip("pos", "10.1.1.8"))
        cluster.apply()
        pos = cluster.datagrams("10.1.1.8")
        cluster.wait_client(pos, "w2")
        pos.stop()


def test_an_agent_that_starts_while_the_api_is_away_serves(frail_api: ApiServer, lab: Lab) -> None:
    api = frail_api
    with ApiCluster(lab, api) as cluster:
        cluster.start_assigned()
        api.stop()
        assert cluster.agents["w1"].terminate(WAIT_S) == 0
        cluster.wait_serves("w2/eth1")
        cluster.start("w1")
        cluster.wait_serves("w1/eth1")
        assert cluster.status("w1")["epoch"] == cluster.epoch
        for relay in cluster.relays.values():
            relay.pause()  # away in silence this time: connections are taken, and dead
        cluster.agents["w2"].kill()
        cluster.start("w2")
        cluster.wait_peers()
        cluster.power_off("w1")
        cluster.wait_serves("w2/eth1")
        api.start()
        cluster.relays["w2"].resume()
        cluster.wait_status(lambda: "w2" in cluster.reported_holders(), "the status is true", WAIT_S)
