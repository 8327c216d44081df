"""The cluster commands that change something, on a real API server; the test answers as an operator would."""

import copy
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from vipa_lab.kube.story import PATHS, Story

Recorded = dict[str, list[dict[str, Any]]]
ASKED_S: Final = 60.0


@contextmanager
def operator(story: Story, answer: Callable[[str], None]) -> Iterator[None]:
    """Calls ``answer`` with what the annotation asks for, once, as soon as it is there."""

    def watch() -> None:
        deadline = time.monotonic() + ASKED_S
        while time.monotonic() < deadline:
            annotations = story.vip()["metadata"].get("annotations") or {}
            if to := annotations.get("vipa.dev/move-to"):
                answer(to)
                done = {"metadata": {"annotations": {"vipa.dev/move-to": None}}}
                story.change("PATCH", f"{PATHS['VirtualIP']}/erp", done)
                return
            time.sleep(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_a_move_is_asked_for(story: Story) -> None:
    done = story.vipa("move", "erp", "--to", "w2/eth1")
    assert (done.returncode, "asked for: erp to w2/eth1" in done.stdout) == (0, True), done.stderr
    assert story.vip()["metadata"]["annotations"] == {"vipa.dev/move-to": "w2/eth1"}
    shown = story.vipa("move", "web", "--to", "w2")
    assert (shown.returncode, "LinkDown" in shown.stderr) == (1, True)
    assert "annotations" not in story.vip("web")["metadata"]
    assert story.vipa("move", "erp", "--to", "w9").returncode == 2


def test_a_move_is_waited_for(story: Story) -> None:
    def move(to: str) -> None:
        node, _, interface = to.partition("/")
        story.patch_status("erp", {"holder": {"node": node, "interface": interface, "endpoint": to}})

    with operator(story, move):
        done = story.vipa("move", "erp", "--to", "w2/eth1", "--wait")
    assert (done.returncode, done.stdout) == (0, "erp is served by w2/eth1\n"), done.stderr


def test_a_move_that_was_refused_says_why(story: Story, recorded: Recorded) -> None:
    def refuse(to: str) -> None:
        event = copy.deepcopy(recorded["Event"][1])
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event |= {"message": f"{to} did not take it", "reason": "MoveTimedOut", "lastTimestamp": now}
        event["metadata"]["name"] = "erp.3"
        story.create("Event", event)

    with operator(story, refuse):
        done = story.vipa("move", "erp", "--to", "w2", "--wait", "-o", "json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"]) == (1, False)
    assert document["message"] == "erp was not moved: w2 did not take it"


def test_a_move_that_nobody_takes_up(story: Story) -> None:
    story.change("DELETE", f"{PATHS['Event']}/erp.2")
    done = story.vipa("move", "erp", "--to", "w2", "--wait", "--timeout", "1")
    assert (done.returncode, "does the operator run?" in done.stderr) == (1, True), done.stderr


def test_drain_and_undo(story: Story) -> None:
    done = story.vipa("drain", "w1")
    assert (done.returncode, done.stdout) == (0, "w1 is drained; it hands over erp\n"), done.stderr
    assert story.objects.get("nodes", "w1")["metadata"]["annotations"]["vipa.dev/drain"] == "true"
    stuck = story.vipa("drain", "w1", "--wait", "--timeout", "1")
    assert (stuck.returncode, "w1 still holds after 1 s: erp (see" in stuck.stderr) == (1, True), stuck.stderr
    story.patch_status("erp", {"holder": {"node": "w2", "interface": "eth1", "endpoint": "w2/eth1"}})
    assert story.vipa("drain", "w1", "--wait", "--timeout", "1").returncode == 1  # its agent still says so
    story.change("PATCH", f"{PATHS['VirtualIPNode']}/w1/status", {"status": {"held": []}})
    drained = story.vipa("drain", "w1", "--wait")
    assert (drained.returncode, drained.stdout) == (0, "w1 is drained and holds nothing\n"), drained.stderr
    assert story.vipa("drain", "w1", "--undo").returncode == 0
    assert "vipa.dev/drain" not in story.objects.get("nodes", "w1")["metadata"].get("annotations", {})


def test_undo_tells_what_else_keeps_a_node_out(story: Story) -> None:
    story.objects.patch("nodes", "w3", {"metadata": {"labels": {"vipa.dev/exclude": "true"}}})
    done = story.vipa("drain", "w3", "--undo")
    assert (done.returncode, "still excluded (label vipa.dev/exclude)" in done.stderr) == (1, True), done.stderr
