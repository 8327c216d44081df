"""``Bgpd``: a daemon that speaks bgpd's side of its socket and keeps vipa's lines as a running configuration does."""

import json
import socket
import threading
from contextlib import suppress
from pathlib import Path


class Bgpd:
    """Answers on bgpd.vty in ``folder`` until closed; ``networks``: prefix → route-map, "" for a line without."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bgpd.vty"
        self.networks: dict[str, str] = {}
        self.maps: set[str] = set()
        self.neighbors: dict[str, dict[str, str]] = {}
        self.instance = "router bgp 65001"
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.path))
        self._listening.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self.path.unlink(missing_ok=True)
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def meds(self) -> dict[str, int]:
        return {prefix: int(name.rpartition("-")[2]) for prefix, name in self.networks.items()}

    def _serve(self) -> None:
        while True:
            try:
                asker, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(asker,), daemon=True).start()

    def _answer(self, asker: socket.socket) -> None:
        waiting = b""
        with asker, suppress(OSError):  # the runner may be killed in the middle
            while more := asker.recv(4096):
                *commands, waiting = (waiting + more).split(b"\0")
                for command in commands:
                    text, code = self._do(command.decode())
                    asker.sendall(text.encode() + b"\0\0\0" + bytes([code]))

    def _do(self, command: str) -> tuple[str, int]:
        match command.split():
            case ["network", prefix, "route-map", name]:
                if name not in self.maps:
                    return "no such route-map", 1
                self.networks[prefix] = name
            case ["no", "network", prefix, "route-map", name]:
                if self.networks[prefix] != name:
                    return "% route-map name doesn't match static route", 1
                del self.networks[prefix]
            case ["route-map", name, "permit", "10"]:
                self.maps.add(name)
            case ["no", "route-map", name]:
                self.maps.discard(name)
            case ["show", "running-config"]:
                return self.configuration(), 0
            case ["show", "bgp", "neighbors", "json"]:
                return json.dumps(self.neighbors), 0
        return "", 0

    def configuration(self) -> str:
        """As ``show running-config`` prints it."""
        lines = [self.instance]
        for family, colon in (("ipv4", False), ("ipv6", True)):
            lines += [" !", f" address-family {family} unicast"]
            lines += [
                f"  network {p}{f' route-map {n}' if n else ''}"
                for p, n in self.networks.items()
                if (":" in p) is colon
            ]
            lines += [" exit-address-family"]
        return "\n".join([*lines, "exit", *(f"route-map {name} permit 10\nexit" for name in self.maps)])
