"""Kernel features and rights."""

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from vipa_cli.check.finding import Finding, fail, ok, unknown
from vipa_cli.check.trial import FENCE, FRAMES, GATE, LIBRARY, NOT_TRIED, PERMIT, STEERING

_REMEDIES: Final = {
    LIBRARY: "install libnftables1 (Debian, Ubuntu) or nftables (others)",
    GATE: "a kernel with nftables for ARP: CONFIG_NF_TABLES_ARP",
    PERMIT: "a kernel with nftables sets that time out: CONFIG_NF_TABLES, module nf_tables",
    FENCE: "Linux 5.16 or newer with CONFIG_NETFILTER_EGRESS and CONFIG_NF_TABLES_NETDEV",
    STEERING: "a kernel with nftables for inet and route chains: CONFIG_NF_TABLES_INET",
    FRAMES: "a kernel with packet sockets: CONFIG_PACKET, module af_packet",
}
# include/uapi/linux/capability.h
_CAPABILITIES: Final = {"NET_ADMIN": 12, "NET_RAW": 13}
_TRIAL_TIMEOUT_S: Final = 30.0


def kernel() -> list[Finding]:
    """Every feature, tried."""
    return judge_trials(_try_out([sys.executable, "-m", "vipa_cli.check.trial"]), platform.release())


def judge_trials(result: Mapping[str, str], release: str) -> list[Finding]:
    """One finding per trial; ``release`` is the kernel's."""
    if NOT_TRIED in result:
        remedy = "run as root; inside a container give it CAP_SYS_ADMIN for this check alone"
        return [unknown("kernel", f"Linux {release}; its features could not be tried: {result[NOT_TRIED]}", remedy)]
    return [
        fail(name, f"Linux {release}: {said}", _REMEDIES[name], "an agent does not start")
        if said
        else ok(name, f"works (Linux {release})")
        for name, said in result.items()
    ]


def _try_out(argv: list[str]) -> dict[str, str]:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_TRIAL_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {NOT_TRIED: str(error)}
    try:
        result: dict[str, str] = json.loads(done.stdout)
    except ValueError:
        return {NOT_TRIED: done.stderr.strip().rpartition("\n")[2] or f"the trial ended with {done.returncode}"}
    return result


def rights(status: Path = Path("/proc/self/status")) -> Finding:
    """NET_ADMIN and NET_RAW of whoever runs this."""
    effective = 0
    for line in status.read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            effective = int(value, 16)
    missing = [name for name, bit in _CAPABILITIES.items() if not effective >> bit & 1]
    if missing:
        remedy = "run the agent (and this check) as root, or give it these two capabilities and no more"
        return fail(
            "rights", f"missing here: {', '.join(missing)}", remedy, "an agent with these rights does not start"
        )
    return ok("rights", "NET_ADMIN and NET_RAW")
