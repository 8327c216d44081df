"""``vipa nexthops`` on a real API server: once, and followed."""

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.story import Story

Recorded = dict[str, list[dict[str, Any]]]
END_S: Final = 150.0


def hear_sigint() -> None:
    """Who runs these tests in the background may have SIGINT ignored, which children inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def following(story: Story, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on until it is told to end. One that says nothing does not keep the tests for ever."""
    watching = subprocess.Popen(
        story.command("nexthops", "erp", *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_sigint,  # noqa: PLW1509 - nothing of this process's threads is touched
    )
    patience = threading.Timer(END_S, watching.kill)
    patience.start()
    try:
        yield watching
    finally:
        patience.cancel()
        patience.join()
        watching.kill()
        watching.communicate()


def line(watching: subprocess.Popen[str]) -> str:
    """What it says next."""
    assert watching.stdout is not None
    return watching.stdout.readline()


def test_next_hops_are_followed(story: Story) -> None:
    done = story.vipa("nexthops", "erp")
    assert (done.returncode, done.stdout) == (0, "10.1.1.4\n10.1.1.5\n")
    assert story.vipa("nexthops", "web").returncode == 1
    with following(story, "--watch", "--format", "iproute2") as watching:
        assert "nexthop via 10.1.1.4" in line(watching)
        story.patch_status("erp", {"spares": 1})  # not about next hops: nothing is printed
        story.patch_status("erp", {"nextHops": ["10.1.1.6"]})
        assert line(watching) == "ip -4 route replace 10.1.1.7/32 nexthop via 10.1.1.6 weight 1\n"
        story.patch_status("erp", {"nextHops": []})
        assert line(watching) == "ip -4 route replace unreachable 10.1.1.7/32\n"
        watching.send_signal(signal.SIGINT)
        assert watching.wait(END_S) == 130


def test_a_watch_outlives_the_server_and_ends_with_its_object(frail_api: ApiServer, recorded: Recorded) -> None:
    story = Story(frail_api, {"VirtualIP": recorded["VirtualIP"][:1]})
    with following(story, "-w", "-o", "json") as watching:
        assert json.loads(line(watching))["nextHops"] == ["10.1.1.4", "10.1.1.5"]
        story.patch_status("erp", {"spares": 1})
        frail_api.restart()
        story.patch_status("erp", {"nextHops": ["10.1.1.6"]})
        assert json.loads(line(watching))["nextHops"] == ["10.1.1.6"]
        story.objects.delete("virtualips", "erp")
        said = watching.communicate(timeout=END_S)[1]
        assert watching.returncode == 2, said
        assert "there is no virtual IP erp" in said or "the virtual IP erp was deleted" in said
