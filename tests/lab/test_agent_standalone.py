"""Two machines set up as docs/standalone.md has it: the unit's command line and rights, notify hooks, keys rotated."""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

from vipa.timing import PROFILES, Timing
from vipa_lab.cluster import WAIT_S, Cluster
from vipa_lab.lab import Lab
from vipa_lab.systemd import UNIT, Unit

SECRETS = {name: f"{name}:{name * 20}\n" for name in ("k1", "k2")}
ROTATION = (("k1", "k2"), ("k2", "k1"), ("k2",))
TIMEOUT_S = 60
"""Of hooks: one that hangs hangs for the whole test."""
STOP_S_MAX = 6.0  # SIGTERM is answered within 3 s; twice that is allowed to a machine that does ten other things
TAKEOVER_S_MAX = TIMEOUT_S / 4
"""Calm takes over within 1.2 s. Whatever a busy machine adds, it stays far from what a hook could have added."""

_AS_IN_THE_UNIT = (
    "import sys; from vipa_lab.systemd import confine; confine(); import os; os.execv(sys.argv[1], sys.argv[1:])"
)


class Machines:
    """w1 and w2, each with its own key file, hooks and service manager."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.unit = Unit(UNIT)
        self.folders = {name: cluster.lab.work_dir / f"etc-{name}" for name in ("w1", "w2")}
        self.managers: dict[str, socket.socket] = {}
        for name, folder in self.folders.items():
            folder.mkdir()
            (folder / "manifests").symlink_to(cluster.manifests)
            self.write_keys(name, "k1")
            self._hook(folder / "writes", f'cat >>{folder}/told; echo "$@" >>{folder}/words')
            self._hook(folder / "hangs", f"echo $$ >>{folder}/hanging; sleep 1000")
            self.managers[name] = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            self.managers[name].bind(str(folder / "notify"))

    @staticmethod
    def _hook(path: Path, lines: str) -> None:
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)

    def write_keys(self, name: str, *ids: str) -> None:
        """In one step, as editors and Secrets do it."""
        passing = self.folders[name] / ".key"
        passing.write_text("".join(SECRETS[key] for key in ids))
        passing.rename(self.folders[name] / "key")

    def start(self, name: str) -> None:
        """As systemd would by the unit and an agent.env with two hooks."""
        folder, node = self.folders[name], self.cluster.node(name)
        hooks = f"--notify {folder}/hangs --notify {folder}/writes --notify-timeout {TIMEOUT_S}"
        paths = {"%H": name, "/etc/vipa": str(folder), "/run/vipa": str(node.state_dir)}
        _, *words = self.unit.command(paths, hooks)
        capabilities = [each.removeprefix("CAP_").lower() for each in self.unit["CapabilityBoundingSet"].split()]
        self.cluster.keep(
            name,
            node.start(
                [sys.executable, "-c", _AS_IN_THE_UNIT, sys.executable, "-m", "vipa_agent.main", *words],
                "agent",
                capabilities=capabilities,
                env={"NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "2000000"},
            ),
        )

    def close(self) -> None:
        """Give the sockets back."""
        for manager in self.managers.values():
            manager.close()

    def said(self, name: str) -> set[str]:
        """What the agent has told its service manager since asked last."""
        found = set()
        while True:
            try:
                found.add(self.managers[name].recv(1000).decode())
            except BlockingIOError:
                return found

    def told(self, name: str) -> list[tuple[str, str]]:
        """(role, reason) of every event that the well-behaved hook was given."""
        path = self.folders[name] / "told"
        text = path.read_text() if path.exists() else ""
        events = [json.loads(line) for line in text.replace("}{", "}\n{").splitlines()]
        return [(event["to"], event["reason"]) for event in events]

    def refused(self) -> dict[str, int]:
        """Heartbeats refused for their key, by either."""
        of = [self.cluster.status(name)["heartbeats"] for name in ("w1", "w2")]
        return {word: sum(each.get(word, 0) for each in of) for word in ("key", "cluster", "forged")}


def test_as_in_the_unit_with_hooks_that_hang_and_keys_that_change(lab: Lab) -> None:
    with Cluster(lab) as cluster:
        machines = Machines(cluster)
        for name in ("w1", "w2"):
            machines.start(name)
        cluster.wait_peers()
        cluster.wait_serves("w1/eth1")
        the_service_manager_hears_of_it(machines)
        keys_are_rotated_under_traffic(machines)
        a_hanging_hook_adds_nothing_to_a_failover(machines)
        nor_to_a_shutdown(machines)
        machines.close()


def the_service_manager_hears_of_it(machines: Machines) -> None:
    for name in ("w1", "w2"):
        heard: set[str] = set()

        def told(name: str = name, heard: set[str] = heard) -> bool:
            heard |= machines.said(name)
            return {"READY=1", "WATCHDOG=1"} <= heard

        machines.cluster.wait(told, f"{name} is ready and alive")


def keys_are_rotated_under_traffic(machines: Machines) -> None:
    cluster = machines.cluster
    probe = cluster.datagrams()
    cluster.wait_answered(probe)
    before, moves = cluster.status("w1")["heartbeats"]["accepted"], [cluster.moves(name) for name in ("w1", "w2")]
    for keys in ROTATION:
        for name in ("w1", "w2"):
            machines.write_keys(name, *keys)
            taken = {"signs": keys[0], "accepted": list(keys)}
            cluster.wait(lambda n=name, t=taken: cluster.status(n)["agent"]["keys"] == t, f"{name} takes {taken}")  # type: ignore[misc]
            cluster.hold("w1/eth1", PROFILES[Timing.CALM].silence_s)  # one has read it and the other has not
    assert cluster.status("w1")["heartbeats"]["accepted"] > before
    assert machines.refused() == {"key": 0, "cluster": 0, "forged": 0}
    assert [cluster.moves(name) for name in ("w1", "w2")] == moves
    cluster.check_lossless(probe.stop())


def a_hanging_hook_adds_nothing_to_a_failover(machines: Machines) -> None:
    cluster = machines.cluster
    hanging = machines.folders["w2"] / "hanging"
    cluster.wait(hanging.exists, "the hook of w2 hangs, since it was told of a spare")
    assert machines.told("w1")[-1][0] == "Holder"
    assert machines.told("w2")[-1][0] == "Spare"
    began_s = time.monotonic()
    cluster.power_off("w1")
    cluster.wait_serves("w2/eth1")
    assert time.monotonic() - began_s < TAKEOVER_S_MAX
    cluster.wait(lambda: machines.told("w2")[-1] == ("Holder", "HolderSilent"), "the other hook of w2 is told")
    words = machines.folders["w2"] / "words"
    expected = "INSTANCE erp BACKUP 252\nINSTANCE erp MASTER 252\n"
    cluster.wait(lambda: words.read_text().endswith(expected), f"with the words {expected}")


def nor_to_a_shutdown(machines: Machines) -> None:
    cluster = machines.cluster
    agent = cluster.agents["w2"]
    inside = cluster.node("w2").namespace.pids()
    began_s = time.monotonic()
    os.kill(agent.pid, signal.SIGTERM)  # the main process alone, as KillMode=mixed
    assert agent.wait(WAIT_S) == 0
    assert time.monotonic() - began_s < STOP_S_MAX
    starved = f"{machines.folders['w2']}/writes result=" in agent.output()  # no processor for it in two seconds
    assert starved or machines.told("w2")[-1] == ("Idle", "Shutdown")
    assert cluster.leftovers("w2") == []
    left = set(cluster.node("w2").namespace.pids())
    assert len(inside) > len(left)
    cluster.wait(lambda: not _running("sleep", cluster), "the hanging hook is gone with its agent")


def _running(program: str, cluster: Cluster) -> bool:
    return any(_command(pid).startswith(program) for pid in cluster.node("w2").namespace.pids())


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
