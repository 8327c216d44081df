"""Programs on lab machines: rights, freezing, ending."""

import time
from pathlib import Path

import pytest

from vipa_lab.errors import LabError
from vipa_lab.host import Host
from vipa_lab.lab import Lab
from vipa_lab.process import AGENT_CAPABILITIES, Process, is_stopped
from vipa_lab.until import until


@pytest.fixture
def host(lab: Lab) -> Host:
    return lab.add_station("w1")


def ticker(host: Host) -> Process:
    """Writes a line each 10 ms."""
    process = host.start(["sh", "-c", "while :; do echo tick; sleep 0.01; done"], "ticker")
    process.wait_output("tick", 20)
    return process


def ticks_in(process: Process, seconds: float) -> int:
    before = len(process.output())
    time.sleep(seconds)
    return len(process.output()) - before


def test_output_and_exit_code(host: Host) -> None:
    process = host.start(["sh", "-c", "echo out; echo err >&2; exit 3"], "job")
    assert process.wait(20) == 3
    assert not process.alive
    assert sorted(process.output().split()) == ["err", "out"]
    assert host.run(["echo", "hello"]) == "hello\n"
    with pytest.raises(LabError, match="w1: sh -c echo no >&2; exit 1 ended with 1: no"):
        host.run(["sh", "-c", "echo no >&2; exit 1"])


def test_a_frozen_program_stands_still_until_it_is_thawed(host: Host) -> None:
    process = ticker(host)
    process.freeze()
    assert ticks_in(process, 0.2) == 0
    assert process.alive
    process.thaw()
    until(lambda: ticks_in(process, 0.05), "it is thawed", 20)


def test_a_frozen_machine_stands_still_as_a_whole(host: Host) -> None:
    processes = [ticker(host), ticker(host)]
    host.freeze()
    assert [ticks_in(process, 0.1) for process in processes] == [0, 0]
    assert all(is_stopped(pid) for pid in host.namespace.pids())
    host.thaw()
    until(lambda: all(ticks_in(process, 0.05) for process in processes), "all are thawed", 20)


def test_kill_and_terminate(host: Host) -> None:
    killed = ticker(host)
    killed.freeze()
    killed.kill()
    assert killed.exit_code == -9
    killed.kill()  # again: nothing to do
    assert ticker(host).terminate() == -15
    stubborn = host.start(["sh", "-c", "trap '' TERM; echo set; while :; do sleep 0.01; done"], "stubborn")
    stubborn.wait_output("set", 20)
    with pytest.raises(LabError, match=r"did not end within 0\.2 s of SIGTERM"):
        stubborn.terminate(0.2)
    assert not stubborn.alive


def test_power_off_kills_what_hid_in_a_session_of_its_own(host: Host) -> None:
    host.start(["setsid", "setsid", "sh", "-c", "echo $$ >/run/hidden; exec sleep 1000"], "daemon")
    hidden = until(lambda: [pid for pid in host.namespace.pids() if is_sleep(pid)], "it sleeps", 20)
    host.power_off()
    assert [pid for pid in hidden if Path(f"/proc/{pid}").exists()] == []


def is_sleep(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep")
    except OSError:
        return False


def test_a_limited_program_has_net_admin_and_net_raw_and_nothing_else(host: Host) -> None:
    process = host.start(
        ["grep", "-E", "Cap(Eff|Bnd|Amb)", "/proc/self/status"], "job", capabilities=AGENT_CAPABILITIES
    )
    assert process.wait(20) == 0
    values = {int(line.split()[1], 16) for line in process.output().splitlines()}
    assert values == {0, 1 << 12 | 1 << 13}  # CAP_NET_ADMIN 12, CAP_NET_RAW 13 (linux/capability.h); ambient is empty
