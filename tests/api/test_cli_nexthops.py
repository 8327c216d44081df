"""``vipa nexthops`` on a real API server: once, and followed."""

import json
import signal
import subprocess
from typing import Any, Final

from vipa_lab.kube.apiserver import ApiServer
from vipa_lab.kube.story import Story

Recorded = dict[str, list[dict[str, Any]]]
END_S: Final = 90.0


def hear_sigint() -> None:
    """Who runs these tests in the background may have SIGINT ignored, which children inherit."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_next_hops_are_followed(story: Story) -> None:
    done = story.vipa("nexthops", "erp")
    assert (done.returncode, done.stdout) == (0, "10.1.1.4\n10.1.1.5\n")
    assert story.vipa("nexthops", "web").returncode == 1
    watching = subprocess.Popen(
        story.command("nexthops", "erp", "--watch", "--format", "iproute2"),
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=hear_sigint,  # noqa: PLW1509 - nothing of this process's threads is touched
    )
    try:
        assert watching.stdout is not None
        assert "nexthop via 10.1.1.4" in watching.stdout.readline()
        story.patch_status("erp", {"spares": 1})  # not about next hops: nothing is printed
        story.patch_status("erp", {"nextHops": ["10.1.1.6"]})
        assert watching.stdout.readline() == "ip -4 route replace 10.1.1.7/32 nexthop via 10.1.1.6 weight 1\n"
        story.patch_status("erp", {"nextHops": []})
        assert watching.stdout.readline() == "ip -4 route replace unreachable 10.1.1.7/32\n"
        watching.send_signal(signal.SIGINT)
        assert watching.wait(END_S) == 130
    finally:
        watching.kill()
        watching.communicate()


def test_a_watch_outlives_the_server_and_ends_with_its_object(frail_api: ApiServer, recorded: Recorded) -> None:
    story = Story(frail_api, {"VirtualIP": recorded["VirtualIP"][:1]})
    watching = subprocess.Popen(
        story.command("nexthops", "erp", "-w", "-o", "json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["nextHops"] == ["10.1.1.4", "10.1.1.5"]
        story.patch_status("erp", {"spares": 1})
        frail_api.restart()
        story.patch_status("erp", {"nextHops": ["10.1.1.6"]})
        assert json.loads(watching.stdout.readline())["nextHops"] == ["10.1.1.6"]
        story.objects.delete("virtualips", "erp")
        said = watching.communicate(timeout=END_S)[1]
        assert watching.returncode == 2, said
        assert "there is no virtual IP erp" in said or "the virtual IP erp was deleted" in said
    finally:
        watching.kill()
        watching.communicate()
