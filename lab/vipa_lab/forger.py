"""A station that forges heartbeats: what it overhears, the lie it would like believed, and four ways to send that."""

import socket
import time
from typing import Final

from vipa import frames
from vipa.election.config import Config
from vipa.heartbeat import decode, encode
from vipa.heartbeat.keys import Key, parse_keys
from vipa.heartbeat.model import Beat, WireRole
from vipa_agent.settings import DEFAULT_PORT
from vipa_lab.lab import Lab
from vipa_lab.nic import Nic

# Heartbeats are 0.2 s apart at Calm; a frozen or busy sender may take seconds.
_HEAR_S: Final = 20.0
_FRAME_MAX: Final = 2048
_SECRET: Final = b"x" * 32


class Forger:
    """``station`` sends heartbeats to ``victim`` as if ``pretended`` had sent them, but for the MAC, which is the
    switch's to judge."""

    def __init__(self, lab: Lab, station: Nic, pretended: Nic, victim: Nic) -> None:
        self._station, self._pretended, self._victim = station, pretended, victim
        self._path = frames.BeatPath(station.mac, victim.mac, pretended.address, victim.address, DEFAULT_PORT)
        (self._key,) = parse_keys(lab.key_file.read_text(), "key")
        self._cluster_id = Config("", 0, keys=(self._key,)).cluster_id

    def send(self, payload: bytes) -> None:
        """One UDP datagram of heartbeats with this payload."""
        self._station.send(self._path.frame(payload))

    def overhear(self) -> Beat:
        """The next true heartbeat from ``pretended`` at the victim's adapter; TimeoutError when none comes."""

        def listen() -> bytes:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(frames.ETHERTYPE_IPV4)) as sock:
                sock.bind((self._victim.name, frames.ETHERTYPE_IPV4))
                sock.settimeout(_HEAR_S)
                deadline = time.monotonic() + _HEAR_S
                while time.monotonic() < deadline:
                    found = frames.parse_beat(sock.recv(_FRAME_MAX), DEFAULT_PORT)
                    if found is not None and found.source_address == self._pretended.address:
                        return found.payload
            raise TimeoutError(f"no heartbeat from {self._pretended.address} within {_HEAR_S:g} s")

        payload = self._victim.host.namespace.call(listen)
        return decode(payload, (self._key,), {self._cluster_id})

    def lie(self) -> Beat:
        """A later heartbeat of the same sender that says it holds nothing any more, is isolated and stopping."""
        true = self.overhear()
        return Beat(
            node=true.node,
            incarnation=true.incarnation,
            boot_id=true.boot_id,
            seq=true.seq + 1000,
            epoch=true.epoch,
            interval_s=true.interval_s,
            isolated=True,
            stopping=True,
            echoes=true.echoes,
            roles=tuple(role._replace(role=WireRole.SPARE, term=role.term + 10) for role in true.roles),
        )

    def signed(self, lie: Beat) -> bytes:
        """What would be believed: the true key and cluster."""
        return encode(lie, self._key, self._cluster_id)

    def lies(self, lie: Beat) -> dict[str, bytes]:
        """Payloads none of which may be believed, by the result under which an agent counts them."""
        return {
            "garbled": b"no heartbeat at all",
            "key": encode(lie, Key(self._key.id ^ 1, _SECRET), self._cluster_id),
            "cluster": encode(lie, self._key, self._cluster_id ^ 1),
            "forged": encode(lie, Key(self._key.id, _SECRET), self._cluster_id),
        }
