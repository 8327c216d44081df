"""``vipa lab up`` with a script, and in it the commands that look at a node: status, observe, check."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
VIPA = BIN / "vipa"
ROOT = Path(__file__).parents[2]
TIMEOUT_S = 180


def lab(script: str, *before: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*before, VIPA, "lab", "up"], input=script, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def guide() -> str:
    """The script of the user guide."""
    text = (ROOT / "docs" / "user-guide.md").read_text()
    return text.partition("```lab\n")[2].partition("```")[0]


def test_the_guides_script_runs_without_root_too() -> None:
    """As root all of it runs below."""
    script = guide()
    assert "freeze w1" in script
    done = lab(script, "unshare", "-Urnm", "--")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answers for 10.1.1.7" in done.stdout


@pytest.mark.parametrize(
    ("script", "code", "says"),
    [
        ("pull w9/eth9; status", 1, "there are w1/eth1, w1/eth2, w2/eth1"),
        ("start w1", 1, "an agent runs on w1 already"),
        ("fly", 2, "no command 'fly'"),
    ],
)
def test_a_script_ends_at_what_cannot_be_done(script: str, code: int, says: str) -> None:
    done = lab(script)
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr
    assert "answers for" not in done.stdout


def json_of(text: str) -> list[dict[str, object]]:
    """Every JSON object in ``text``, one after the other."""
    decoder, found, at = json.JSONDecoder(), [], text.find("{")
    while at >= 0:
        document, end = decoder.raw_decode(text, at)
        found.append(document)
        at = text.find("{", end)
    return found


def test_a_node_is_looked_at_from_inside_and_a_pulled_cable_moves_the_answer() -> None:
    script = f"""
    status
    exec w1 {VIPA} status -o json
    exec w2 {VIPA} observe 10.1.1.7 -o json --seconds 1
    exec c1 {VIPA} observe 10.1.1.7 -o json --seconds 1 --state-dir /run/none -f {ROOT}/examples/ibm-i.yaml
    exec w1 {VIPA} observe 10.1.1.7 -o json
    exec w1 {VIPA} check
    pull w1/eth1; wait 2s; status
    ping 200ms; quit
    status
    """
    done = lab(script)
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [line.split()[0] for line in done.stdout.splitlines() if "answers for 10.1.1.7" in line]
    assert answers == ["w1/eth1", "w1/eth2"], "the second status follows the cable, the third is behind quit"
    assert "answered by w1" in done.stdout
    status, by_agent, by_file, by_holder = json_of(done.stdout)
    assert status["node"] == "w1"
    for seen in (by_agent, by_file):
        assert seen["good"] is True
        assert list(dict(seen["endpoints"]).values()) == ["10.1.1.4"]  # type: ignore[call-overload]
    assert by_holder["verdict"] == "this machine serves it, and nobody else answers"
    assert all(what in done.stdout for what in ("ARP gate", "egress fence", "timed permits"))


def test_check_and_observe_see_what_is_wrong() -> None:
    """ARP that is never answered, a foreign machine, and silence. A script goes on where a shell hides the code."""
    done = lab(
        f"""
        exec w1 sysctl -q -w net.ipv4.conf.eth1.arp_ignore=8
        exec w1 sh -c "{VIPA} check || echo check ended with $?"
        exec r1 ip addr add 10.1.1.7/32 dev eth1
        exec c1 sh -c "{VIPA} observe 10.1.1.7 -f {ROOT}/examples/ibm-i.yaml || echo foreign ended with $?"
        exec r1 ip addr del 10.1.1.7/32 dev eth1
        power-off w1; power-off w2
        exec c1 {VIPA} observe 10.1.1.7 --seconds 0.5
        exec c1 echo behind what failed
        """
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "ended with 1" in done.stderr
    assert "check ended with 1\n" in done.stdout
    assert "foreign ended with 1\n" in done.stdout
    assert "behind what failed" not in done.stdout
