"""How the operator does with a large cluster on a real API server: time to steady, one change, an idle minute, memory.

    python bench/operator_scale.py [--nodes 1000] [--vips 10000] [--changes 100] [--idle 60]

Nodes stand on LANs of 20. Every four of a LAN share a list, so a VIP has four candidates and a node three neighbours.
API server, etcd, operator and this program share the machine: the figures are upper bounds.
"""

import argparse
import asyncio
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from vipa_lab.kube.apiserver import ApiServer
from vipa_operator.api import PATHS, Api
from vipa_operator.login import login
from vipa_operator.reconcile import Kind

CRDS: Final = Path(__file__).parents[1] / "crds"
LAN_NODES: Final = 20
LIST_NODES: Final = 4
AT_ONCE: Final = 24
QUIET_S: Final = 5.0
"""Steady: no write for this long."""
STEADY_S_MAX: Final = 900.0
CHANGE_S_MAX: Final = 30.0

Raw = dict[str, Any]


@dataclass
class Operator:
    """The program under test."""

    kubeconfig: Path
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)
    port: int = field(init=False, default=0)

    def start(self) -> None:
        """Start it and learn its port."""
        command: list[str | Path] = [
            Path(sys.executable).parent / "vipa-operator",
            "--kubeconfig",
            self.kubeconfig,
            "--listen",
            "127.0.0.1:0",
        ]
        self.process = subprocess.Popen(command, stdout=self.log.open("wb"), stderr=subprocess.STDOUT)
        until = time.monotonic() + 60
        while not self.port and time.monotonic() < until:
            time.sleep(0.05)
            found = re.search(r'"port": (\d+)', self.log.read_text())
            self.port = int(found[1]) if found else 0

    def stop(self) -> None:
        """End it in good order."""
        self.process.terminate()
        self.process.wait(30)
        self.port = 0

    def metric(self, name: str) -> float:
        """A metric's value now, 0 when it is not there."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def memory_mb(self, what: str) -> float:
        """VmRSS or VmHWM."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(rf"^{what}:\s+(\d+) kB", status, re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0


def node_address(number: int) -> str:
    """Address of a node on its LAN."""
    return f"10.{number // LAN_NODES}.0.{number % LAN_NODES + 1}"


def vip_spec(number: int, nodes: int) -> Raw:
    """A VIP on the LAN of its list."""
    lists = nodes // LIST_NODES
    which, nth = number % lists, number // lists
    lan, share = which * LIST_NODES // LAN_NODES, which * LIST_NODES % LAN_NODES // LIST_NODES
    return {
        "addresses": [f"10.{lan}.{1 + share * 32 + nth // 250}.{1 + nth % 250}"],
        "preferredInterfaceList": f"list-{which}",
    }


