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


def test_a_pulled_cable_moves_the_answer_to_the_next_adapter() -> None:
    done = lab("status; pull w1/eth1; wait 2s; status\nping 200ms; quit\nstatus")
    assert done.returncode == 0, done.stderr
    answers = [line.split()[0] for line in done.stdout.splitlines() if "answers for 10.1.1.7" in line]
    assert answers == ["w1/eth1", "w1/eth2"]
    assert "answered by w1" in done.stdout


def test_the_guides_script_runs_without_root_too() -> None:
    script = guide()
    assert "freeze w1" in script
    for before in ((), ("unshare", "-Urnm", "--")):
        done = lab(script, *before)
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


def test_a_node_can_be_looked_at_from_inside() -> None:
    script = f"""
    exec w1 {VIPA} status -o json
    exec w2 {VIPA} observe 10.1.1.7 -o json
    exec c1 {VIPA} observe 10.1.1.7 -o json --state-dir /run/none -f {ROOT}/examples/ibm-i.yaml
    exec w1 {VIPA} observe 10.1.1.7 -o json
    """
    done = lab(script)
    assert done.returncode == 0, done.stdout + done.stderr
    status, by_agent, by_file, by_holder = json_of(done.stdout)
    assert status["node"] == "w1"
    for seen in (by_agent, by_file):
        assert seen["good"] is True
        assert list(dict(seen["endpoints"]).values()) == ["10.1.1.4"]  # type: ignore[call-overload]
    assert by_holder["verdict"] == "this machine serves it, and nobody else answers"


def test_observe_sees_a_foreign_machine_and_silence() -> None:
    foreign = lab(
        f"exec r1 ip addr add 10.1.1.7/32 dev eth1\nexec c1 {VIPA} observe 10.1.1.7 -f {ROOT}/examples/ibm-i.yaml"
    )
    assert foreign.returncode == 1
    assert "ended with 1" in foreign.stderr
    silence = lab(f"power-off w1; power-off w2\nexec c1 {VIPA} observe 10.1.1.7 --seconds 0.5")
    assert silence.returncode == 1
    assert "ended with 1" in silence.stderr


def test_check_is_content_with_a_node_of_the_lab() -> None:
    done = lab(f"exec w1 {VIPA} check -o json")
    assert done.returncode == 0, done.stdout + done.stderr
    findings = json.loads(done.stdout)
    assert {"ARP gate", "egress fence", "timed permits"} <= {finding["check"] for finding in findings}


def test_check_fails_where_arp_is_never_answered() -> None:
    done = lab(f"exec w1 sysctl -q -w net.ipv4.conf.eth1.arp_ignore=8\nexec w1 {VIPA} check")
    assert (done.returncode, "ended with 1" in done.stderr) == (1, True), done.stderr
