"""The lab's probes and its observer on the service LAN of a kind cluster, which is a bridge of this host.

The client is a container; its probes run in its network. The cold client that asks by ARP is a station of its own, for
its questions would refresh the client's cache. The observer listens on the host, where the bridge's ports are.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from pyroute2 import IPRoute

from vipa_lab.capture import READY, End, Frame, Line
from vipa_lab.errors import LabError
from vipa_lab.kind.netns import inside
from vipa_lab.kube.daemon import Daemon
from vipa_lab.namespace import Namespace
from vipa_lab.probe import Probe
from vipa_lab.process import Process
from vipa_lab.results import ProbeResult, TcpResult
from vipa_lab.sightings import to_claims
from vipa_lab.verdict import Overlap, two_answerers

# A Python program starts in about 0.1 s; three nodes on two cores make that seconds.
_START_TIMEOUT_S: Final = 40.0
# As in the lab: loss is asked for here, and the resolution of a benchmark would only make a small machine busier.
UDP_PERIOD_MS: Final = 5.0
_TCP_PERIOD_MS: Final = 20.0
_ASK_PERIOD_MS: Final = 20.0
# The host's end of the station's cable.
_STATION_PORT: Final = "vipa-station"

_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class Station:
    """A machine without a container, ``address`` ("10.1.1.101/24") on its eth1, plugged into ``bridge``."""

    def __init__(self, bridge: str, address: str, folder: Path) -> None:
        self.ip, _, length = address.partition("/")
        self.folder = folder
        self.namespace = Namespace("station", folder)
        with IPRoute() as ipr:
            ipr.link(
                "add",
                ifname=_STATION_PORT,
                kind="veth",
                peer={"ifname": "eth1", "net_ns_fd": self.namespace.fd},
            )
            ipr.link(
                "set",
                index=ipr.link_lookup(ifname=_STATION_PORT)[0],
                master=ipr.link_lookup(ifname=bridge)[0],
                state="up",
            )

        def configure(ipr: IPRoute) -> None:
            index = ipr.link_lookup(ifname="eth1")[0]
            ipr.addr("add", index=index, address=self.ip, prefixlen=int(length))
            ipr.link("set", index=index, state="up")

        self.namespace.netlink(configure)

    def ask(self, target: str) -> Probe[ProbeResult]:
        """A cold client: asks for ``target`` by ARP all the time; the result's "nodes" are MACs."""
        argv = [sys.executable, "-m", "vipa_lab.arp_asker", "--interface", "eth1", "--ip", self.ip]
        argv += ["--target", target, "--period-ms", str(_ASK_PERIOD_MS)]
        return Probe(Process(self.namespace, argv, _log(self.folder, "asker")))

    def close(self) -> None:
        """Its cable goes with it."""
        self.namespace.close()


class LanObserver:
    """Captures ARP at every port of the host from its creation on; what the bridge itself gets is no receiver's."""

    def __init__(self, bridge: str, folder: Path) -> None:
        self._bridge = bridge
        name = _log(folder, "capture").stem
        self.process = Daemon(name, [sys.executable, "-m", "vipa_lab.capture"], folder)
        self.process.wait_output(READY.decode(), _START_TIMEOUT_S)

    def stop(self) -> None:
        """End the capture; what passed before is kept. LabError when frames were dropped: any verdict is void."""
        self.process.terminate()
        ends = [line for line in self._lines() if isinstance(line, End)]
        if not ends or ends[-1].dropped:
            raise LabError(f"the observer lost frames: no verdict; {self.process.last_words(300)}")

    def frames(self) -> list[Frame]:
        """Everything captured so far on ports, by time."""
        seen = [line for line in self._lines() if isinstance(line, Frame) and line.port != self._bridge]
        return sorted(seen, key=lambda frame: frame.at_s)

    def two_answerers(self, vip: str) -> list[Overlap]:
        """Every overlap for ``vip`` so far; empty is the promise kept."""
        return two_answerers(to_claims(self.frames()), vip)

    def _lines(self) -> list[Line]:
        whole = self.process.log.read_bytes().rpartition(b"\n")[0]
        return [_decoder.decode(line) for line in whole.splitlines() if line != READY]


class ClientProbes:
    """Measuring programs in the network of a container; ``pid`` gives a process of it, now."""

    def __init__(self, pid: Callable[[], int], folder: Path) -> None:
        self._pid = pid
        self._folder = folder

    def udp(self, target: str) -> Probe[ProbeResult]:
        """Datagrams to ``target`` at absolute deadlines, each answered, by a node that says its name, or lost."""
        return Probe(self._start("udp_probe", target, UDP_PERIOD_MS))

    def tcp(self, target: str) -> Probe[TcpResult]:
        """One long-lived connection to ``target``, made again when it breaks."""
        return Probe(self._start("tcp_probe", target, _TCP_PERIOD_MS))

    def _start(self, program: str, target: str, period_ms: float) -> Daemon:
        argv = [sys.executable, "-m", f"vipa_lab.{program}", "--target", target, "--period-ms", str(period_ms)]
        return Daemon(_log(self._folder, program).stem, [*inside(self._pid()), *argv], self._folder)


def _log(folder: Path, name: str) -> Path:
    return folder / f"{name}-{time.monotonic_ns()}.log"
