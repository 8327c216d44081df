"""However the lab's process ends, it leaves no process, no namespace and no folder. And it needs no root."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from vipa_lab.process import processes_with
from vipa_lab.until import until

# Says its folder and its processes, then waits to be ended in one way or another.
PROGRAM = """
import signal, sys
# whoever runs these tests in the background may have SIGINT ignored, which children inherit
signal.signal(signal.SIGINT, signal.default_int_handler)
from vipa_lab.lab import Lab
from vipa_lab.scenario import ibm_i_lab

with Lab() as lab:
    scenario = ibm_i_lab(lab)
    w1 = scenario.nodes[0]
    w1.start(["setsid", "sh", "-c", "trap '' TERM HUP INT; sleep 1000 & sleep 1000"], "stubborn")
    w1.nics["eth1"].add_address("10.1.1.7/32")
    lab.observe(scenario.lan)
    scenario.router.arp_asker(scenario.vip)
    result = scenario.client.udp_probe(scenario.vip, period_ms=5, count=50).wait(60)
    assert result.lost == 0, result
    print(lab.work_dir, open("/proc/self/uid_map").read().split(), flush=True)
    if sys.argv[1] == "raise":
        raise RuntimeError("as told")
    if sys.argv[1] == "wait":
        sys.stdin.read()  # until the test ends, however it ends
"""
END_S = 20.0


def namespaces(pids: Iterable[int]) -> set[str]:
    """Every network namespace but ours that a thread of ``pids`` is in."""
    found = set()
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                found.add(os.readlink(f"/proc/{pid}/task/{task}/ns/net"))
        except OSError:
            continue  # ended meanwhile
    return found - {os.readlink("/proc/self/ns/net")}


def start(how: str, mark: str) -> tuple[subprocess.Popen[str], Path]:
    """The program, once its lab stands; ``mark`` is inherited by all it starts."""
    child = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "LAB_MARK": mark},
    )
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        pytest.fail(f"the lab did not start: {child.communicate()[1]}")
    return child, Path(line.split()[0])


@pytest.mark.parametrize(
    ("how", "signal_number"),
    [
        ("wait", signal.SIGKILL),
        ("wait", signal.SIGTERM),
        ("wait", signal.SIGINT),
        ("raise", None),
        ("end", None),
    ],
)
def test_nothing_is_left(how: str, signal_number: signal.Signals | None) -> None:
    mark = f"lab-mark-{os.getpid()}-{time.monotonic_ns()}"
    child, work_dir = start(how, mark)
    try:
        if signal_number is not None:
            assert len(processes_with(mark)) > 10
            assert len(namespaces(processes_with(mark))) == 5  # w1, w2, c1, r1 and the switch
            assert work_dir.exists()
            child.send_signal(signal_number)
        child.wait(END_S)
    finally:
        child.kill()
        _, errors = child.communicate()
    assert (child.returncode == 0) == (how == "end"), errors
    # A namespace without a name lives by the processes in it, so the mark they inherited finds both.
    until(
        lambda: not processes_with(mark) and not work_dir.exists(),
        lambda: f"nothing is left; there is {processes_with(mark)}, {work_dir}",
        END_S,
    )


def is_init_user_namespace() -> bool:
    """Root of the machine, who can become somebody else; in a user namespace there is only one user."""
    return os.geteuid() == 0 and Path("/proc/self/uid_map").read_text().split()[2] == "4294967295"


# The interpreter may live in a folder only root may enter; in a mount namespace of our own we put it within reach.
AS_NOBODY = """
set -e
mount --make-rprivate /
i=0; closed=
for base in "$1" "$2" "$3"; do
    dir=$base
    while [ "$dir" != / ]; do
        case $(stat -c %A "$dir") in *x|*t) ;; *) closed="$closed $dir";; esac
        dir=$(dirname "$dir")
    done
    mkdir "$4/$i"; mount --rbind "$base" "$4/$i"; i=$((i+1))
done
for dir in $closed; do mountpoint -q "$dir" || mount -t tmpfs -o mode=755 tmpfs "$dir"; done
i=0
for base in "$1" "$2" "$3"; do mkdir -p "$base"; mount --rbind "$4/$i" "$base"; i=$((i+1)); done
shift 4
exec setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all "$@"
"""


def as_nobody(program: list[str], keep: str) -> list[str]:
    """The command that runs ``program`` as an ordinary user, which whoever is not root already is."""
    if not is_init_user_namespace():
        return program
    repository = str(Path(__file__).parents[2])
    return ["unshare", "-m", "sh", "-c", AS_NOBODY, "sh", sys.base_prefix, sys.prefix, repository, keep, *program]


def test_an_ordinary_user_can_have_a_lab() -> None:
    with tempfile.TemporaryDirectory() as keep, tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o777)
        done = subprocess.run(
            as_nobody([sys.executable, "-W", "error", "-c", PROGRAM, "end"], keep),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={"PATH": os.environ["PATH"], "HOME": home, "TMPDIR": home},
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(home)
        if is_init_user_namespace():
            assert "['0', '65534', '1']" in done.stdout  # root there, nobody here
        assert os.listdir(home) == []


def test_who_may_have_neither_is_told_what_would_help() -> None:
    program = "from vipa_lab.privileges import ensure_privileges; ensure_privileges()"
    limited = 'echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv --bounding-set=-sys_admin --inh-caps=-all "$@"'
    done = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", limited, "sh", sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    last_line = done.stderr.strip().splitlines()[-1]
    assert "neither root nor user namespaces" in last_line
    assert "sysctl user.max_user_namespaces" in last_line


def test_threads_are_in_the_way_of_a_user_namespace() -> None:
    program = (
        "import threading, time; from vipa_lab.privileges import ensure_privileges;"
        "threading.Thread(target=time.sleep, args=(5,), daemon=True).start(); ensure_privileges()"
    )
    command = [sys.executable, "-c", program]
    limited = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", *command]
    done = subprocess.run(limited, capture_output=True, text=True, timeout=60, check=False)
    assert "2 threads are running: call ensure_privileges() before starting the first one" in done.stderr
