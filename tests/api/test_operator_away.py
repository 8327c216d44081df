"""The operator ends, freezes, or is not alone; its API server goes away, forgets, or knows its types no longer."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.objects import ObjectError, Objects
from vipa_lab.kube.operatorprocess import OperatorProcess
from vipa_lab.kube.played import NODES, SOON_S, manifest, order, populate, settle, until, versions
from vipa_operator.election import LEASE_S

CRDS = Path(__file__).parents[2] / "crds"


def test_killed_and_started_again_it_writes_nothing_and_epochs_go_on(
    api: ApiServer, objects: Objects, tmp_path: Path
) -> None:
    with OperatorProcess(api.admin, tmp_path) as operator:
        populate(api)
        before = settle(objects)
        epoch = objects.get("virtualipnodes", "w1")["spec"]["epoch"]
        operator.kill()
        operator.start()
        until(operator.leads, "the operator leads again", LEASE_S + SOON_S)
        until(lambda: operator.metric('vipa_vips{state="Ready"}') == 1, "it has looked at everything")
        time.sleep(1.0)
        assert versions(objects) == before
        objects.patch("virtualips", "erp", {"spec": {"paused": True}})
        changed = objects.wait("virtualipnodes", "w1", lambda a: a["spec"]["epoch"] > epoch, SOON_S)
        assert changed["spec"]["assignments"][0]["paused"] is True


def test_what_changed_while_it_was_away_is_caught_up_with(api: ApiServer, objects: Objects, tmp_path: Path) -> None:
    with OperatorProcess(api.admin, tmp_path) as operator:
        populate(api)
        operator.kill()
        objects.delete("virtualips", "erp")
        objects.apply(manifest("VirtualIP", "web", {"addresses": ["10.1.1.8"]}))
        operator.start()
        objects.wait("virtualipnodes", "w1", lambda a: not order(a) and len(order(a, "web")) == 3, LEASE_S + SOON_S)


def test_two_replicas_never_both_write(api: ApiServer, objects: Objects, tmp_path: Path) -> None:
    with OperatorProcess(api.admin, tmp_path, "one") as one:
        until(one.leads, "the first leads")
        with OperatorProcess(api.admin, tmp_path, "two") as two:
            populate(api)
            assert not two.leads()
            assert two.metric("vipa_api_writes_total") == 0
            # Frozen, the leader loses the lease; thawed, it must not write although something is to be written.
            os.kill(one.pid, signal.SIGSTOP)
            until(two.leads, "the second leads when the first is frozen", LEASE_S + SOON_S)
            written = settle(objects)
            os.kill(one.pid, signal.SIGCONT)
            until(lambda: not one.leads(), "the first noticed")
            before = one.metric("vipa_api_writes_total")
            assert versions(objects) == written
            objects.patch("virtualips", "erp", {"spec": {"paused": True}})
            objects.wait("virtualipnodes", "w1", lambda a: a["spec"]["assignments"][0].get("paused"), SOON_S)
            settle(objects)
            assert one.metric("vipa_api_writes_total") == before
            # Asked to stop, the leader gives the lease back: nobody waits for it to run out.
            assert two.terminate() == 0
            until(one.leads, "the first leads again")
            objects.patch("virtualips", "erp", {"spec": {"paused": False}})
            objects.wait("virtualipnodes", "w1", lambda a: not a["spec"]["assignments"][0].get("paused"), SOON_S)


def test_an_object_deleted_while_the_watch_was_broken_is_no_ghost(frail_api: ApiServer, tmp_path: Path) -> None:
    objects = frail_api.objects
    with OperatorProcess(frail_api.admin, tmp_path) as operator:
        populate(frail_api)
        objects.apply(manifest("VirtualIP", "web", {"addresses": ["10.1.1.8"]}))
        objects.wait("virtualipnodes", "w1", lambda a: len(order(a, "web")) == 3, SOON_S)
        settle(objects)
        os.kill(operator.pid, signal.SIGSTOP)
        frail_api.restart()  # the operator's connections are gone before there is anything to tell
        objects.delete("virtualips", "erp")
        frail_api.restart()  # and the watch cache begins anew: where the operator's watches were is gone, 410
        os.kill(operator.pid, signal.SIGCONT)
        objects.wait("virtualipnodes", "w1", lambda a: order(a) == [] and len(order(a, "web")) == 3, 180.0)
        assert "gone without a word from the watch" in operator.log.read_text()


def test_a_crd_deleted_and_applied_again_leaves_it_not_deaf(frail_api: ApiServer, tmp_path: Path) -> None:
    objects, kubectl = frail_api.objects, frail_api.kubectl

    def apply_crds() -> None:
        kubectl.run("apply", "--server-side", "-f", str(CRDS))

    def applied() -> bool:
        entries = [{"address": NODES["w2"]}]
        with suppress(ObjectError):  # the API server takes a moment to serve the kind again
            objects.apply(manifest("PreferredInterfaceList", "office", {"interfaces": entries}))
            return True
        return False

    with OperatorProcess(frail_api.admin, tmp_path) as operator:
        populate(frail_api)
        try:
            kubectl.run("delete", "crd", "preferredinterfacelists.vipa.dev", timeout_s=SOON_S)
            until(lambda: not operator.running, "it ends when a watch is over for good")
            assert "no watch of preferredinterfacelists any more" in operator.log.read_text()
            assert order(objects.get("virtualipnodes", "w1")) == ["w1", "w2", "w3"]
            operator.start()  # as the kubelet does
        finally:
            apply_crds()
        until(applied, "the list is there again")
        objects.wait("virtualipnodes", "w1", lambda a: order(a)[:1] == ["w2"], SOON_S)