async def make(api: Api, nodes: int, vips: int) -> None:
    """All objects, as if the agents had just reported for the first time."""
    await many(range(nodes), lambda n: _node(api, n))
    await many(range(nodes // LIST_NODES), lambda n: _list(api, n))
    await many(range(vips), lambda n: _vip(api, n, nodes))


async def _node(api: Api, number: int) -> None:
    name = f"n{number}"
    await api.request("POST", PATHS[Kind.NODE], {"metadata": {"name": name}}, timeout_s=60)
    await api.request("POST", PATHS[Kind.AGENT], _object("VirtualIPNode", name, {}), timeout_s=60)
    interface = {"name": "eth1", "addresses": [f"{node_address(number)}/16"], "healthy": True, "reason": "Healthy"}
    status = {"status": {"node": name, "interfaces": [interface]}}
    path = f"{PATHS[Kind.AGENT]}/{name}/status"
    await api.request("PATCH", path, status, content="application/merge-patch+json", timeout_s=60)


async def _list(api: Api, number: int) -> None:
    entries = [{"address": node_address(number * LIST_NODES + i)} for i in range(LIST_NODES)]
    spec = {"interfaces": entries, "fallback": "None"}
    body = _object("PreferredInterfaceList", f"list-{number}", spec)
    await api.request("POST", PATHS[Kind.LIST], body, timeout_s=60)


async def _vip(api: Api, number: int, nodes: int) -> None:
    body = _object("VirtualIP", f"v{number}", vip_spec(number, nodes))
    await api.request("POST", PATHS[Kind.VIP], body, timeout_s=60)


def _object(kind: str, name: str, spec: Raw) -> Raw:
    return {"apiVersion": "vipa.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


async def many(numbers: Iterable[int], act: Callable[[int], Awaitable[None]]) -> None:
    """Some at a time."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with room:
            await act(number)

    await asyncio.gather(*(one(n) for n in numbers))


async def steady(operator: Operator, vips: int, least: int) -> tuple[float, float]:
    """Seconds until all VIPs were planned and the last write was done, and how many there were: at least ``least``."""
    start = last = time.monotonic()
    writes, planned = -1.0, 0.0
    while time.monotonic() - start < STEADY_S_MAX:
        before = writes, planned
        planned = await asyncio.to_thread(operator.metric, 'vipa_vips{state="NotReady"}')
        writes = await asyncio.to_thread(operator.metric, "vipa_api_writes_total")
        if (writes, planned) != before:
            last = time.monotonic()
        if planned >= vips and writes >= least and time.monotonic() - last >= QUIET_S:
            return last - start, writes
        await asyncio.sleep(0.25)
    raise TimeoutError(f"not steady after {STEADY_S_MAX:g} s: {planned} planned, {writes} writes")


class Watch:
    """Names and contents as they come in on one watch."""

    def __init__(self, admin: Path, kind: Kind) -> None:
        self._info = login(admin)
        self._kind = kind
        self.seen: asyncio.Queue[Raw] = asyncio.Queue()

    async def run(self, started: asyncio.Event) -> None:
        """For ever."""
        connector = aiohttp.TCPConnector(ssl=self._info.as_ssl_context())
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(
            connector=connector, headers=self._info.as_http_headers(), timeout=timeout, read_bufsize=1 << 22
        ) as session:
            url = f"{self._info.server}{PATHS[self._kind]}"
            async with session.get(f"{url}?limit=1") as first:
                version = (await first.json())["metadata"]["resourceVersion"]
            async with session.get(f"{url}?watch=true&resourceVersion={version}") as stream:
                started.set()
                async for line in stream.content:
                    self.seen.put_nowait(json.loads(line)["object"])


async def change(api: Api, number: int, delay_s: int, vip: Watch, agents: Watch) -> float:
    """Change one VIP; seconds until its status and all its nodes' shares say so."""
    for watch in (vip, agents):
        while not watch.seen.empty():
            watch.seen.get_nowait()
    delay = f"{delay_s}s"
    start = time.perf_counter()
    body = {"spec": {"failback": {"policy": "Delayed", "delay": delay}}}
    path = f"{PATHS[Kind.VIP]}/v{number}"
    written = await api.request("PATCH", path, body, content="application/merge-patch+json", timeout_s=CHANGE_S_MAX)
    generation = written["metadata"]["generation"]
    told: set[str] = set()
    async with asyncio.timeout(CHANGE_S_MAX):
        while True:
            seen = await vip.seen.get()
            if (
                seen["metadata"]["name"] == f"v{number}"
                and seen.get("status", {}).get("observedGeneration") == generation
            ):
                break
        while len(told) < LIST_NODES:
            seen = await agents.seen.get()
            mine = [a for a in seen["spec"].get("assignments", ()) if a["name"] == f"v{number}"]
            if mine and mine[0]["failback"]["delay"] == delay:
                told.add(seen["metadata"]["name"])
    return time.perf_counter() - start


async def changes(api: Api, admin: Path, vips: int, count: int) -> list[float]:
    """One after another, each alone."""
    watches = [Watch(admin, Kind.VIP), Watch(admin, Kind.AGENT)]
    started = [asyncio.Event(), asyncio.Event()]
    tasks = [asyncio.create_task(w.run(s)) for w, s in zip(watches, started, strict=True)]
    await asyncio.gather(*(s.wait() for s in started))
    took = []
    for i in range(count):
        took.append(await change(api, i * 7919 % vips, 100 + i, *watches))
        await asyncio.sleep(0.3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return took


async def measure(given: argparse.Namespace, folder: Path, server: ApiServer) -> None:
    """All figures, printed as they come."""
    api = Api(lambda: login(server.admin))
    operator = Operator(server.admin, folder / "operator.log")
    try:
        start = time.monotonic()
        await make(api, given.nodes, given.vips)
        print(f"made        {given.nodes} nodes, {given.vips} VIPs in {time.monotonic() - start:.0f} s", flush=True)
        operator.start()
        took_s, writes = await steady(operator, given.vips, given.vips + given.nodes)
        print(f"steady      {took_s:.1f} s, {writes:.0f} writes (promise: < 60 s)", flush=True)
        took = sorted(await changes(api, server.admin, given.vips, given.changes))
        p95 = took[min(len(took) - 1, int(len(took) * 0.95))]
        print(
            f"one change  median {statistics.median(took) * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms, "
            f"max {took[-1] * 1000:.0f} ms, n = {len(took)} (promise: p95 < 200 ms)",
            flush=True,
        )
        await asyncio.sleep(QUIET_S)
        before = operator.metric("vipa_api_writes_total")
        await asyncio.sleep(given.idle)
        print(
            f"idle        {operator.metric('vipa_api_writes_total') - before:.0f} writes in {given.idle:g} s",
            flush=True,
        )
        print(
            f"memory      {operator.memory_mb('VmRSS'):.0f} MB, peak {operator.memory_mb('VmHWM'):.0f} MB", flush=True
        )
        operator.stop()
        operator.start()
        took_s, writes = await steady(operator, given.vips, 0)
        print(f"restarted   {took_s:.1f} s until it had looked at everything, {writes:.0f} writes", flush=True)
    finally:
        if operator.process.poll() is None:
            operator.stop()
        await api.close()


def main() -> None:
    """Command line."""
    top = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    top.add_argument("--nodes", type=int, default=1000, help="a multiple of 20, at most 5000")
    top.add_argument("--vips", type=int, default=10_000)
    top.add_argument("--changes", type=int, default=100)
    top.add_argument("--idle", type=float, default=60.0, metavar="S")
    given = top.parse_args()
    with tempfile.TemporaryDirectory() as folder, ApiServer(Path(folder) / "api") as server:
        server.kubectl.run("create", "namespace", "vipa-system")
        server.kubectl.run("apply", "--server-side", "-f", str(CRDS))
        server.kubectl.run("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))
        asyncio.run(measure(given, Path(folder), server))


if __name__ == "__main__":
    main()
