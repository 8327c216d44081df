"""vipa-router by the API server: what VirtualIPs' statuses say, and beyond which interface it is."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from vipa.remote.hearing import End, Hop, Way
from vipa.remote.lans import Lans
from vipa_router.follow import ApiHops

LANS = Lans({"eth0": ("192.0.2.1/24",), "eth1": ("10.1.1.1/24", "fd00:1::1/64")})


def vip(name: str, *hops: str, addresses: tuple[str, ...] = ("10.1.1.7",)) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": {"addresses": list(addresses), "nextHops": list(hops)}}


class Server(BaseHTTPRequestHandler):
    """One list, and a watch that tells what came after it."""

    def do_GET(self) -> None:
        both = ("10.1.1.7", "fd00:1::7")
        listed = {"metadata": {"resourceVersion": "7"}, "items": [vip("erp", "10.1.1.4", "fd00:1::4", addresses=both)]}
        after = [
            {"type": "MODIFIED", "object": vip("erp", "10.1.1.6", "10.1.1.5", addresses=both)},
            {"type": "BOOKMARK", "object": {"metadata": {}}},
            {"type": "ADDED", "object": vip("far", "172.16.0.4", addresses=("172.16.0.7",))},
            {"type": "DELETED", "object": vip("erp")},
        ]
        lines = after if "watch=1" in self.path else [listed]
        body = "".join(json.dumps(line) + "\n" for line in lines).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        named = {
            "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{made.server_port}"}}],
            "users": [{"name": "x", "user": {"token": "t"}}],
        }
        file = tmp_path / "kubeconfig"
        file.write_text(json.dumps(named))
        yield file
        made.shutdown()
        thread.join()


def test_each_change_is_followed(kubeconfig: Path) -> None:
    seen: list[dict[str, Way] | None] = []
    api = ApiHops(kubeconfig, lambda: seen.append(api.ways(LANS, ())))
    assert api.ways(LANS, ()) is None, "it has not answered yet"
    api.follow()
    changed = {"10.1.1.7": (Hop("10.1.1.5", "eth1"), Hop("10.1.1.6", "eth1")), "fd00:1::7": End.REFUSED}
    assert seen == [
        {"10.1.1.7": (Hop("10.1.1.4", "eth1"),), "fd00:1::7": (Hop("fd00:1::4", "eth1"),)},
        changed,
        changed,  # the new one's hop is on no LAN of this router: other routes count
        {},
    ]
